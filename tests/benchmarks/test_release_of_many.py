"""Invocations run at once on driven time, and a release is repeatable."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from benchmarks.release_of_many import count_calls, find_least_seconds, release
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


def test_a_release_under_throttling() -> None:
    """Every pipeline starts again once, no sooner than the throttle allows. The same seed gives the
    same run.
    """
    rates = {"codepipeline:ListPipelineExecutions": 2.0}
    first = release(10, 7, rates)
    assert first.started_once == 10
    assert first.throttled.total() > 0
    assert first.last_pass > (30 - 2) / 2, "thirty calls, two of them at once"
    assert first == release(10, 7, rates)


def test_the_calls_of_a_release() -> None:
    calls = count_calls(300)
    assert calls == {
        "codepipeline:ListPipelineExecutions": 1200,
        "codepipeline:ListActionExecutions": 300,
        "codepipeline:StartPipelineExecution": 300,
        "codepipeline:PutJobSuccessResult": 300,
        "events:ListRules": 300,
        "events:ListTargetsByRule": 600,
        "events:PutTargets": 300,
        "events:RemoveTargets": 300,
        "events:DeleteRule": 300,
    }
    assert find_least_seconds(calls) == 120
