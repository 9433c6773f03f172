"""Figures as one table for people, or as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure, Part, Row

Results = Mapping[Part, Sequence[Figure]]
MARKS: dict[bool | None, Text] = {
    True: Text("✔", "green"),
    False: Text("MISSED", "bold red"),
    None: Text(),
}


def table(results: Results) -> Table:
    drawn = Table(
        title="Pipeline Gate, measured",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    drawn.add_column("", min_width=40, no_wrap=True)
    for heading in ("ours", "beside", "ratio", "at most", ""):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for part, seen in results.items():
        drawn.add_row()
        drawn.add_row(Text(part.title, "bold"))
        for figure in seen:
            drawn.add_row(
                f"  {figure.row.what}",
                amount(figure.ours, figure.row.unit),
                "" if figure.other is None else amount(figure.other, figure.row.unit),
                "" if figure.ratio is None else ratio(figure.ratio),
                target(figure.row),
                MARKS[figure.reached],
            )
    return drawn


def amount(value: float, unit: str) -> str:
    """A figure with its unit, as exact as it deserves."""
    digits = 1 if unit == "s" and value < 10 else 0
    return f"{value:.{digits}f} {unit}".strip()


def ratio(value: float) -> str:
    return "< 0.01" if value < 0.005 else f"{value:.2f}"


def target(row: Row) -> str:
    if row.at_most is not None:
        return f"{row.at_most:g} {row.unit}".strip()
    return f"{row.ratio_at_most:g}x" if row.ratio_at_most is not None else ""


def as_json(results: Results) -> list[dict[str, object]]:
    return [
        {
            "part": part.name,
            "what": figure.row.what,
            "unit": figure.row.unit,
            "ours": figure.ours,
            "other": figure.other,
            "ratio": figure.ratio,
            "at_most": figure.row.at_most,
            "ratio_at_most": figure.row.ratio_at_most,
            "reached": figure.reached,
        }
        for part, seen in results.items()
        for figure in seen
    ]
