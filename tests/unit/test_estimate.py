"""How long an execution usually takes, and when a running one should end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.pipelines.estimate import (
    MAX_SUCCESSES,
    estimate_duration,
    estimate_end,
    estimate_percent,
)
from chalicelib.pipelines.execution import ROLLBACK, Execution

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def took(minutes: float, status: str = "Succeeded", kind: str = "STANDARD") -> Execution:
    return Execution("a", status, NOON - timedelta(minutes=minutes), NOON, kind=kind)


def began(minutes_ago: float) -> Execution:
    return Execution("r", "InProgress", NOON - timedelta(minutes=minutes_ago), NOON)


FIVE = (took(4), took(5), took(60))


@pytest.mark.parametrize(
    ("history", "minutes"),
    [
        ([], None),
        ([took(5), took(5)], None),
        ([took(5), took(5), took(5)], 5),
        ([took(60), took(4), took(5)], 5),
        ([took(4), took(5), took(6), took(60)], 6),
        (
            [
                took(5),
                took(5),
                took(5, "Failed"),
                took(5, "Stopped"),
                took(5, "Superseded"),
                took(5, "InProgress"),
            ],
            None,
        ),
        ([took(5), took(5), took(1, kind=ROLLBACK)], None),
        ([took(1, "Failed"), *FIVE], 5),
    ],
)
def test_the_median_of_enough_successes(history: list[Execution], minutes: float | None) -> None:
    assert estimate_duration(history) == (None if minutes is None else timedelta(minutes=minutes))


def test_how_long_it_took_long_ago_does_not_count() -> None:
    assert estimate_duration([*[took(10)] * MAX_SUCCESSES, *[took(99)] * 100]) == timedelta(
        minutes=10
    )


def test_the_end_is_that_of_the_last_one_that_runs() -> None:
    assert estimate_end([began(1), began(3)], FIVE) == NOON + timedelta(minutes=4)
    assert estimate_end([], FIVE) is None
    assert estimate_end([began(1)], FIVE[:2]) is None


@pytest.mark.parametrize(
    ("minutes_ago", "done"), [(0, 0), (1, 20), (2.51, 50), (4.999, 99), (5, 99), (500, 99), (-1, 0)]
)
def test_an_action_is_at_100_per_cent_only_when_it_is_over(minutes_ago: float, done: int) -> None:
    assert estimate_percent([began(minutes_ago)], FIVE, NOON) == done


def test_of_several_the_last_one_tells_how_far_it_is() -> None:
    assert estimate_percent([began(4), began(1)], FIVE, NOON) == 20


@pytest.mark.parametrize("history", [FIVE[:2], (took(0), took(0), took(0))])
def test_without_a_measure_there_is_no_per_cent(history: tuple[Execution, ...]) -> None:
    assert estimate_percent([began(1)], history, NOON) is None
    assert estimate_percent([], FIVE, NOON) is None
