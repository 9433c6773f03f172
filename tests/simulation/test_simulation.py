"""A hundred runs keep every promise, and a run can be played again."""

from __future__ import annotations

import pytest

from tests.simulation import RUNS
from tests.simulation.run import simulate
from tests.simulation.story import format_result

BLOCK = 20


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_the_promises_hold_whatever_happens(first: int) -> None:
    """And much does happen in these runs: otherwise keeping the promises would be no feat."""
    results = [simulate(seed) for seed in range(first, first + BLOCK)]
    for result in results:
        assert not result.broken, f"\n{format_result(result)}"
    for event in ("held", "released", "hits"):
        assert 3 * sum(result.counts[event] for result in results) >= len(results), event


def test_a_seed_tells_the_same_story_again() -> None:
    assert simulate(11).story == simulate(11).story
