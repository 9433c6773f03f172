"""Calls run at once on driven time."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from sandbox.clock import utcnow
from sandbox.concurrent_clock import ConcurrentClock
from sandbox.inprocess import MONDAY_NOON


def test_a_call_that_sleeps_lets_other_calls_run() -> None:
    wake_ups: list[tuple[str, float]] = []

    def work(name: str, seconds: float) -> None:
        for _ in range(2):
            time.sleep(seconds)
            wake_ups.append((name, (utcnow() - MONDAY_NOON).total_seconds()))

    with ConcurrentClock(MONDAY_NOON) as clock:
        clock.call_at(MONDAY_NOON, lambda: work("slow", 3))
        clock.call_at(MONDAY_NOON + timedelta(seconds=1), lambda: work("fast", 1))
        clock.advance(timedelta(seconds=10))
    assert wake_ups == [("fast", 2), ("slow", 3), ("fast", 3), ("slow", 6)]


def test_a_defect_ends_the_run() -> None:
    def fail() -> None:
        time.sleep(1)
        raise ZeroDivisionError

    with ConcurrentClock(MONDAY_NOON) as clock:
        clock.call_at(MONDAY_NOON, fail)
        with pytest.raises(ZeroDivisionError):
            clock.advance(timedelta(seconds=10))


def test_calls_in_parallel_take_as_long_as_the_slowest() -> None:
    def work(seconds: float) -> float:
        time.sleep(seconds)
        if seconds > 4:
            raise ZeroDivisionError
        return -seconds

    def answer(*seconds: float) -> None:
        answers.append(clock.run_in_parallel(work, seconds))
        ends.append((utcnow() - MONDAY_NOON).total_seconds())

    answers: list[list[float]] = []
    ends: list[float] = []
    with ConcurrentClock(MONDAY_NOON) as clock:
        clock.call_at(MONDAY_NOON, lambda: answer(2, 3, 1))
        clock.call_at(MONDAY_NOON, answer)
        clock.advance(timedelta(seconds=10))
        assert (answers, ends) == ([[], [-2, -3, -1]], [0, 3])
        clock.call_at(utcnow(), lambda: answer(5, 1))
        with pytest.raises(ZeroDivisionError):
            clock.advance(timedelta(seconds=10))
