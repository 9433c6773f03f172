"""The picture of `gatectl history`: time runs from left to right, in columns of characters."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from os.path import commonprefix

from rich.text import Text

from chalicelib.phrases import MAX_NAMES, join_values
from chalicelib.pipelines.execution import Execution
from gatectl.history.replay import HeldExecution, Overlap, Span, merge_spans
from gatectl.history.report import Report
from gatectl.wording import format_count, format_duration

MAX_STRIPS = 3
"""How many of the worst overlaps are drawn."""
MAX_LANES = 4
"""How many lines a pipeline gets for executions that run at the same time."""
MIN_LABEL_LENGTH = 16
ELLIPSIS = "..."
BARS = "▁▂▃▄▅▆▇█"
MARKS = {
    "Succeeded": ("✔", "green"),
    "Failed": ("✘", "red"),
    "InProgress": ("●", "bold"),
    "Stopping": ("●", "bold"),
}
OTHER_MARK = ("■", "")
GATED = "with the gate"
LEGEND = (
    "━ running, ✔ succeeded, ✘ failed, ■ ended otherwise, ● not ended yet, ░ held, ▶ continues, "
    "» replaced by a newer execution"
)
ASCII_MARKS = str.maketrans("━✔✘■●░▶»│▁▂▃▄▅▆▇█", "=+xo*.>/|.:-=+*#@")
"""What replaces each mark if the output is not in Unicode."""
TICK_MINUTES = (
    *(1, 2, 5, 10, 15, 30),
    *(hours * 60 for hours in (1, 2, 3, 6, 12)),
    *(days * 24 * 60 for days in (1, 2, 7, 14, 28)),
)
"""The intervals between ticks, in minutes."""
A_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)
"""Ticks are counted from here, so that weekly ticks fall on Mondays."""


@dataclass(frozen=True)
class Axis:
    """From `begin` to `end` (aware UTC) in `columns` characters."""

    begin: datetime
    end: datetime
    columns: int

    @property
    def step(self) -> timedelta:
        """The time that one column stands for; never zero."""
        return max((self.end - self.begin) / self.columns, timedelta(milliseconds=1))

    def find_column(self, moment: datetime) -> int:
        """Return the column that shows `moment`, or the nearest one if `moment` is outside."""
        return max(0, min(self.columns - 1, (moment - self.begin) // self.step))

    def draw_ticks(self) -> Text:
        """Return a line of round times, each at its column; dates if they are days apart."""
        intervals = [timedelta(minutes=minutes) for minutes in TICK_MINUTES]
        interval = next((each for each in intervals if each >= self.step * 12), intervals[-1])
        if interval >= timedelta(days=1):
            time_format = "%m-%d"
        elif self.end - self.begin < timedelta(days=1):
            time_format = "%H:%M"
        else:
            time_format = "%m-%d %H:%M"
        line = ""
        tick = A_MONDAY - (A_MONDAY - self.begin) // interval * interval
        while tick < self.end:
            label = f"│{tick:{time_format}}"
            if self.find_column(tick) + len(label) <= self.columns:
                line = line.ljust(self.find_column(tick)) + label
            tick += interval
        return Text(line, style="dim")


@dataclass(frozen=True)
class Strip:
    """A span in which upstreams ran without a break, and what overlapped or was held in it."""

    span: Span
    overlaps: Sequence[Overlap]
    held: Sequence[HeldExecution]

    @property
    def failed(self) -> int:
        return sum(overlap.execution.status == "Failed" for overlap in self.overlaps)

    @property
    def waited(self) -> timedelta:
        return sum((self.span.end - hold.execution.started for hold in self.held), timedelta())


def draw_picture(report: Report, width: int, *, ascii_only: bool) -> list[Text]:
    """Draw the whole time, then the worst overlaps, in lines of at most `width` characters."""
    if not report.replay.executions:
        return []
    strips = find_strips(report)
    lines = [Text(), Text("When they were running", style="bold"), *draw_overview(report, width)]
    if strips:
        lines += [Text(), Text("The worst overlaps", style="bold"), Text(LEGEND, style="dim")]
    for strip in strips[:MAX_STRIPS]:
        lines += [Text(), *draw_strip(strip, report, width)]
    if len(strips) > MAX_STRIPS:
        lines += [Text(), Text(f"{len(strips) - MAX_STRIPS} more with --json", style="dim")]
    if ascii_only:
        for line in lines:
            line.plain = line.plain.translate(ASCII_MARKS)
    return lines


def draw_overview(report: Report, width: int) -> list[Text]:
    """Draw how long each pipeline ran in each column, what failed and what would be held."""
    pipelines = [*report.upstreams, report.pipeline]
    labels = shorten_names([pipeline.label for pipeline in pipelines], width)
    margin = max(6, *map(len, labels)) + 2
    axis = Axis(report.since, report.now, max(10, width - margin))
    work = [measure_work(pipeline.executions, axis) for pipeline in pipelines]
    held = [hold.execution for hold in report.replay.find_policy("idle").held]
    overlapping = report.replay.overlapping.executions
    failed = [execution for execution in overlapping if execution.status == "Failed"]
    labelled = list(zip(labels, work, strict=True))
    rows = [
        *((label, _draw_bars(durations), "") for label, durations in labelled),
        ("failed", _draw_counts(failed, axis), "red"),
        ("held", _draw_counts(held, axis), "magenta"),
    ]
    highest = join_values(
        f"{format_duration(max(durations))} of {label}"
        for label, durations in labelled
        if any(durations)
    )
    full_bar = f" A full bar: {highest}." if highest else ""
    return [
        *(Text.assemble(label.ljust(margin), (line, style)) for label, line, style in rows),
        Text(" " * margin).append_text(axis.draw_ticks()),
        Text(
            f"One column: {format_duration(axis.step)}.{full_bar} Numbers: executions that "
            "overlapped and failed, and that a gate would have held by default (+: ten or more).",
            style="dim",
        ),
    ]


def measure_work(executions: Iterable[Execution], axis: Axis) -> list[timedelta]:
    """Return how long at least one of the executions ran in each column's time."""
    durations = [timedelta()] * axis.columns
    for span in merge_spans(Span(run.started, run.updated) for run in executions):
        if span.end > axis.begin and span.begin < axis.end:
            for column in range(axis.find_column(span.begin), axis.find_column(span.end) + 1):
                begin = axis.begin + axis.step * column
                durations[column] += min(span.end, begin + axis.step) - max(span.begin, begin)
    return durations


