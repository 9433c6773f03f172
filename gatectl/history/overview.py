"""The whole time in a few lines: how long each pipeline was at work in a column's time, and what
was held and failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import ceil

from rich.text import Text

from chalicelib.phrases import join_values
from chalicelib.pipelines.execution import Execution
from gatectl.history.axis import Axis
from gatectl.history.labels import labels
from gatectl.history.report import Report
from gatectl.history.spans import Span, merged
from gatectl.wording import lasting

BARS = "▁▂▃▄▅▆▇█"


def overview(report: Report, width: int) -> list[Text]:
    """Lines no wider than that."""
    pipelines = [*report.upstreams, report.pipeline]
    names = labels([one.label for one in pipelines], width)
    margin = max(6, *map(len, names)) + 2
    axis = Axis(report.since, report.now, max(10, width - margin))
    work = [at_work(one.executions, axis) for one in pipelines]
    held = [one.execution for one in report.findings.policy("idle").held]
    failed = [one for one in report.findings.overlapping.executions if one.status == "Failed"]
    rows = [
        *((label, _bars(each), "") for label, each in zip(names, work, strict=True)),
        ("failed", _counts(failed, axis), "red"),
        ("held", _counts(held, axis), "magenta"),
    ]
    highest = join_values(
        f"{lasting(max(each))} of {label}"
        for label, each in zip(names, work, strict=True)
        if any(each)
    )
    legend = (
        f"A column is {lasting(axis.step)}. A full bar is {highest} at work."
        if highest
        else f"A column is {lasting(axis.step)}."
    )
    counted = (
        " Numbers: executions that overlapped and failed, and that a gate which "
        "requires idle would have held (+: ten or more)."
    )
    return [
        *(Text.assemble(label.ljust(margin), (line, style)) for label, line, style in rows),
        Text(" " * margin).append_text(axis.ticks()),
        Text(legend + counted, style="dim"),
    ]


def at_work(executions: Iterable[Execution], axis: Axis) -> list[timedelta]:
    """How long, in each column's time, at least one of them ran."""
    found = [timedelta()] * axis.columns
    for span in merged(Span(one.started, one.updated) for one in executions):
        if span.end > axis.begin and span.begin < axis.end:
            for column in range(axis.column(span.begin), axis.column(span.end) + 1):
                begin = axis.begin + axis.step * column
                found[column] += min(span.end, begin + axis.step) - max(span.begin, begin)
    return found


def _bars(work: Sequence[timedelta]) -> str:
    highest = max(work)
    return "".join(BARS[ceil(len(BARS) * (each / highest)) - 1] if each else " " for each in work)


def _counts(executions: Iterable[Execution], axis: Axis) -> str:
    counted = Counter(axis.column(one.started) for one in executions)
    return "".join(
        ("+" if counted[column] > 9 else str(counted[column])) if counted[column] else " "
        for column in range(axis.columns)
    )
