"""`gatectl holds`: who waits for whom, since when."""

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
from chalicelib.phrases import format_time, join_names
from gatectl.doctor.stuck import find_stuck_rules
from gatectl.session import Place, Refused, add_options
from gatectl.unseen import list_lines, print_unseen
from gatectl.wording import format_count, format_duration, shorten_ids

WATCH_SECONDS = 15
"""Between two looks of --watch."""


@dataclass(frozen=True)
class WaitRow:
    """A wait as it is shown. `over`: why it is over, although its rule is still there, or "".
    `edited`: whether its pipeline was edited since it began. `stuck`: what keeps its rule from ever
    ending the hold, or "".
    """

    wait: Wait
    over: str = ""
    released_by: str | None = None
    edited: bool = False
    stuck: str = ""

    @property
    def can_be_let_go(self) -> bool:
        """By `gatectl release`, unless it was edited (guide: actions-retry)."""
        return not (self.over or self.released_by or self.stuck) and (
            self.wait.mode.stays_in_progress or not self.edited
        )


@click.command()
@click.option("--links", is_flag=True, help="Print the addresses of the console's pages, too.")
@click.option(
    "--watch", is_flag=True, help=f"Look again every {WATCH_SECONDS} seconds, until Ctrl-C."
)
@add_options
def holds(place: Place, *, links: bool, watch: bool) -> None:
    """Who waits for whom now, since when, and what happens next.

    Where the terminal can, each pipeline's name is a link into the AWS console. Times are UTC.

    \b
    Examples: gatectl holds
              gatectl holds --watch
    """
    account = AccountReader(place.client)
    if watch:
        if place.json or links or not place.console.is_terminal:
            raise Refused(
                "--watch is for people at a terminal, without --json and --links: ask again and "
                "again instead."
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
    look: tuple[AccountView, list[WaitRow], datetime] | None = None
    with Live(reading, console=place.console, auto_refresh=False) as live:
        try:
            while True:
                now = datetime.now(UTC)
                try:
                    view = account.read_view(now)
                    look = view, examine_rows(place, view, now), now
                    status = (
                        f"Looked at {now:%H:%M:%S} UTC; looks again every {WATCH_SECONDS} "
                        "seconds, until Ctrl-C."
                    )
                except NoAnswer as error:  # on a long evening that happens: the last look stays
                    status = (
                        f"At {now:%H:%M:%S} UTC AWS did not answer: {error}. This is the "
                        "look before; it looks again."
                    )
                footer = Text(f"\n{status}", style="dim")
                live.update(
                    _fit_page(place, *look, footer) if look else Group(reading, footer),
                    refresh=True,
                )
                sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            return


def _fit_page(
    place: Place, view: AccountView, rows: Sequence[WaitRow], now: datetime, footer: Text
) -> RenderableType:
    """Return as many rows as fit on the terminal, with everything that stands below them."""
    below = [*(Text(f"\n{line}", style="magenta") for line in list_lines(view.unseen)), footer]
    height = place.console.height
    for max_rows in range(min(len(rows), height), 0, -1):
        screen = Group(_build_page(place, view, rows, now, max_rows), *below)
        if len(place.console.render_lines(screen, pad=False)) <= height:
            return screen
    return Group(_build_page(place, view, rows, now, 1), *below)


def list_rows(view: AccountView) -> list[WaitRow]:
    """Return every wait, the longest first; then what is left of waits that are over.

    A wait in place that was let go has a rule, too: it is one row.
    """
    holds_by_execution = {
        (rule.hold.pipeline, rule.hold.execution): rule.hold for rule in view.rules if rule.hold
    }
    in_place = {(wait.pipeline, wait.execution) for wait in view.waits if wait.rule is None}
    rows = []
    for wait in view.waits:
        execution = (wait.pipeline, wait.execution)
        if wait.rule and execution in in_place:
            continue
        hold, pipeline = holds_by_execution.get(execution), view.pipelines.get(wait.pipeline)
        if wait.may_stand:
            over = ""
        elif wait.fate.standing is Standing.MOVED_ON:
            over = "its stage was retried, and it runs"
        else:
            over = wait.fate.reason
        edited = pipeline is not None and pipeline.edited_since(wait.execution)
        rows.append(WaitRow(wait, over, hold.released_by if hold else None, edited))
    return sorted(rows, key=lambda row: (bool(row.over), str(row.wait.since)))


def examine_rows(place: Place, view: AccountView, now: datetime) -> list[WaitRow]:
    """Return the rows with what keeps a rule from ending its hold."""
    fates = {wait.rule: wait.fate for wait in view.waits if wait.rule}
    findings = find_stuck_rules(place, view.rules, now, fates) if view.waits else {}
    faults = {name: f"{finding.where}: {finding.problem}" for name, finding in findings.items()}
    return [replace(row, stuck=faults.get(row.wait.rule or "", "")) for row in list_rows(view)]


def list_strange_rules(rules: Sequence[HoldRule]) -> list[HoldRule]:
    """Return the rules that hold no pipeline, or cannot end a hold."""
    return [rule for rule in rules if rule.hold is None or not rule.enabled]


# For people


def _build_page(
    place: Place,
    view: AccountView,
    rows: Sequence[WaitRow],
    now: datetime,
    max_rows: int | None = None,
) -> RenderableType:
    """With `max_rows`: that many rows, and how many are left out."""
    omitted_count = len(rows[max_rows:]) if max_rows else 0
    rows = rows[:max_rows]
    waiting, over = [row for row in rows if not row.over], [row for row in rows if row.over]
    parts: list[RenderableType] = [
        _build_table(place, waiting, now) if waiting else Text(_describe_idle_region(place, view))
    ]
    if stuck_rows := [row for row in waiting if row.stuck]:
        names = join_names(list(dict.fromkeys(row.wait.pipeline for row in stuck_rows)))
        text = f"Nothing will start {names} again: {stuck_rows[0].stuck}"
        parts.append(Text(f"\n{text} What to do: gatectl doctor.", style="red"))
    if waiting:
        let_go = next((row.wait.pipeline for row in waiting if row.can_be_let_go), None)
        release = f" To go on now all the same: gatectl release {let_go}." if let_go else ""
        parts.append(Text(f"\nWhy: gatectl explain {waiting[0].wait.pipeline}.{release}"))
    if over:
        parts += _describe_left_over(over)
    if omitted_count:
        text = (
            f"and {omitted_count} more: a higher terminal shows them, and so does gatectl holds "
            "without --watch."
        )
        parts.append(Text(text, style="yellow"))
    if strange := list_strange_rules(view.rules):
        text = (
            f"{format_count(len(strange), 'rule')} of the gate's "
            f"{'holds' if len(strange) == 1 else 'hold'} nobody, or cannot let go: "
            f"{join_names([rule.name for rule in strange])}. What to do: gatectl doctor."
        )
        parts.append(Text(f"\n{text}", style="yellow"))
    return Group(*parts)


def _describe_left_over(over: Sequence[WaitRow]) -> Iterator[Text]:
    removal = (
        "not all are removed automatically: gatectl doctor says more"
        if any(row.stuck for row in over)
        else "removed automatically when the retry looks after the end of the upstreams"
    )
    yield Text(f"\n{format_count(len(over), 'rule')} left over, {removal}:")
    for row in over:
        yield Text(
            f"  {row.wait.pipeline} (execution {row.wait.execution[:8]}, for "
            f"{join_names(row.wait.depends_on)}): {shorten_ids(row.over)}."
        )


def _describe_idle_region(place: Place, view: AccountView) -> str:
    gated = sum(1 for pipeline in view.pipelines.values() if pipeline.gates)
    is_unused = not gated and not view.rules
    return (
        f"Nobody waits in {place.region}. {gated or 'No'} "
        f"pipeline{'s have' if gated > 1 else ' has'} a gate."
        f"{' Is this the right region and account?' if is_unused else ''}"
    )


def _build_table(place: Place, waiting: Sequence[WaitRow], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pipeline", overflow="fold")
    table.add_column("waits for", overflow="fold")
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("next look", no_wrap=True)
    limited = any(row.wait.gives_up for row in waiting)
    if limited:
        table.add_column("gives up", no_wrap=True)
    table.add_column("hold", no_wrap=True)
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
            "let go" if row.released_by else wait.mode.name,
        )
    return table


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
                "released_by": row.released_by,
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
