"""The sandbox's clock: everything that happens later is a call planned on it, whether a test drives
the time or it runs on its own.

Every part of the sandbox reads the time with `utcnow()` and plans with `Clock.call_at`. Nothing
sleeps.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self
from unittest.mock import patch

import time_machine

log = logging.getLogger(__name__)


def utcnow() -> datetime:
    """The time as an aware UTC datetime: the driven time under a DrivenClock."""
    return datetime.now(UTC)


@dataclass(order=True)
class PlannedCall:
    """`callback` is called at `when` (aware UTC), unless the call was cancelled."""

    when: datetime
    number: int
    callback: Callable[[], object] = field(compare=False)
    label: str = field(compare=False, default="")
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        self.cancelled = True


class Clock(Protocol):
    def call_at(
        self, when: datetime, callback: Callable[[], object], label: str = ""
    ) -> PlannedCall:
        """Plan `callback` for `when` (aware UTC); a past time means as soon as possible.

        `label` says in a log what the call is for.
        """
        ...


class DrivenClock:
    """Time that stands still until a test moves it, for everything in this process (datetime.now,
    moto, the gate).

    A context manager. Calls run on the thread that moves the time, in the order of their times;
    calls of the same time run in the order in which they were planned. `time.sleep` (botocore
    between two attempts) moves the time and returns at once.
    """

    def __init__(self, start: datetime) -> None:
        self._calls: list[PlannedCall] = []
        self._numbers = itertools.count()
        self._travel = time_machine.travel(start, tick=False)
        self._sleep = patch("time.sleep", self.sleep)

    def __enter__(self) -> Self:
        self._traveller = self._travel.start()
        self._sleep.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sleep.stop()
        self._travel.stop()

    def sleep(self, seconds: float) -> None:
        """Move the time on without running the calls that fall due; the next advance runs them."""
        self._traveller.move_to(utcnow() + timedelta(seconds=seconds))

    def call_at(
        self, when: datetime, callback: Callable[[], object], label: str = ""
    ) -> PlannedCall:
        call = PlannedCall(max(when, utcnow()), next(self._numbers), callback, label)
        heapq.heappush(self._calls, call)
        return call

    def next_call(self) -> PlannedCall | None:
        """The call that is due next; None if nothing is planned."""
        while self._calls and self._calls[0].cancelled:
            heapq.heappop(self._calls)
        return self._calls[0] if self._calls else None

    def run_next(self) -> PlannedCall | None:
        """Move to the next call's time and run it; None if nothing is planned."""
        call = self.next_call()
        if call is not None:
            heapq.heappop(self._calls)
            if call.when > utcnow():
                self._traveller.move_to(call.when)
            call.callback()
        return call

    def settle(self) -> None:
        """Run every call that is due now, including those that these calls plan for now."""
        self.advance(timedelta(0))

    def advance(self, by: timedelta) -> None:
        """Move the time on by `by`, and run the calls that fall due on the way."""
        end = utcnow() + by
        while (call := self.next_call()) is not None and call.when <= end:
            self.run_next()
        if end > utcnow():
            self._traveller.move_to(end)


class WallClock:
    """Real time: due calls run on threads of their own, until `stop`."""

    def __init__(self, threads: int = 64) -> None:
        self._calls: list[PlannedCall] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._running = True
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sandbox")
        self._thread = threading.Thread(target=self._run, name="sandbox-clock", daemon=True)
        self._thread.start()

    def call_at(
        self, when: datetime, callback: Callable[[], object], label: str = ""
    ) -> PlannedCall:
        with self._changed:
            call = PlannedCall(when, next(self._numbers), callback, label)
            heapq.heappush(self._calls, call)
            self._changed.notify()
        return call

    def stop(self) -> None:
        """Drop what is planned. Calls that are already running are not interrupted."""
        with self._changed:
            self._running = False
            self._changed.notify()
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._running:
                    return
                wait = (self._calls[0].when - utcnow()).total_seconds() if self._calls else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                call = heapq.heappop(self._calls)
                if not call.cancelled:
                    self._pool.submit(self._attempt, call)

    @staticmethod
    def _attempt(call: PlannedCall) -> None:
        try:
            call.callback()
        except Exception:
            log.exception("the sandbox failed at: %s", call.label)
