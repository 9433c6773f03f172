"""The simulation notices each of the planted bugs."""

from __future__ import annotations

import pytest

from tests.simulation import RUNS
from tests.simulation.planted_bugs import BUGS, PlantedBug
from tests.simulation.run import simulate

pytestmark = pytest.mark.long
MORE = 400
"""So many further seeds are tried where a bug's own no longer shows it, as any change of the code
draws other histories.
"""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: PlantedBug) -> None:
    assert any(bug.shows(seed) for seed in (bug.seed, *range(MORE))), (
        f"nothing showed that {bug.what}"
    )


def test_without_a_planted_bug_the_same_runs_keep_their_promises() -> None:
    for seed in sorted(
        {bug.seed for bug in BUGS if bug.seed >= RUNS}
    ):  # the others are played in test_simulation.py
        assert not simulate(seed).broken
