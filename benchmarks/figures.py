"""What a benchmark tells: rows of figures beside others of the same run, and what they have to
reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Tell = Callable[[str], None]
"""Says what is going on now, for a person who waits."""
Pair = tuple[float, float | None]
"""Ours, and the other's where there is one."""


@dataclass(frozen=True)
class Row:
    """`unit`: "ms", "s", or "" for a count. The target, if there is one: `at_most`, of ours;
    `ratio_at_most`, of ours to the other's.
    """

    what: str
    unit: str = ""
    at_most: float | None = None
    ratio_at_most: float | None = None


@dataclass(frozen=True)
class Part:
    """One benchmark. `measure` returns a pair of figures for each of `rows`."""

    name: str
    title: str
    """Says also what stands beside ours, unless each row does."""
    rows: tuple[Row, ...]
    measure: Callable[[Tell], Sequence[Pair]]


@dataclass(frozen=True)
class Figure:
    row: Row
    ours: float
    other: float | None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.other if self.other else None

    @property
    def reached(self) -> bool | None:
        """None where there is nothing to reach."""
        if self.row.at_most is not None:
            return self.ours <= self.row.at_most
        if self.row.ratio_at_most is not None:
            return self.ratio is not None and self.ratio <= self.row.ratio_at_most
        return None


def figures(part: Part, tell: Tell) -> list[Figure]:
    """Measure it now."""
    return [
        Figure(row, ours, other)
        for row, (ours, other) in zip(part.rows, part.measure(tell), strict=True)
    ]
