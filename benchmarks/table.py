"""Figures as one table for people, or as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure, Part, Quantity

Results = Mapping[Part, Sequence[Figure]]
MARKS: dict[bool | None, Text] = {
    True: Text("✔", "green"),
    False: Text("MISSED", "bold red"),
    None: Text(),
}


def make_table(results: Results) -> Table:
    table = Table(
        title="Pipeline Gate, measured",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", min_width=40, no_wrap=True)
    for heading in ("ours", "beside", "ratio", "at most", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for part, figures in results.items():
        table.add_row()
        table.add_row(Text(part.title, "bold"))
        for figure in figures:
            table.add_row(
                f"  {figure.quantity.label}",
                format_amount(figure.ours, figure.quantity.unit),
                "" if figure.other is None else format_amount(figure.other, figure.quantity.unit),
                "" if figure.ratio is None else format_ratio(figure.ratio),
                format_target(figure.quantity),
                MARKS[figure.is_reached],
            )
    return table


def format_amount(value: float, unit: str) -> str:
    """The value with its unit; seconds below ten have one decimal."""
    digits = 1 if unit == "s" and value < 10 else 0
    return f"{value:.{digits}f} {unit}".strip()


def format_ratio(value: float) -> str:
    return "< 0.01" if value < 0.005 else f"{value:.2f}"


def format_target(quantity: Quantity) -> str:
    if quantity.at_most is not None:
        return f"{quantity.at_most:g} {quantity.unit}".strip()
    return f"{quantity.ratio_at_most:g}x" if quantity.ratio_at_most is not None else ""


def as_json(results: Results) -> list[dict[str, object]]:
    return [
        {
            "part": part.name,
            "what": figure.quantity.label,
            "unit": figure.quantity.unit,
            "ours": figure.ours,
            "other": figure.other,
            "ratio": figure.ratio,
            "at_most": figure.quantity.at_most,
            "ratio_at_most": figure.quantity.ratio_at_most,
            "reached": figure.is_reached,
        }
        for part, figures in results.items()
        for figure in figures
    ]
