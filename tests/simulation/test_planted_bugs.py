"""The simulation notices each of the planted bugs."""

from __future__ import annotations

import pytest

from tests.simulation import RUNS
from tests.simulation.planted_bugs import BUGS, PlantedBug
from tests.simulation.run import simulate

pytestmark = pytest.mark.long
MORE_SEEDS = 400
"""How many seeds are tried if a bug's own seed no longer shows it because the code changed."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: PlantedBug) -> None:
    assert any(bug.shows(seed) for seed in (bug.seed, *range(MORE_SEEDS)))


def test_without_a_planted_bug_the_same_runs_keep_their_promises() -> None:
    # The tested seeds are played in test_simulation.py.
    for seed in sorted({bug.seed for bug in BUGS} - {*range(RUNS)}):
        assert not simulate(seed).broken
