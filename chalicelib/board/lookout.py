"""Looks at the account for all pages that are open: as often as is worth it, and no more."""

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
from chalicelib.board.problem import Problem, describe_problem
from chalicelib.board.snapshot import Json, build_snapshot
from chalicelib.records import log

MIN_PAUSE, MAX_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
"""The pause between two looks that cost little; and between two that fail again and again."""
CALLS_A_SECOND = 4
"""So many at most, on average: what AWS lets through is for the gates, too."""


@dataclass(frozen=True)
class BoardAnswer:
    """`state`: what is known, as JSON, without the time of the look (`looked_at`, aware UTC; None
    where none has succeeded), so that it changes only when something does. `ask_again`: when to
    come back, because only then it can have changed.
    """

    state: Json
    looked_at: datetime | None
    ask_again: timedelta


class Lookout:
    """One for the life of a process. Whoever asks gets the last look, or a new one where it is
    time; one look at a time.
    """

    def __init__(
        self,
        session: Callable[[], Any] = boto3.Session,
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
        """What is known now. AWS's failures are told in it; nothing is raised."""
        with self._lock:
            if self._clock() >= self._next_reading:
                self._read_account()
                self._next_reading = self._clock() + self._pause
            state = {"seen": self._snapshot, "problem": self._problem and self._problem.text}
            return BoardAnswer(state, self._looked_at, self._next_reading - self._clock())

    def _read_account(self) -> None:
        now = self._clock()
        try:
            # A new session reads credentials anew: those of a file may have been renewed.
            self._account = self._account or AccountReader(_make_clients(self._session()))
            landscape = self._account.read_view(now)
            self._snapshot = build_snapshot(landscape, self._account.region, now)
        except (
            Exception
        ) as error:  # whatever it is, the page says so, and shows what was seen before
            self._problem = describe_problem(error)
            self._pause = min(self._pause * 2, MAX_PAUSE)
            if self._problem.credentials:
                self._account = None
            if self._problem.defect:
                log.log_defect("board", error)
        else:
            self._looked_at, self._problem = now, None
            self._pause = max(MIN_PAUSE, timedelta(seconds=count_calls(landscape) / CALLS_A_SECOND))


def count_calls(landscape: AccountView) -> int:
    """What a look at this landscape costs, when no structure has changed: two lists, a call for
    each thing that is in them, and one for each that may not be looked at.
    """
    states = sum(pipeline.state is not None for pipeline in landscape.pipelines.values())
    return (
        2
        + len(landscape.rules)
        + len(landscape.pipelines)
        + states
        + landscape.attempts_read
        + len(landscape.unseen)
    )


def _make_clients(session: Any) -> Callable[[str], Any]:
    """Clients that give up soon: a page that says why it is old is better than one that waits."""
    config = Config(
        connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return lambda service: session.client(service, config=config)