def _draw_bars(durations: Sequence[timedelta]) -> str:
    longest = max(durations)
    return "".join(
        BARS[ceil(len(BARS) * (duration / longest)) - 1] if duration else " "
        for duration in durations
    )


def _draw_counts(executions: Iterable[Execution], axis: Axis) -> str:
    counts = Counter(axis.find_column(execution.started) for execution in executions)
    digits = {column: str(count) if count <= 9 else "+" for column, count in counts.items()}
    return "".join(digits.get(column, " ") for column in range(axis.columns))


def find_strips(report: Report) -> list[Strip]:
    """Return the strips: first by failures, then by the time held, then by overlaps."""
    spans = merge_spans(
        Span(execution.started, execution.updated)
        for executions in report.replay.upstreams.values()
        for execution in executions
    )
    begins = [span.begin for span in spans]
    overlaps_by_span: dict[Span, list[Overlap]] = defaultdict(list)
    for overlap in report.replay.overlaps:
        met = (spans[bisect_right(begins, upstream.started) - 1] for _, upstream in overlap.pairs)
        for span in dict.fromkeys(met):
            overlaps_by_span[span].append(overlap)
    holds = report.replay.find_policy("idle").held
    strips = [
        Strip(span, overlaps, [hold for hold in holds if _began_within(hold.execution, span)])
        for span, overlaps in overlaps_by_span.items()
    ]
    return sorted(
        strips,
        key=lambda strip: (strip.failed, strip.waited, len(strip.overlaps)),
        reverse=True,
    )


