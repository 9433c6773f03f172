"""The sandbox's one clock: what happens later is a call on it, whether time is driven by a test or
runs by itself.

Every part of the sandbox reads the time with `utcnow()` and plans with `Clock.call_at`; nothing in
it sleeps.
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
    """The time as an aware UTC datetime; under a DrivenClock, the driven time."""
    return datetime.now(UTC)


@dataclass(order=True)
class Call:
    """Something that is due: `what` is called at `when` (aware UTC), unless it was cancelled."""

    when: datetime
    number: int
    what: Callable[[], object] = field(compare=False)
    label: str = field(compare=False, default="")
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        self.cancelled = True


class Clock(Protocol):
    def call_at(self, when: datetime, what: Callable[[], object], label: str = "") -> Call:
        """Plan `what` for `when` (aware UTC; a past time means as soon as possible). `label` is for
        people who read a trace.
        """
        ...


class DrivenClock:
    """Time that stands still until a test moves it, for everything in this process (datetime.now,
    moto, the gate).

    A context manager. Calls run in the order of their times, those of one time in the order in
    which they were planned, on the thread that moves the time. Who sleeps meanwhile (botocore
    between two attempts) moves the time too, and waits for nothing.
    """

    def __init__(self, start: datetime) -> None:
        self._calls: list[Call] = []
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
        """Let time pass without running what falls due: that runs when somebody advances the
        clock.
        """
        self._traveller.move_to(utcnow() + timedelta(seconds=seconds))

    def call_at(self, when: datetime, what: Callable[[], object], label: str = "") -> Call:
        call = Call(max(when, utcnow()), next(self._numbers), what, label)
        heapq.heappush(self._calls, call)
        return call

    def next_call(self) -> Call | None:
        """The call that is due next, or None when nothing is planned."""
        while self._calls and self._calls[0].cancelled:
            heapq.heappop(self._calls)
        return self._calls[0] if self._calls else None

    def run_next(self) -> Call | None:
        """Move to the next call's time and run it; None when nothing is planned."""
        call = self.next_call()
        if call is not None:
            heapq.heappop(self._calls)
            if call.when > utcnow():
                self._traveller.move_to(call.when)
            call.what()
        return call

    def settle(self) -> None:
        """Run all that is due now, and what that makes due now."""
        self.advance(timedelta(0))

    def advance(self, by: timedelta) -> None:
        """Move the time on by `by`, running on the way all that falls due."""
        end = utcnow() + by
        while (call := self.next_call()) is not None and call.when <= end:
            self.run_next()
        if end > utcnow():
            self._traveller.move_to(end)


class WallClock:
    """Time as it runs: due calls run on threads of their own, until `stop`."""

    def __init__(self, threads: int = 64) -> None:
        self._calls: list[Call] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._running = True
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sandbox")
        self._thread = threading.Thread(target=self._run, name="sandbox-clock", daemon=True)
        self._thread.start()

    def call_at(self, when: datetime, what: Callable[[], object], label: str = "") -> Call:
        with self._changed:
            call = Call(when, next(self._numbers), what, label)
            heapq.heappush(self._calls, call)
            self._changed.notify()
        return call

    def stop(self) -> None:
        """Drop what is planned; calls that run already are not interrupted."""
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
    def _attempt(call: Call) -> None:
        try:
            call.what()
        except Exception:
            log.exception("the sandbox failed at: %s", call.label)
