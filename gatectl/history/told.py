"""What `gatectl history` found, in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rich.console import Group as Page
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from chalicelib.holds.mode import HoldMode
from chalicelib.phrases import join_names
from gatectl.history.findings import Findings, Group, Policy
from gatectl.history.labels import labels
from gatectl.history.report import Report
from gatectl.wording import lasting, share

NO_RESULT = "No result: superseded, cancelled or still at work. The shares leave these aside."
REPLACED = "Replaced: a newer execution came meanwhile, and brings the change along. "
OVERLAP = "Overlap: all the same, for an upstream began while they ran."
MODEL = (
    "How this is reckoned. The gate stands right after the sources, and asks as an execution "
    "starts; what it holds goes on the moment the "
    "gate opens, and then takes as long as it did. AWS does not tell an execution's end, but when "
    "it last changed: one that waited for an "
    "approval, or was retried later, counts as at work until then. With hold wait, add what "
    "CodePipeline takes to ask again."
)


def told(report: Report, width: int) -> Page:
    """The figures, for a page so wide; the picture comes after them."""
    return Page(*_figures(report, width))


def notes(report: Report) -> Page:
    """What to bear in mind, last."""
    return Page(*map(_caution, report.cautions), Text(MODEL, style="dim"))


def _caution(text: str) -> Text:
    return Text.assemble(("Caution: ", "yellow bold"), text)


def _figures(report: Report, width: int) -> Iterator[RenderableType]:
    found, name = report.findings, report.pipeline.label
    days = f"{report.since:%Y-%m-%d} to {report.now:%Y-%m-%d} ({_days(report.now - report.since)})"
    yield Text(
        f"{name} behind {join_names([one.label for one in report.upstreams])}, {days}", style="bold"
    )
    yield from map(_caution, report.first)
    if not found.executions:
        return
    upstream = report.upstreams[0].label if len(report.upstreams) == 1 else "an upstream"
    yield Text(
        f"{_in_a_sentence(found, name, upstream)} {_held_in_a_sentence(found.policy('idle'))}\n"
    )
    yield _overlaps(found, *labels([name, upstream], width))
    if any(len(group) > group.finished for group in (found.overlapping, found.apart)):
        yield Text(NO_RESULT, style="dim")
    yield Text()
    yield _holds(found)
    if any(policy.held for policy in found.policies):
        yield Text()
        yield _ways(report)
        replaced = any(way.replaced for policy in found.policies for way in policy.ways)
        yield Text((REPLACED if replaced else "") + OVERLAP, style="dim")


def _in_a_sentence(found: Findings, name: str, upstream: str) -> str:
    met, apart = found.overlapping, found.apart
    times = len(found.executions)
    ran = f"{name} ran {f'{times} times' if times > 1 else 'once'}"
    if not met:
        return f"{ran}, never while {upstream} ran."
    if not apart:
        return f"{ran}, each time while {upstream} ran: {met.failed} failed."
    if not met.finished or not apart.finished:
        return f"{ran}, {len(met)} of them while {upstream} ran."
    failed = share(met.failed, met.finished), share(apart.failed, apart.finished)
    return (
        f"{ran}, {len(met)} of them while {upstream} ran: of these {failed[0]} failed, of "
        f"the others {failed[1]}."
    )


def _held_in_a_sentence(policy: Policy) -> str:
    if not policy.held:
        return "A gate that requires idle would have held none."
    median, longest, total = _durations(policy)
    if len(policy.held) == 1:
        return f"A gate that requires idle would have held one of them, for {total}."
    return (
        f"A gate that requires idle would have held {len(policy.held)} of them, {median} "
        f"in the median, {longest} at most, {total} in all."
    )


def _overlaps(found: Findings, name: str, upstream: str) -> Table:
    met, held = found.overlapping, found.preventable
    table = _table("", name, "executions", "no result", "failed", "the gate")
    _row(table, f"while {upstream} ran", met)
    if met:
        kept = {one.id for one in held.executions}
        others = Group(tuple(one for one in met.executions if one.id not in kept))
        rollbacks = (
            ", or rolled back" if any(one.kind == "ROLLBACK" for one in others.executions) else ""
        )
        _row(table, "  began meanwhile", held, "holds these")
        _row(table, f"  had begun before{rollbacks}", others, "lets these be")
    _row(table, "at other times", found.apart)
    return table


def _row(table: Table, what: str, group: Group, note: str = "") -> None:
    none = len(group) - group.finished
    failed = f"{group.failed} ({share(group.failed, group.finished)})" if group.finished else "-"
    table.add_row(what, str(len(group)), str(none) if none else "-", failed, note)


def _holds(found: Findings) -> Table:
    table = _table(
        "The gate would have held", "require", "executions", "of all", "median", "longest", "in all"
    )
    for policy in found.policies:
        held = f"{len(policy.held)}" + (f", {policy.still_held} still" if policy.still_held else "")
        table.add_row(
            policy.require,
            held,
            share(len(policy.held), len(found.executions)),
            *(_durations(policy) if policy.held else "---"),
        )
    return table


def _durations(policy: Policy) -> tuple[str, str, str]:
    """The median, the longest and all waits together."""
    return (
        lasting(policy.median),
        lasting(max(policy.waits)),
        lasting(sum(policy.waits, start=timedelta())),
    )


def _ways(report: Report) -> Table:
    title = f"What becomes of those, in {report.pipeline.mode} mode"
    table = _table(
        title, "require", "hold", "fail first", "go on", "replaced", "held still", "overlap"
    )
    for policy in report.findings.policies:
        for way in policy.ways if policy.held else ():
            fail = 0 if way.mode.stays_in_progress else len(policy.held)
            require = policy.require if way is policy.ways[0] else ""
            table.add_row(
                require,
                way.mode.name,
                str(fail),
                f"{len(way.go_on)} {_how(way.mode)}",
                str(way.replaced),
                str(way.waiting),
                str(way.overlapping),
            )
    return table


def _how(mode: HoldMode) -> str:
    if mode.stays_in_progress:
        return "in place"
    return "started anew" if mode.starts_over else "retried"


def _table(title: str, *columns: str) -> Table:
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


def _days(duration: timedelta) -> str:
    return f"{duration.days} days" if duration.days > 1 else lasting(duration)
