"""What a benchmark measures: figures beside others of the same run, and their targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ShowProgress = Callable[[str], None]
"""Shows the person who waits what is being measured now."""
Pair = tuple[float, float | None]
"""Our figure, and the one that it is compared with, if there is one."""


@dataclass(frozen=True)
class Quantity:
    """What a figure counts or times, and its target, if there is one.

    `unit`: "ms", "s", or "" for a count. `at_most` limits our figure; `ratio_at_most` limits our
    figure divided by the other one.
    """

    label: str
    unit: str = ""
    at_most: float | None = None
    ratio_at_most: float | None = None


@dataclass(frozen=True)
class Part:
    """One benchmark. `measure` returns a pair of figures for each of `quantities`.

    `title` also says what our figures are compared with, unless the labels do.
    """

    name: str
    title: str
    quantities: tuple[Quantity, ...]
    measure: Callable[[ShowProgress], Sequence[Pair]]


@dataclass(frozen=True)
class Figure:
    """One measured quantity: our figure and the one that it is compared with."""

    quantity: Quantity
    ours: float
    other: float | None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.other if self.other else None

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is met; None if there is no target."""
        if self.quantity.at_most is not None:
            return self.ours <= self.quantity.at_most
        if self.quantity.ratio_at_most is not None:
            return self.ratio is not None and self.ratio <= self.quantity.ratio_at_most
        return None


def measure_part(part: Part, show_progress: ShowProgress) -> list[Figure]:
    """Run the benchmark now."""
    return [
        Figure(quantity, ours, other)
        for quantity, (ours, other) in zip(
            part.quantities, part.measure(show_progress), strict=True
        )
    ]
