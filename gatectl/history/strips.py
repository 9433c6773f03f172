"""The worst overlaps, one by one: what ran when, and what the gate would have made of it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rich.text import Text

from chalicelib.pipelines.execution import Execution
from gatectl.history.axis import Axis
from gatectl.history.findings import Held, Overlap, moved
from gatectl.history.labels import labels
from gatectl.history.report import Report
from gatectl.history.spans import ENDLESS, Span, merged
from gatectl.wording import lasting, number

WORST = 3
"""So many are shown."""
LANES = 4
"""So many lines a pipeline gets for executions that run side by side."""
MARKS = {
    "Succeeded": ("✔", "green"),
    "Failed": ("✘", "red"),
    "InProgress": ("●", "bold"),
    "Stopping": ("●", "bold"),
}
OTHER = ("■", "")
GATED = "with the gate"
LEGEND = (
    "━ at work, ✔ succeeded, ✘ failed, ■ ended otherwise, ● still so, ░ held, ▶ goes on, "
    "» replaced by a newer execution"
)


@dataclass(frozen=True)
class Strip:
    """A time without a break in which upstreams ran, the executions that overlapped it, and those
    that began and were held in it.
    """

    span: Span
    overlaps: tuple[Overlap, ...]
    held: tuple[Held, ...]

    @property
    def failed(self) -> int:
        return sum(one.execution.status == "Failed" for one in self.overlaps)

    @property
    def waited(self) -> timedelta:
        return sum((self.span.end - one.execution.started for one in self.held), start=timedelta())


def worst(report: Report) -> list[Strip]:
    """The first of all."""
    return strips(report)[:WORST]


def strips(report: Report) -> list[Strip]:
    """First those in which most failed; of several such, in which the gate would have held longest,
    and with most overlaps.
    """
    upstreams = [one for those in report.findings.upstreams.values() for one in those]
    spans = merged(Span(one.started, one.updated) for one in upstreams)
    begins = [span.begin for span in spans]
    met: dict[Span, list[Overlap]] = defaultdict(list)
    for overlap in report.findings.overlaps:
        for span in {spans[bisect_right(begins, each.started) - 1] for _, each in overlap.pairs}:
            met[span].append(overlap)
    held = {one.execution.id: one for one in report.findings.policy("idle").held}
    found = []
    for span, overlaps in met.items():
        mine = [
            held[one.execution.id]
            for one in overlaps
            if one.execution.id in held and _within(one.execution, span)
        ]
        found.append(Strip(span, tuple(overlaps), tuple(mine)))
    return sorted(found, key=lambda one: (one.failed, one.waited, len(one.overlaps)), reverse=True)


def drawn(strip: Strip, report: Report, width: int) -> list[Text]:
    """Lines no wider than that: the upstreams' executions, the pipeline's, and the pipeline's
    behind the gate (`hold` restart).
    """
    own = [one.execution for one in strip.overlaps]
    held = {one.execution.id: one for one in report.findings.policy("idle").held}
    going = {one.execution.id for one in report.findings.policy("idle").ways[0].go_on}
    later = [moved(held[one.id]) for one in own if one.id in going]
    names = labels([one.label for one in [*report.upstreams, report.pipeline]], width)
    margin = max(map(len, [*names, GATED])) + 2
    begin, end = (
        min([strip.span.begin, *(one.started for one in own)]),
        max([strip.span.end, *(one.updated for one in [*own, *later])]),
    )
    axis = Axis(begin, end, max(10, width - margin))
    ran = [
        [one for one in past.executions if _within(one, strip.span)] for past in report.upstreams
    ] + [own]
    rows = [
        (label, [_bar(one, axis) for one in those])
        for label, those in zip(names, ran, strict=True)
        if those
    ]
    rows.append((GATED, [_gated(one, held.get(one.id), one.id in going, axis) for one in own]))
    lines = [
        Text(_title(strip), style="bold"),
        Text(_ids(list(zip(names, ran, strict=True)), width), style="dim"),
    ]
    for label, bars in rows:
        lanes = _lanes(bars)
        beside = [label, *[""] * (len(lanes) - 1)]
        lines += (
            Text(one.ljust(margin)).append_text(lane)
            for one, lane in zip(beside, lanes, strict=True)
        )
    return [*lines, Text(" " * margin).append_text(axis.ticks())]


def _title(strip: Strip) -> str:
    begin, end = strip.span.begin, strip.span.end
    form = "%H:%M" if end - begin >= timedelta(minutes=1) else "%H:%M:%S"
    until = f"{end:{form}}" if begin.date() == end.date() else f"{end:%Y-%m-%d {form}}"
    held = (
        f"{len(strip.held)} held, up to {lasting(strip.span.end - strip.held[0].execution.started)}"
        if strip.held
        else "none held"
    )
    return (
        f"{begin:%Y-%m-%d {form}} to {until} UTC: "
        f"{number(len(strip.overlaps), 'execution')}, {strip.failed} failed; {held}"
    )


def _ids(pipelines: Sequence[tuple[str, Sequence[Execution]]], width: int) -> str:
    """Which executions these are, as many of each pipeline as there is room for."""

    def line(most: int) -> str:
        each = (
            (label, [one.short_id for one in those[:most]], len(those) - most)
            for label, those in pipelines
            if those
        )
        return "; ".join(
            f"{label} {' '.join(ids)}{f' and {more} more' if more > 0 else ''}"
            for label, ids, more in each
        )

    return next(
        (
            text
            for text in map(line, range(max(len(those) for _, those in pipelines), 0, -1))
            if len(text) <= width
        ),
        line(1)[:width],
    )


def _within(one: Execution, span: Span) -> bool:
    return span.begin <= one.started < span.end


Bar = tuple[int, Text]
"""The column that it begins at, and what it looks like."""


def _bar(one: Execution, axis: Axis) -> Bar:
    first, last = axis.column(one.started), axis.column(one.updated)
    mark, style = MARKS.get(one.status, OTHER)
    return first, Text("━" * (last - first)).append(mark, style)


def _gated(one: Execution, held: Held | None, goes_on: bool, axis: Axis) -> Bar:
    if held is None:
        return _bar(one, axis)
    first, last = axis.column(one.started), axis.column(held.until)
    if not goes_on:
        return first, Text("░" * (last - first), "magenta").append(
            "●" if held.until == ENDLESS else "»", "magenta"
        )
    return first, Text("░" * (last - first), "magenta").append(
        "▶" + "━" * (axis.column(moved(held).updated) - last)
    )


def _lanes(bars: Iterable[Bar]) -> list[Text]:
    """The bars in as few lines as they need not to cover each other; what needs more than LANES is
    counted.
    """
    lanes: list[Text] = []
    for first, bar in bars:
        lane = next((lane for lane in lanes if len(lane) <= first), None)
        if lane is None:
            lanes.append(lane := Text())
        lane.append(" " * (first - len(lane))).append_text(bar)
    more = (
        [Text(f"and {number(len(lanes) - LANES, 'line')} more", "dim")]
        if len(lanes) > LANES
        else []
    )
    return lanes[:LANES] + more
