"""Reads the account for all open pages, and limits how often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.account.pipeline import AccountView
from chalicelib.account.reader import AccountReader
from chalicelib.aws.clients import make_session
from chalicelib.board.problem import Problem, describe_problem
from chalicelib.board.snapshot import Json, build_snapshot
from chalicelib.records import log

MIN_PAUSE = timedelta(seconds=5)
"""The shortest pause between two readings."""
MAX_PAUSE = timedelta(minutes=1)
"""The longest pause between two readings that fail."""
CALLS_A_SECOND = 4
"""The most calls per second on average. AWS's request quotas are for the gates too."""


@dataclass(frozen=True)
class BoardAnswer:
    """What the page gets.

    `state`: JSON without the time of the reading, so that it only changes if the account does.
    `looked_at`: when the account was last read (aware UTC); None if it never was.
    `ask_again`: how long the state cannot change.
    """

    state: Json
    looked_at: datetime | None
    ask_again: timedelta


class Lookout:
    """The last reading of the account, which is renewed when it is old enough.

    A process has one. Only one thread reads the account at a time.
    """

    def __init__(
        self,
        session: Callable[[], Any] = lambda: boto3.Session(botocore_session=make_session()),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        self._account: AccountReader | None = None
        self._snapshot: Json | None = None
        self._looked_at: datetime | None = None
        self._problem: Problem | None = None
        self._pause = MIN_PAUSE
        self._next_reading = datetime.min.replace(tzinfo=UTC)

    def ask(self) -> BoardAnswer:
        """Return the last reading, or a new one if it is time. Errors are part of the answer."""
        with self._lock:
            if self._clock() >= self._next_reading:
                self._read_account()
                self._next_reading = self._clock() + self._pause
            state = {"seen": self._snapshot, "problem": self._problem and self._problem.text}
            return BoardAnswer(state, self._looked_at, self._next_reading - self._clock())

    def _read_account(self) -> None:
        now = self._clock()
        try:
            # A new session reads the credentials again, because those of a file may have changed.
            self._account = self._account or AccountReader(_make_clients(self._session()))
            view = self._account.read_view(now)
            self._snapshot = build_snapshot(view, self._account.region, now)
        except Exception as error:
            # The page shows the problem, and the last reading that succeeded.
            self._problem = describe_problem(error)
            self._pause = min(self._pause * 2, MAX_PAUSE)
            if self._problem.credentials:
                self._account = None
            if self._problem.defect:
                log.log_defect("board", error)
        else:
            self._looked_at, self._problem = now, None
            self._pause = max(MIN_PAUSE, timedelta(seconds=count_calls(view) / CALLS_A_SECOND))


def count_calls(view: AccountView) -> int:
    """Return how many calls it takes to read this view again if no pipeline was edited.

    There are two lists, and a call for each thing in them or that AWS does not let be read.
    """
    states = sum(pipeline.state is not None for pipeline in view.pipelines.values())
    return (
        2 + len(view.rules) + len(view.pipelines) + states + view.attempts_read + len(view.unseen)
    )


def _make_clients(session: Any) -> Callable[[str], Any]:
    """Return a function that makes clients with short timeouts and few retries.

    A page that says why it is old is better than one that has to wait.
    """
    config = Config(
        connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return lambda service: session.client(service, config=config)
