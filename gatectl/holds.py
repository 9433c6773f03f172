"""`gatectl holds`: the pipelines that are waiting, for which upstreams, and since when. What has
ended is in ended.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import sleep

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chalicelib.account.pipeline import AccountView
from chalicelib.account.reader import AccountReader
from chalicelib.account.waits import HoldRule, Wait
from chalicelib.errors import NoAnswer
from chalicelib.holds.fate import Standing
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time, join_names
from gatectl.arguments import parse_duration
from gatectl.doctor.stuck import find_stuck_rules
from gatectl.ended import show_ended_waits
from gatectl.session import Place, Refused, add_options
from gatectl.unseen import list_lines, print_unseen
from gatectl.wording import format_count, format_duration, shorten_ids

WATCH_SECONDS = 15
"""Between two checks of --watch."""


@dataclass(frozen=True)
class WaitRow:
    """A wait, as it is shown. `over`: why it has ended although its rule still exists, or "".
    `mark`: its hold if a person released or canceled it. `edited`: whether its pipeline was edited
    after it began. `stuck`: why its rule will never end the hold, or "".
    """

    wait: Wait
    over: str = ""
    mark: Hold | None = None
    edited: bool = False
    stuck: str = ""

    @property
    def can_be_released(self) -> bool:
        """Whether `gatectl release` can release it (of edited pipelines: guide, actions-retry)."""
        return not (self.over or self.mark or self.stuck) and (
            self.wait.mode.stays_in_progress or not self.edited
        )


@click.command()
@click.option("--links", is_flag=True, help="Also print links to the AWS console.")
@click.option(
    "--watch", is_flag=True, help=f"Check again every {WATCH_SECONDS} seconds, until Ctrl-C."
)
@click.option(
    "--ended",
    metavar="TIME",
    help="Instead, list the waits that ended in this time, and how, from the logs of the "
    "functions: 90m, 24h, 7d.",
)
@add_options
def holds(place: Place, *, links: bool, watch: bool, ended: str | None) -> None:
    """List the pipelines that are waiting, what for, since when, and what happens next.

    Times are UTC. If the terminal supports it, each pipeline's name links to the AWS console.

    \b
    Examples: gatectl holds
              gatectl holds --watch
              gatectl holds --ended 24h
    """
    if ended is not None:
        if watch or links:
            raise Refused(
                "--ended does not work with --watch or --links: with --json, each end has a link."
            )
        show_ended_waits(place, parse_duration("--ended", ended), datetime.now(UTC))
        return
    account = AccountReader(place.client)
    if watch:
        if place.json or links or not place.console.is_terminal:
            raise Refused(
                "--watch needs a terminal and does not work with --json or --links. Run the "
                "command repeatedly instead."
            )
        _watch(place, account)
        return
    now = datetime.now(UTC)
    with place.show_progress("reading pipelines") as progress:
        view = account.read_view(now, progress)
    print_unseen(place, view.unseen)
    rows = examine_rows(place, view, now)
    place.show(_build_page(place, view, rows, now), _build_json(place, view, rows, now))
    if links and not place.json:
        for row in rows:
            address = place.links.execution(row.wait.pipeline, row.wait.execution)
            place.console.print(
                f"{row.wait.pipeline} {row.wait.execution[:8]}  {address}",
                markup=False,
                soft_wrap=True,
            )


def _watch(place: Place, account: AccountReader) -> None:
    reading = Text("Reading pipelines ...", style="dim")
    last_check: tuple[AccountView, list[WaitRow], datetime] | None = None
    with Live(reading, console=place.console, auto_refresh=False) as live:
        try:
            while True:
                now = datetime.now(UTC)
                try:
                    view = account.read_view(now)
                    last_check = view, examine_rows(place, view, now), now
                    status = f"Checked at {now:%H:%M:%S} UTC."
                except NoAnswer as error:  # the result of the last check stays
                    status = f"AWS did not answer at {now:%H:%M:%S} UTC: {error}. This is older."
                status = f"\n{status} Checks again every {WATCH_SECONDS} seconds, until Ctrl-C."
                footer = Text(status, style="dim")
                live.update(
                    _fit_page(place, *last_check, footer) if last_check else Group(reading, footer),
                    refresh=True,
                )
                sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            return


def _fit_page(
    place: Place, view: AccountView, rows: Sequence[WaitRow], now: datetime, footer: Text
) -> RenderableType:
    """Return as many rows as fit on the terminal, and everything that is below them."""
    below = [*(Text(f"\n{line}", style="magenta") for line in list_lines(view.unseen)), footer]
    height = place.console.height
    for max_rows in range(min(len(rows), height), 0, -1):
        screen = Group(_build_page(place, view, rows, now, max_rows), *below)
        if len(place.console.render_lines(screen, pad=False)) <= height:
            return screen
    return Group(_build_page(place, view, rows, now, 1), *below)


def list_rows(view: AccountView) -> list[WaitRow]:
    """Return every wait, the longest first, then the rules left over from waits that have ended.

    A wait in the mode wait has a rule too if it was released: that is one row.
    """
    without_rule = {(wait.pipeline, wait.execution) for wait in view.waits if wait.rule is None}
    rows = []
    for wait in view.waits:
        execution = (wait.pipeline, wait.execution)
        if wait.rule and execution in without_rule:
            continue
        pipeline = view.pipelines.get(wait.pipeline)
        if wait.may_stand:
            over = ""
        elif wait.fate.standing is Standing.MOVED_ON:
            over = "its stage was retried, and it is running"
        else:
            over = wait.fate.reason
        edited = pipeline is not None and pipeline.edited_since(wait.execution)
        rows.append(WaitRow(wait, over, view.find_mark(wait), edited))
    return sorted(rows, key=lambda row: (bool(row.over), str(row.wait.since)))


def examine_rows(place: Place, view: AccountView, now: datetime) -> list[WaitRow]:
    """Return the rows, with why a rule will never end its hold."""
    fates = {wait.rule: wait.fate for wait in view.waits if wait.rule}
    findings = find_stuck_rules(place, view.rules, now, fates) if view.waits else {}
    faults = {name: f"{finding.where}: {finding.problem}" for name, finding in findings.items()}
    return [replace(row, stuck=faults.get(row.wait.rule or "", "")) for row in list_rows(view)]


def list_strange_rules(rules: Sequence[HoldRule]) -> list[HoldRule]:
    """Return the rules that hold no pipeline or cannot end a hold."""
    return [rule for rule in rules if rule.hold is None or not rule.enabled]


# For people


def _build_page(
    place: Place,
    view: AccountView,
    rows: Sequence[WaitRow],
    now: datetime,
    max_rows: int | None = None,
) -> RenderableType:
    """`max_rows`: show at most that many rows, and say how many are left out."""
    omitted_count = len(rows[max_rows:]) if max_rows else 0
    rows = rows[:max_rows]
    waiting, over = [row for row in rows if not row.over], [row for row in rows if row.over]
    parts: list[RenderableType] = [
        _build_table(place, waiting, now) if waiting else Text(_describe_idle_region(place, view))
    ]
    if stuck_rows := [row for row in waiting if row.stuck]:
        names = join_names(list(dict.fromkeys(row.wait.pipeline for row in stuck_rows)))
        text = f"Nothing will start {names} again: {stuck_rows[0].stuck}"
        parts.append(Text(f"\n{text} For details, run: gatectl doctor.", style="red"))
    if waiting:
        name = next((row.wait.pipeline for row in waiting if row.can_be_released), None)
        release = f" To continue now anyway, run: gatectl release {name}." if name else ""
        pipeline = waiting[0].wait.pipeline
        parts.append(Text(f"\nTo see why, run: gatectl explain {pipeline}.{release}"))
    if over:
        parts += _describe_left_over(over)
    if omitted_count:
        text = (
            f"{omitted_count} more do not fit on this terminal. To see all, run gatectl holds "
            "without --watch."
        )
        parts.append(Text(text, style="yellow"))
    if strange := list_strange_rules(view.rules):
        text = (
            f"{format_count(len(strange), 'rule')} of Pipeline Gate "
            f"{'holds' if len(strange) == 1 else 'hold'} no pipeline or cannot end a hold: "
            f"{join_names([rule.name for rule in strange])}. For details, run: gatectl doctor."
        )
        parts.append(Text(f"\n{text}", style="yellow"))
    return Group(*parts)


def _describe_left_over(over: Sequence[WaitRow]) -> Iterator[Text]:
    if any(row.stuck for row in over):
        removal = "not all are removed automatically; for details, run: gatectl doctor"
    elif all(row.mark and row.mark.canceled_by for row in over):
        removal = "removed automatically at the next check"
    else:
        removal = "removed automatically at the first check after the end of the upstreams"
    yield Text(f"\n{format_count(len(over), 'rule')} left over from holds that ended ({removal}):")
    for row in over:
        yield Text(
            f"  {row.wait.pipeline} (execution {row.wait.execution[:8]}, for "
            f"{join_names(row.wait.depends_on)}): {shorten_ids(row.over)}."
        )


def _describe_idle_region(place: Place, view: AccountView) -> str:
    gated = sum(1 for pipeline in view.pipelines.values() if pipeline.gates)
    is_unused = not gated and not view.rules
    return (
        f"No pipeline is waiting in {place.region}. {gated or 'No'} "
        f"pipeline{'s have' if gated > 1 else ' has'} a gate."
        f"{' Is this the right region and account?' if is_unused else ''}"
    )


def _build_table(place: Place, waiting: Sequence[WaitRow], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pipeline", overflow="fold")
    table.add_column("waiting for", overflow="fold")
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("next check", no_wrap=True)
    limited = any(row.wait.gives_up for row in waiting)
    if limited:
        table.add_column("gives up", no_wrap=True)
    table.add_column("mode", no_wrap=True)
    counts = Counter(row.wait.pipeline for row in waiting)
    for row in waiting:
        wait = row.wait
        name = Text(wait.pipeline, style=f"link {place.links.pipeline(wait.pipeline)}")
        if counts[wait.pipeline] > 1:
            name.append(f" {wait.execution[:8]}", style="dim")
        duration = f" ({format_duration(now - wait.since)})" if wait.since else ""
        table.add_row(
            name,
            join_names(wait.depends_on),
            f"{_format_cell(wait.since, now)}{duration}",
            "never" if row.stuck else _format_cell(wait.next_check, now),
            *([_format_cell(wait.gives_up, now)] if limited else []),
            _name_mark(row.mark) if row.mark else wait.mode.name,
        )
    return table


def _name_mark(mark: Hold) -> str:
    return "canceled" if mark.canceled_by else "released"


def _format_cell(moment: datetime | None, now: datetime) -> str:
    return format_time(moment, now).removesuffix(" UTC") if moment else "-"


# For programs


def _build_json(
    place: Place, view: AccountView, rows: Sequence[WaitRow], now: datetime
) -> dict[str, object]:
    return {
        "region": place.region,
        "holds": [
            {
                "pipeline": wait.pipeline,
                "execution": wait.execution,
                "waits": not row.over,
                "over": row.over or None,
                "depends_on": wait.depends_on,
                "hold": wait.mode.name,
                "since": wait.since,
                "seconds": int((now - wait.since).total_seconds()) if wait.since else None,
                "next_check": wait.next_check,
                "give_up": wait.give_up,
                "released_by": row.mark and row.mark.released_by,
                "canceled_by": row.mark and row.mark.canceled_by,
                "comment": row.mark and row.mark.comment,
                "stuck": row.stuck or None,
                "rule": wait.rule,
                "reason": wait.reason,
                "pipeline_link": place.links.pipeline(wait.pipeline),
                "execution_link": place.links.execution(wait.pipeline, wait.execution),
            }
            for row, wait in ((row, row.wait) for row in rows)
        ],
        "strange_rules": [rule.name for rule in list_strange_rules(view.rules)],
    }
