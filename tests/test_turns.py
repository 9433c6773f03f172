"""Pipelines that exclude each other take turns. Their gates look and answer at different times, as
in the real time of `make bench`, but on driven time.
"""

from __future__ import annotations

from datetime import timedelta
from random import uniform

import pytest

from benchmarks.concurrent import ConcurrentExecutor, enter_concurrent_world
from benchmarks.exclusive_group import (
    Disturbance,
    ExclusiveGroup,
    RunningGroup,
    TurnFigures,
)

MAX_FAILURES = 2
"""Of each pipeline, on average."""
GATE = "pipeline-gate-dev-gate"
MODES = ("restart", "retry", "wait")


def take_turns(group: ExclusiveGroup, *, seed: int = 1, list_age: float = 0.0) -> TurnFigures:
    """Let the group run until all have deployed, or for twice the time within which they have to.
    No rule may be left then.

    An AWS call takes up to 0.2 s and an event up to 0.9 s. Each list is up to `list_age` seconds
    old.
    """
    executor = ConcurrentExecutor(draw_call_seconds=lambda: uniform(0.02, 0.2))
    with enter_concurrent_world(executor, seed) as world:
        world.dials.event_copies = lambda: [uniform(0.1, 0.9)]
        world.dials.answer_age = lambda _: uniform(0, list_age)
        running = RunningGroup(group, GATE)
        while not running.has_ended and running.seconds < 2 * group.max_seconds:
            world.clock.advance(timedelta(seconds=1))
            running.disturb()
        figures = running.read_figures()
        world.clock.advance(timedelta(minutes=11))
        assert running.count_rules() == 0
        return figures


def expect_turns(group: ExclusiveGroup, figures: TurnFigures) -> None:
    """All got through in time."""
    assert figures.missed == 0
    assert figures.seconds <= group.max_seconds
    assert figures.failures <= MAX_FAILURES * group.count


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [2, 4, 8])
def test_they_take_turns(count: int, mode: str) -> None:
    group = ExclusiveGroup(count, mode)
    figures = take_turns(group)
    expect_turns(group, figures)
    assert figures.overlaps == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "disturbance", [Disturbance.FAILURE, Disturbance.STOP, Disturbance.REMOVAL]
)
def test_one_that_drops_out_stops_no_other(mode: str, disturbance: Disturbance) -> None:
    group = ExclusiveGroup(4, mode, disturbance)
    figures = take_turns(group)
    expect_turns(group, figures)
    assert figures.overlaps == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("list_age", [2.5, 8.0])
def test_they_take_turns_though_lists_are_old(mode: str, list_age: float) -> None:
    """An execution reaches its gate after 3 s. Two at once are possible if lists may be older."""
    group = ExclusiveGroup(4, mode)
    figures = take_turns(group, list_age=list_age)
    expect_turns(group, figures)
    assert figures.overlaps == 0 or list_age > group.source_seconds


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(1, 4))
def test_never_two_at_once_if_lists_are_younger_than_an_execution_at_its_gate(
    mode: str, seed: int
) -> None:
    figures = take_turns(ExclusiveGroup(3, mode, source_seconds=10), seed=seed, list_age=8)
    assert (figures.overlaps, figures.missed) == (0, 0)
