"""What a planted bug is, the ways to plant one, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from unittest.mock import patch

from tests.simulation.run import simulate

Promise = Literal["Safe", "Live", "Clean", "Once", "Answered", "Same", "Told"]
Plant = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class PlantedBug:
    """`plant` breaks the code as long as the context lasts; `breaks` is the promise that suffers.

    `seed`: one whose run catches it; should the code or the simulation change, the test also tries
    the first ones.
    """

    name: str
    breaks: Promise
    seed: int
    plant: Plant

    def shows(self, seed: int) -> bool:
        """Whether the run of that seed, with the bug in it, breaks its promise."""
        with self.plant():
            return any(promise.startswith(self.breaks) for promise in simulate(seed).broken)


BUGS: list[PlantedBug] = []


def bug(breaks: Promise, seed: int) -> Callable[[Plant], None]:
    """Plant the patches that the decorated function returns."""
    return lambda plant: BUGS.append(PlantedBug(plant.__name__, breaks, seed, plant))


def bug_in(
    owner: Any, attribute: str, breaks: Promise, seed: int
) -> Callable[[Callable[..., Any]], None]:
    """Plant the decorated function, which gets the real one first, in place of an attribute."""

    def add(stand_in: Callable[..., Any]) -> None:
        real = getattr(owner, attribute)
        is_property = isinstance(real, property)

        def planted(*arguments: Any, **keys: Any) -> Any:
            return stand_in(real.fget if is_property else real, *arguments, **keys)

        new = property(planted) if is_property else planted
        plant = partial(patch.object, owner, attribute, new)
        BUGS.append(PlantedBug(stand_in.__name__, breaks, seed, plant))

    return add


def constant(
    name: str, breaks: Promise, seed: int, owner: Any, attribute: str, value: object
) -> None:
    """Plant a value: `owner`'s `attribute` is it, or returns it whatever the arguments are."""

    def stand_in(*_: object, **__: object) -> object:
        return value

    real = getattr(owner, attribute)
    if callable(real) or isinstance(real, property):
        stand_in.__name__ = name
        bug_in(owner, attribute, breaks, seed)(stand_in)
    else:
        plant = partial(patch.object, owner, attribute, value)
        BUGS.append(PlantedBug(name, breaks, seed, plant))


def both(*patches: AbstractContextManager[object]) -> AbstractContextManager[object]:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack
