"""The sentences and tables of `gatectl history`: pure functions of what was read."""

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
"""Pipelines rarely work that long: it waited for a person, or was retried."""
MIN_EXECUTIONS_FOR_A_SHARE = 10
"""A percentage of fewer executions says little."""
NO_RESULT = "No result: superseded, cancelled or still running. The percentages ignore these."
REPLACED = "Replaced: a newer execution came in the meantime, and includes the change. "
OVERLAP = "Overlap: these still overlap, because an upstream started while they were running."
MODEL = (
    "How this is calculated: the gate comes right after the sources, and checks when an execution "
    "starts. A held execution continues the moment the gate opens, and then takes as long as it "
    "really did. AWS does not report when an execution ended, only when it last changed, so one "
    "that waited for an approval or was retried later counts as running until then. With hold "
    "wait, add the time until CodePipeline invokes the gate again."
)


def write_notes(report: Report) -> list[Text]:
    """Return what comes after the picture: the cautions, and how the figures were calculated."""
    return [*map(_write_caution, report.cautions), Text(MODEL, style="dim")]


def _write_caution(text: str) -> Text:
    return Text.assemble(("Caution: ", "yellow bold"), text)


def write_figures(report: Report, width: int) -> Iterator[RenderableType]:
    """Yield what comes before the picture, for a page of this width."""
    replay, label = report.replay, report.pipeline.label
    upstreams = join_names([upstream.label for upstream in report.upstreams])
    days = f"{report.since:%Y-%m-%d} to {report.now:%Y-%m-%d}"
    duration = _format_days(report.now - report.since)
    yield Text(f"If {label} had waited for {upstreams}: {days} ({duration})", style="bold")
    yield from map(_write_caution, report.leading_cautions)
    if not replay.executions:
        return
    upstream = report.upstreams[0].label if len(report.upstreams) == 1 else "an upstream"
    yield Text(_summarize_runs(replay, label, upstream))
    yield Text(f"{_summarize_holds(replay.find_policy('idle'))}\n")
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
    runs = f"{label} ran {_format_times(len(replay.executions))}"
    if not overlapping:
        return f"{runs}, but not while {upstream} was running."
    if not apart:
        each = "each time " if len(overlapping) > 1 else ""
        failed = overlapping.failed
        result = f"failed {_format_times(failed)}" if failed else "did not fail"
        return f"{runs}, {each}while {upstream} was running. It {result}."
    runs += f", {_format_times(len(overlapping))} while {upstream} was running."
    if not (overlapping.finished and apart.finished):
        return runs
    share, other_share = (format_share(each.failed, each.finished) for each in (overlapping, apart))
    return f"{runs} The failure rate was {share} then, {other_share} otherwise."


def _format_times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _summarize_holds(policy: Policy) -> str:
    if not policy.held:
        return "By default, a gate would not have held any execution."
    median, longest, total = _format_waits(policy)
    if len(policy.held) == 1:
        return f"By default, a gate would have held one execution, for {total}."
    return (
        f"By default, a gate would have held {len(policy.held)} executions: median {median}, "
        f"longest {longest}, total {total}."
    )


def _tabulate_overlaps(replay: Replay, label: str, upstream: str) -> Table:
    overlapping, preventable = replay.overlapping, replay.preventable
    table = _make_table("", label, "executions", "no result", "failed", "by a gate")
    _add_group(table, f"while {upstream} ran", overlapping)
    if overlapping:
        preventable_ids = {execution.id for execution in preventable.executions}
        unheld = ExecutionGroup(
            tuple(run for run in overlapping.executions if run.id not in preventable_ids)
        )
        _add_group(table, "  started then", preventable, "held")
        _add_group(table, "  started before, or rolled back", unheld, "not held")
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
        "A gate would have held", "require", "executions", "of all", "median", "longest", "total"
    )
    for policy in replay.policies:
        still_held = f", {policy.still_held} still held" if policy.still_held else ""
        table.add_row(
            policy.require,
            f"{len(policy.held)}{still_held}",
            format_share(len(policy.held), len(replay.executions)),
            *(_format_waits(policy) if policy.held else "---"),
        )
    return table


def _format_waits(policy: Policy) -> tuple[str, str, str]:
    """Return the median, the longest and the total of all waits."""
    return (
        format_duration(policy.median),
        format_duration(max(policy.waits)),
        format_duration(sum(policy.waits, start=timedelta())),
    )