def draw_strip(strip: Strip, report: Report, width: int) -> list[Text]:
    """Draw all executions, and those of the pipeline with a gate (hold restart), `width` wide."""
    executions = [overlap.execution for overlap in strip.overlaps]
    policy = report.replay.find_policy("idle")
    held = {hold.execution.id: hold for hold in policy.held}
    continuing = {hold.execution.id for hold in policy.outcomes[0].continuing}
    later = [held[run.id].continuation for run in executions if run.id in continuing]
    labels = shorten_names(
        [pipeline.label for pipeline in [*report.upstreams, report.pipeline]], width
    )
    margin = max(map(len, [*labels, GATED])) + 2
    axis = Axis(
        min([strip.span.begin, *(run.started for run in executions)]),
        max([strip.span.end, *(run.updated for run in [*executions, *later])]),
        max(10, width - margin),
    )
    runs_by_pipeline = [
        [run for run in upstream.executions if _began_within(run, strip.span)]
        for upstream in report.upstreams
    ] + [executions]
    labelled = [(label, runs) for label, runs in zip(labels, runs_by_pipeline, strict=True) if runs]
    rows = [(label, [_draw_bar(run, axis) for run in runs]) for label, runs in labelled]
    gated_bars = [
        _draw_gated_bar(held[run.id], axis, continues=run.id in continuing)
        if run.id in held
        else _draw_bar(run, axis)
        for run in executions
    ]
    lines = [
        Text(_write_title(strip), style="bold"),
        Text(_list_ids(labelled)[:width], style="dim"),
    ]
    for label, bars in [*rows, (GATED, gated_bars)]:
        for index, lane in enumerate(_stack_bars(bars)):
            lines.append(Text((label if index == 0 else "").ljust(margin)).append_text(lane))
    return [*lines, Text(" " * margin).append_text(axis.draw_ticks())]


def _write_title(strip: Strip) -> str:
    begin, end = strip.span.begin, strip.span.end
    time_format = "%H:%M" if end - begin >= timedelta(minutes=1) else "%H:%M:%S"
    end_format = time_format if begin.date() == end.date() else f"%Y-%m-%d {time_format}"
    held = (
        f"{len(strip.held)} held, up to {format_duration(end - strip.held[0].execution.started)}"
        if strip.held
        else "none held"
    )
    return (
        f"{begin:%Y-%m-%d {time_format}} to {end:{end_format}} UTC: "
        f"{format_count(len(strip.overlaps), 'execution')}, {strip.failed} failed; {held}"
    )


def _list_ids(labelled: Sequence[tuple[str, Sequence[Execution]]]) -> str:
    """Return the executions' short ids, the first few of each pipeline."""
    return "; ".join(
        f"{label} {' '.join(run.short_id for run in runs[:MAX_NAMES])}"
        + (f" and {len(runs) - MAX_NAMES} more" if len(runs) > MAX_NAMES else "")
        for label, runs in labelled
    )


def _began_within(execution: Execution, span: Span) -> bool:
    return span.begin <= execution.started < span.end


Bar = tuple[int, Text]
"""The column of its start, and its text."""


def _draw_bar(execution: Execution, axis: Axis) -> Bar:
    first, last = axis.find_column(execution.started), axis.find_column(execution.updated)
    mark, style = MARKS.get(execution.status, OTHER_MARK)
    return first, Text("━" * (last - first)).append(mark, style)


def _draw_gated_bar(hold: HeldExecution, axis: Axis, *, continues: bool) -> Bar:
    first, last = axis.find_column(hold.execution.started), axis.find_column(hold.until)
    bar = Text("░" * (last - first), "magenta")
    if continues:
        length = axis.find_column(hold.continuation.updated) - last
        return first, bar.append("▶" + "━" * length)
    return first, bar.append("»" if hold.released else "●", "magenta")


def _stack_bars(bars: Iterable[Bar]) -> list[Text]:
    """Return the bars in as few lines as possible. Lines beyond MAX_LANES are only counted."""
    lanes: list[Text] = []
    for first, bar in bars:
        lane = next((lane for lane in lanes if len(lane) <= first), None)
        if lane is None:
            lanes.append(lane := Text())
        lane.append(" " * (first - len(lane))).append_text(bar)
    if omitted_count := len(lanes[MAX_LANES:]):
        lanes[MAX_LANES:] = [Text(f"and {format_count(omitted_count, 'line')} more", "dim")]
    return lanes


def shorten_names(names: Sequence[str], width: int) -> list[str]:
    """Cut the names to a quarter of the width, first by a prefix that all long names share."""
    length = max(MIN_LABEL_LENGTH, width // 4)
    long_names = [name for name in names if len(name) > length]
    prefix = commonprefix(long_names) if len(long_names) > 1 else ""  # noqa: RUF071 - characters
    begin = max(map(prefix.rfind, "-_.@")) + 1

    def shorten(name: str) -> str:
        text = ELLIPSIS + name[begin:] if begin else name
        kept = length - len(ELLIPSIS)
        half = kept // 2
        return text if len(text) <= length else text[:half] + ELLIPSIS + text[half - kept :]

    return [shorten(name) if len(name) > length else name for name in names]
