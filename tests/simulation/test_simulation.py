"""A hundred runs keep every promise, and a run can be played again."""

from __future__ import annotations

import pytest

from tests.simulation.run import simulate
from tests.simulation.story import told

RUNS, BLOCK = 100, 20


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_the_promises_hold_whatever_happens(first: int) -> None:
    for seed in range(first, first + BLOCK):
        result = simulate(seed)
        assert not result.broken, f"\n{told(result)}"


def test_the_runs_are_eventful() -> None:
    """They would keep the promises as well if nothing happened."""
    results = [simulate(seed) for seed in range(30)]
    for what in ("held", "released", "hits"):
        assert 2 * sum(result.counts[what] for result in results) >= len(results), what


def test_a_seed_tells_the_same_story_again() -> None:
    assert simulate(11).story == simulate(11).story