def _tabulate_outcomes(report: Report) -> Table:
    title = f"What would have happened to them, in {report.pipeline.mode} mode"
    table = _make_table(
        title, "require", "hold", "fail first", "continue", "replaced", "still held", "overlap"
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
    """Yield what limits the figures, which should begin at `window_begin`."""
    label, since = pipeline.label, max(window_begin, pipeline.created)
    if pipeline.created > window_begin:
        age = format_duration(now - pipeline.created)
        yield f"{label} has only existed since {_format_moment(pipeline.created)} ({age})."
    if not pipeline.executions and not pipeline.held:
        yield f"{label} has not run in this time, so a gate would not have held anything."
    for upstream in upstreams:
        yield from _list_upstream_cautions(upstream, pipeline, since)
    overlapping = replay.overlapping
    if overlapping.failed and overlapping.finished < MIN_EXECUTIONS_FOR_A_SHARE:
        count = format_count(overlapping.finished, "execution")
        yield f"Only {count} overlapped and had a result. With so few, this may be chance."
    for policy in replay.policies:
        if too_long := sum(wait > LONGEST_WAIT_IN_PROGRESS for wait in policy.waits):
            yield (
                f"A gate that requires {policy.require} would have held "
                f"{format_count(too_long, 'execution')} for longer than 23 hours. With hold wait, "
                "a rule takes over at that point, and they fail anyway, as with restart."
            )


def _format_moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def list_own_gate_cautions(pipeline: PipelinePast) -> Iterator[str]:
    """Yield what the figures leave out, without which they mislead."""
    held = (
        f"It held {format_count(pipeline.held, 'execution')}, which did no work and "
        f"{'is' if pipeline.held == 1 else 'are'} not counted here."
    )
    if pipeline.gates:
        labels = dict.fromkeys(
            dependency.label
            for gate in pipeline.gates
            if gate.parameters
            for dependency in gate.parameters.depends_on
        )
        yield (
            f"{pipeline.label} already has a gate"
            f"{f', for {join_names(list(labels))}' if labels else ''}. "
            f"{held if pipeline.held else 'It did not fail any execution to hold it.'} Executions "
            "that it held in progress, or whose stage it retried, count as running all that time."
        )
    elif pipeline.held:
        yield f"{pipeline.label} had a gate in this time. {held}"


def list_dependency_cautions(dependencies: Sequence[Dependency]) -> Iterator[str]:
    """Yield which settings of single dependencies cannot be calculated exactly."""
    demanding = [
        dependency.label for dependency in dependencies if dependency.require == "succeeded"
    ]
    if 0 < len(demanding) < len(dependencies):
        yield (
            f"You require success only of {join_names(demanding)}. The figures apply idle and "
            "succeeded to all upstreams: your gate would have held no less than with idle, and no "
            "more than with succeeded."
        )
    if passed := [dependency.label for dependency in dependencies if dependency.parked == "pass"]:
        yield (
            f'With "parked": "pass", the gate ignores {join_names(passed)} during waits for a '
            "person. AWS does not report when those were, so the whole execution counts as "
            "running: the gate would have held less."
        )


def _list_upstream_cautions(
    upstream: PipelinePast, pipeline: PipelinePast, since: datetime
) -> Iterator[str]:
    label = upstream.label
    recent = upstream.list_since(since)
    if not upstream.executions:
        yield (
            f"AWS lists no execution of {label}: a gate that requires idle never waits for it, and "
            "one that requires succeeded holds everything until its first success."
        )
    elif upstream.created > since:
        yield f"{label} has only existed since {_format_moment(upstream.created)}."
    elif not recent:
        last = upstream.executions[-1]
        yield (
            f"{label} has not run in this time: its last execution {last.status} on "
            f"{last.updated:%Y-%m-%d}."
        )
    if upstream.gates:
        yield (
            f"{label} also has a gate. While {label} is held, the gate of {pipeline.label} waits "
            "for it; that is not counted here."
        )
    if long_runs := [run for run in recent if run.updated - run.started > LONG_RUN]:
        longest = max(long_runs, key=lambda run: run.updated - run.started)
        yield (
            f"{format_count(len(long_runs), 'execution')} of {label} took longer than a day "
            f"({longest.short_id} took {format_duration(longest.updated - longest.started)}). It "
            'either waited for a person, when "parked": "pass" would open the gate, or was retried '
            "later and was idle in between. Here it counts as running all that time."
        )
    if upstream.region != pipeline.region:
        yield (
            f"{label} is in another region. Unless its events are forwarded (docs/elsewhere.md), "
            "held executions continue up to `retry_minutes` later than shown here."
        )
