"""The sandbox's clock: driven by a test, or running on its own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from sandbox.clock import DrivenClock, WallClock, utcnow

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_calls_run_in_the_order_of_their_times_at_their_times() -> None:
    called: list[tuple[str, datetime]] = []
    with DrivenClock(NOON) as clock:
        for name, minutes in (("late", 5), ("early", 1), ("too late", 20)):
            at = NOON + timedelta(minutes=minutes)
            clock.call_at(at, lambda name=name: called.append((name, utcnow())))  # type: ignore[misc]
        clock.advance(timedelta(minutes=10))
        assert called == [
            ("early", NOON + timedelta(minutes=1)),
            ("late", NOON + timedelta(minutes=5)),
        ]
        assert utcnow() == NOON + timedelta(minutes=10)


def test_what_a_call_makes_due_runs_too_and_what_is_cancelled_does_not() -> None:
    called: list[str] = []
    with DrivenClock(NOON) as clock:
        clock.call_at(NOON, lambda: clock.call_at(NOON, lambda: called.append("second")))
        clock.call_at(NOON, lambda: called.append("never")).cancel()
        clock.settle()
        assert called == ["second"]
        assert clock.next_call() is None


def test_sleeping_moves_driven_time_and_takes_none() -> None:
    began = time.monotonic()
    with DrivenClock(NOON):
        time.sleep(3600)
        assert utcnow() == NOON + timedelta(hours=1)
    assert time.monotonic() - began < 10


def test_a_running_clock_calls_automatically_until_it_is_stopped() -> None:
    clock = WallClock()
    called = threading.Event()
    clock.call_at(utcnow() + timedelta(seconds=0.05), called.set)
    clock.call_at(utcnow() + timedelta(hours=1), lambda: None)
    assert called.wait(10)
    clock.stop()
    assert "sandbox-clock" not in [thread.name for thread in threading.enumerate()]
