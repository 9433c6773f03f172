"""Invocations that run at once on driven time, and a release that comes out the same each time."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from benchmarks.concurrent import ConcurrentClock
from benchmarks.release_of_many import bound, needed, release
from sandbox.clock import utcnow
from sandbox.inprocess import MONDAY_NOON


def test_what_sleeps_lets_others_run() -> None:
    seen: list[tuple[str, float]] = []

    def work(name: str, seconds: float) -> None:
        for _ in range(2):
            time.sleep(seconds)
            seen.append((name, (utcnow() - MONDAY_NOON).total_seconds()))

    with ConcurrentClock(MONDAY_NOON) as clock:
        clock.call_at(MONDAY_NOON, lambda: work("slow", 3))
        clock.call_at(MONDAY_NOON + timedelta(seconds=1), lambda: work("fast", 1))
        clock.advance(timedelta(seconds=10))
    assert seen == [("fast", 2), ("slow", 3), ("fast", 3), ("slow", 6)]


def test_a_defect_ends_the_run() -> None:
    def fail() -> None:
        time.sleep(1)
        raise ZeroDivisionError

    with ConcurrentClock(MONDAY_NOON) as clock:
        clock.call_at(MONDAY_NOON, fail)
        with pytest.raises(ZeroDivisionError):
            clock.advance(timedelta(seconds=10))


def test_a_release_under_throttling() -> None:
    """Every pipeline starts again, once, no sooner than the throttle allows, and the same seed
    gives the same run.
    """
    rates = {"codepipeline:ListPipelineExecutions": 2.0}
    seen = release(10, 7, rates)
    assert seen.once == 10
    assert sum(seen.throttled.values()) > 0
    assert seen.last_pass > (30 - 2) / 2, "thirty calls, two of them at once"
    assert seen == release(10, 7, rates)


def test_what_a_release_needs() -> None:
    retries, gates = needed(300)
    assert retries["codepipeline:ListPipelineExecutions"] == 600
    assert retries["codepipeline:StartPipelineExecution"] == 300
    assert gates == {
        "codepipeline:ListPipelineExecutions": 300,
        "codepipeline:PutJobSuccessResult": 300,
    }
    assert bound(retries + gates) == 90
