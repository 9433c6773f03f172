"""What a planted bug is, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Literal

from tests.simulation.run import simulate

Promise = Literal["Safe", "Live", "Clean", "Once", "Answered", "Told"]
Plant = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class PlantedBug:
    """`what` is broken, in a few words; `plant` breaks it as long as the context lasts; `breaks` is
    the promise that suffers.

    `seed`: the first one whose run catches it; should the code or the simulation change, the test
    looks on from there.
    """

    name: str
    breaks: Promise
    what: str
    seed: int
    plant: Plant

    def shows(self, seed: int) -> bool:
        """Whether the run of that seed, with the bug in it, breaks its promise."""
        with self.plant():
            return any(promise.startswith(self.breaks) for promise in simulate(seed).broken)


BUGS: list[PlantedBug] = []


def bug(breaks: Promise, what: str, seed: int) -> Callable[[Plant], Plant]:
    def listed(plant: Plant) -> Plant:
        BUGS.append(PlantedBug(plant.__name__, breaks, what, seed, plant))
        return plant

    return listed


def both(*patches: AbstractContextManager[object]) -> AbstractContextManager[object]:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack
