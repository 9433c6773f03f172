"""The sentences and tables of `gatectl history`: pure functions of what was read and reckoned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from chalicelib.holds.making import LONGEST_WAIT_IN_PROGRESS
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.history.picture import shorten_names
from gatectl.history.replay import ExecutionGroup, Policy, Replay
from gatectl.history.report import PipelinePast, Report
from gatectl.wording import format_count, format_duration, format_share

LONG_RUN = timedelta(days=1)
"""Hardly any pipeline works that long: it waited for a person, or was retried."""
MIN_EXECUTIONS_FOR_A_SHARE = 10
"""A share of fewer executions says little."""
NO_RESULT = "No result: superseded, cancelled or still at work. The shares leave these aside."
REPLACED = "Replaced: a newer execution came meanwhile, and brings the change along. "
OVERLAP = "Overlap: all the same, for an upstream began while they ran."
MODEL = (
    "How this is reckoned. The gate stands right after the sources, and asks as an execution "
    "starts; what it holds goes on the moment the gate opens, and then takes as long as it did. "
    "AWS does not tell an execution's end, but when it last changed: one that waited for an "
    "approval, or was retried later, counts as at work until then. With hold wait, add what "
    "CodePipeline takes to ask again."
)


def write_notes(report: Report) -> list[Text]:
    """What stands below the picture: the cautions, and how the figures were reckoned."""
    return [*map(_write_caution, report.cautions), Text(MODEL, style="dim")]


def _write_caution(text: str) -> Text:
    return Text.assemble(("Caution: ", "yellow bold"), text)


def write_figures(report: Report, width: int) -> Iterator[RenderableType]:
    """What stands above the picture, for a page of this width."""
    replay, label = report.replay, report.pipeline.label
    upstreams = join_names([upstream.label for upstream in report.upstreams])
    days = f"{report.since:%Y-%m-%d} to {report.now:%Y-%m-%d}"
    duration = _format_days(report.now - report.since)
    yield Text(f"{label} behind {upstreams}, {days} ({duration})", style="bold")
    yield from map(_write_caution, report.leading_cautions)
    if not replay.executions:
        return
    upstream = report.upstreams[0].label if len(report.upstreams) == 1 else "an upstream"
    runs = _summarize_runs(replay, label, upstream)
    yield Text(f"{runs} {_summarize_holds(replay.find_policy('idle'))}\n")
    yield _tabulate_overlaps(replay, *shorten_names([label, upstream], width))
    if any(len(group) > group.finished for group in (replay.overlapping, replay.apart)):
        yield Text(NO_RESULT, style="dim")
    yield Text()
    yield _tabulate_holds(replay)
    if any(policy.held for policy in replay.policies):
        yield Text()
        yield _tabulate_outcomes(report)
        replaced = any(
            outcome.replaced for policy in replay.policies for outcome in policy.outcomes
        )
        yield Text((REPLACED if replaced else "") + OVERLAP, style="dim")


def _summarize_runs(replay: Replay, label: str, upstream: str) -> str:
    overlapping, apart = replay.overlapping, replay.apart
    count = format_count(len(replay.executions), "execution")
    shares = ""
    if overlapping.finished and apart.finished:
        share, other_share = (
            format_share(group.failed, group.finished) for group in (overlapping, apart)
        )
        shares = f": {share} of these failed, and {other_share} of the others"
    return f"{label}: {count}, {len(overlapping) or 'none'} while {upstream} ran{shares}."


def _summarize_holds(policy: Policy) -> str:
    if not policy.held:
        return "A gate that requires idle would have held none."
    median, longest, total = _format_waits(policy)
    if len(policy.held) == 1:
        return f"A gate that requires idle would have held one of them, for {total}."
    return (
        f"A gate that requires idle would have held {len(policy.held)} of them, {median} "
        f"in the median, {longest} at most, {total} in all."
    )


def _tabulate_overlaps(replay: Replay, label: str, upstream: str) -> Table:
    overlapping, preventable = replay.overlapping, replay.preventable
    table = _make_table("", label, "executions", "no result", "failed", "the gate")
    _add_group(table, f"while {upstream} ran", overlapping)
    if overlapping:
        preventable_ids = {execution.id for execution in preventable.executions}
        unheld = ExecutionGroup(
            tuple(run for run in overlapping.executions if run.id not in preventable_ids)
        )
        _add_group(table, "  began meanwhile", preventable, "holds these")
        _add_group(table, "  began before, or rolled back", unheld, "lets these be")
    _add_group(table, "at other times", replay.apart)
    return table


def _add_group(table: Table, title: str, group: ExecutionGroup, note: str = "") -> None:
    without_result = len(group) - group.finished
    failed = (
        f"{group.failed} ({format_share(group.failed, group.finished)})" if group.finished else "-"
    )
    table.add_row(title, str(len(group)), str(without_result or "-"), failed, note)


def _tabulate_holds(replay: Replay) -> Table:
    table = _make_table(
        "The gate would have held", "require", "executions", "of all", "median", "longest", "in all"
    )
    for policy in replay.policies:
        still_held = f", {policy.still_held} still" if policy.still_held else ""
        table.add_row(
            policy.require,
            f"{len(policy.held)}{still_held}",
            format_share(len(policy.held), len(replay.executions)),
            *(_format_waits(policy) if policy.held else "---"),
        )
    return table


def _format_waits(policy: Policy) -> tuple[str, str, str]:
    """The median, the longest and the sum of all waits."""
    return (
        format_duration(policy.median),
        format_duration(max(policy.waits)),
        format_duration(sum(policy.waits, start=timedelta())),
    )


def _tabulate_outcomes(report: Report) -> Table:
    title = f"What becomes of those, in {report.pipeline.mode} mode"
    table = _make_table(
        title, "require", "hold", "fail first", "go on", "replaced", "held still", "overlap"
    )
    for policy in report.replay.policies:
        for index, outcome in enumerate(policy.outcomes if policy.held else ()):
            table.add_row(
                policy.require if index == 0 else "",
                outcome.mode.name,
                str(outcome.failed),
                str(len(outcome.continuing)),
                str(outcome.replaced),
                str(outcome.waiting),
                str(outcome.overlapping),
            )
    return table


def _make_table(title: str, *columns: str) -> Table:
    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    return table


def _format_days(duration: timedelta) -> str:
    return f"{duration.days} days" if duration.days > 1 else format_duration(duration)


def list_cautions(
    pipeline: PipelinePast,
    upstreams: Sequence[PipelinePast],
    window_begin: datetime,
    now: datetime,
    replay: Replay,
) -> Iterator[str]:
    """What to bear in mind with the figures, which were to begin at `window_begin`."""
    label, since = pipeline.label, max(window_begin, pipeline.created)
    if pipeline.created > window_begin:
        age = format_duration(now - pipeline.created)
        yield f"{label} is there since {_format_moment(pipeline.created)} only: that is {age}."
    if not pipeline.executions and not pipeline.held:
        yield f"{label} has not run in this time, so there is nothing that a gate would have held."
    for upstream in upstreams:
        yield from _list_upstream_cautions(upstream, pipeline, since)
    overlapping = replay.overlapping
    if overlapping.failed and overlapping.finished < MIN_EXECUTIONS_FOR_A_SHARE:
        count = format_count(overlapping.finished, "execution")
        yield f"Only {count} overlapped and came to a result: with so few, the share may be chance."
    for policy in replay.policies:
        if too_long := sum(wait > LONGEST_WAIT_IN_PROGRESS for wait in policy.waits):
            yield (
                f"A gate that requires {policy.require} would have held "
                f"{format_count(too_long, 'execution')} longer than 23 hours. With hold wait, "
                "that is when a rule takes over, and they fail all the same, as with restart."
            )


def _format_moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def list_own_gate_cautions(pipeline: PipelinePast) -> Iterator[str]:
    """What the figures leave out, without which they mislead."""
    held = (
        f"{format_count(pipeline.held, 'execution')} that it held did no work, and "
        f"{'is' if pipeline.held == 1 else 'are'} left out here."
    )
    if pipeline.gates:
        labels = dict.fromkeys(
            dependency.label
            for gate in pipeline.gates
            if gate.parameters
            for dependency in gate.parameters.depends_on
        )
        yield (
            f"{pipeline.label} has a gate already"
            f"{f', for {join_names(list(labels))}' if labels else ''}. "
            f"{held if pipeline.held else 'It failed none to hold it.'} "
            "One that it kept in place, or whose stage it retried, counts as at work all the while."
        )
    elif pipeline.held:
        yield f"{pipeline.label} had a gate in this time. {held}"


def list_dependency_cautions(dependencies: Sequence[Dependency]) -> Iterator[str]:
    """What single dependencies ask for that cannot be reckoned for them alone."""
    demanding = [
        dependency.label for dependency in dependencies if dependency.require == "succeeded"
    ]
    if 0 < len(demanding) < len(dependencies):
        yield (
            f"Success is required of {join_names(demanding)} only. Here, idle and succeeded are "
            "each required of all: a gate as you ask for it holds no less than with idle, and no "
            "more than with succeeded."
        )
    if passed := [dependency.label for dependency in dependencies if dependency.parked == "pass"]:
        yield (
            f'{join_names(passed)} may pass while only a person is waited for ("parked": "pass"). '
            "AWS does not tell when that was, so the whole execution counts as at work: the gate "
            "would have held less."
        )


def _list_upstream_cautions(
    upstream: PipelinePast, pipeline: PipelinePast, since: datetime
) -> Iterator[str]:
    label = upstream.label
    recent = upstream.list_since(since)
    if not upstream.executions:
        yield (
            f"{label} has never run, as far as AWS tells: a gate that requires idle holds nothing "
            "for it, and one that requires succeeded holds everything until its first success."
        )
    elif upstream.created > since:
        yield f"{label} is there since {_format_moment(upstream.created)} only."
    elif not recent:
        last = upstream.executions[-1]
        yield (
            f"{label} has not run in this time: its last execution {last.status} on "
            f"{last.updated:%Y-%m-%d}."
        )
    if upstream.gates:
        yield (
            f"{label} has a gate itself. While it is held, the gate of {pipeline.label} "
            "waits for it too; that is not counted here."
        )
    if long_runs := [run for run in recent if run.updated - run.started > LONG_RUN]:
        longest = max(long_runs, key=lambda run: run.updated - run.started)
        yield (
            f"{format_count(len(long_runs), 'execution')} of {label} took longer than a day "
            f"({longest.short_id} took {format_duration(longest.updated - longest.started)}): it "
            'waited for a person, in which "parked": "pass" opens the gate, or was retried later, '
            "and was idle in between. Here it counts as at work all the while."
        )
    if upstream.region != pipeline.region:
        yield (
            f"{label} runs in another region: unless its events are forwarded (docs/elsewhere.md), "
            "what waits for it goes on up to `retry_minutes` later than is said here."
        )
