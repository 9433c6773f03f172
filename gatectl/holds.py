"""`gatectl holds`: who waits for whom, since when."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import sleep

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chalicelib.account.pipeline import AccountView
from chalicelib.account.reader import AccountReader
from chalicelib.account.waits import HoldRule, Wait
from chalicelib.errors import NoAnswer
from chalicelib.holds.fate import Standing
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import ID
from gatectl.doctor.stuck import find_stuck_rules
from gatectl.session import Place, Refused, options
from gatectl.unseen import lines, note
from gatectl.wording import lasting, number

SECONDS = 15
"""Between two looks of --watch."""


@dataclass(frozen=True)
class Row:
    """`over`: why nobody waits any more, although the rule is there; "" where somebody does.
    `released_by`: who has let it go. `edited`: its pipeline was, since it began. `stuck`: what
    keeps its rule from ever ending it, as far as that was looked at; "" where nothing does.
    """

    wait: Wait
    over: str = ""
    released_by: str | None = None
    edited: bool = False
    stuck: str = ""

    @property
    def can_be_let_go(self) -> bool:
        """By `gatectl release`: AWS retries no stage of a pipeline that was edited since (guide:
        actions-retry).
        """
        return not (self.over or self.released_by or self.stuck) and (
            self.wait.mode.stays_in_progress or not self.edited
        )


@click.command()
@click.option("--links", is_flag=True, help="Print the addresses of the console's pages, too.")
@click.option("--watch", is_flag=True, help=f"Look again every {SECONDS} seconds, until Ctrl-C.")
@options
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
    with place.progress("reading pipelines") as progress:
        seen = account.read_view(now, progress)
    note(place, seen.unseen)
    found = looked_at(place, seen, now)
    place.show(_page(place, seen, found, now), _as_json(place, seen, found, now))
    if links and not place.json:
        for row in found:
            address = place.links.execution(row.wait.pipeline, row.wait.execution)
            place.console.print(
                f"{row.wait.pipeline} {row.wait.execution[:8]}  {address}",
                markup=False,
                soft_wrap=True,
            )


def _watch(place: Place, account: AccountReader) -> None:
    reading = Text("Reading pipelines ...", style="dim")
    look: tuple[AccountView, list[Row], datetime] | None = None
    with Live(reading, console=place.console, auto_refresh=False) as live:
        try:
            while True:
                now = datetime.now(UTC)
                try:
                    seen = account.read_view(now)
                    look = seen, looked_at(place, seen, now), now
                    last = (
                        f"Looked at {now:%H:%M:%S} UTC; looks again every {SECONDS} "
                        "seconds, until Ctrl-C."
                    )
                except NoAnswer as error:  # on a long evening that happens: the last look stays
                    last = (
                        f"At {now:%H:%M:%S} UTC AWS did not answer: {error}. This is the "
                        "look before; it looks again."
                    )
                footer = Text(f"\n{last}", style="dim")
                live.update(
                    _screen(place, *look, footer) if look else Group(reading, footer), refresh=True
                )
                sleep(SECONDS)
        except KeyboardInterrupt:
            return


def _screen(
    place: Place, seen: AccountView, found: Sequence[Row], now: datetime, footer: Text
) -> RenderableType:
    """As many rows as the terminal is high for, with all that stands below them."""
    below = [*(Text(f"\n{line}", style="magenta") for line in lines(seen.unseen)), footer]
    height = place.console.height
    for most in range(min(len(found), height), 0, -1):
        screen = Group(_page(place, seen, found, now, most), *below)
        if len(place.console.render_lines(screen, pad=False)) <= height:
            return screen
    return Group(_page(place, seen, found, now, 1), *below)


def rows(seen: AccountView) -> list[Row]:
    """Everybody who waits, the longest first; then what is left of waits that are over.

    One that waits in place and was let go has a rule, too: it is told once.
    """
    by = {rule.name: rule.hold.released_by for rule in seen.rules if rule.hold}
    in_place = {(wait.pipeline, wait.execution) for wait in seen.waits if wait.rule is None}
    let_go = {
        (wait.pipeline, wait.execution): by.get(wait.rule) for wait in seen.waits if wait.rule
    }
    found = []
    for wait in seen.waits:
        if wait.rule and (wait.pipeline, wait.execution) in in_place:
            continue
        moved_on = wait.fate.standing is Standing.MOVED_ON
        over = "its stage was retried, and it runs" if moved_on else wait.fate.reason
        if wait.may_stand:
            over = ""
        pipeline = seen.pipelines.get(wait.pipeline)
        edited = pipeline is not None and pipeline.edited_since(wait.execution)
        found.append(Row(wait, over, let_go.get((wait.pipeline, wait.execution)), edited))
    return sorted(found, key=lambda row: (bool(row.over), str(row.wait.since)))


def looked_at(place: Place, seen: AccountView, now: datetime) -> list[Row]:
    """The rows, with what keeps a rule from ending its hold."""
    fates = {wait.rule: wait.fate for wait in seen.waits if wait.rule}
    faults = find_stuck_rules(place, seen.rules, now, fates) if seen.waits else {}
    told = {name: f"{one.where}: {one.problem}" for name, one in faults.items()}
    return [replace(row, stuck=told.get(row.wait.rule or "", "")) for row in rows(seen)]


def strange(rules: Sequence[HoldRule]) -> list[HoldRule]:
    """The rules that hold nobody, or cannot end a hold."""
    return [rule for rule in rules if rule.hold is None or not rule.enabled]


# For people


def _page(
    place: Place, seen: AccountView, found: Sequence[Row], now: datetime, most: int | None = None
) -> RenderableType:
    """`most`: so many rows, and how many more there are."""
    left = len(found[most:]) if most else 0
    found = found[:most]
    waiting, over = [row for row in found if not row.over], [row for row in found if row.over]
    parts: list[RenderableType] = [
        _table(place, waiting, now) if waiting else Text(_nobody(place, seen))
    ]
    if dead := [row for row in waiting if row.stuck]:
        names = join_names(list(dict.fromkeys(row.wait.pipeline for row in dead)))
        parts.append(
            Text(
                f"\nNothing will start {names} again: {dead[0].stuck} What to do: gatectl doctor.",
                style="red",
            )
        )
    if waiting:
        let_go = next((row.wait.pipeline for row in waiting if row.can_be_let_go), None)
        all_the_same = f" To go on now all the same: gatectl release {let_go}." if let_go else ""
        parts.append(Text(f"\nWhy: gatectl explain {waiting[0].wait.pipeline}.{all_the_same}"))
    if over:
        parts += [
            Text(f"\n{_left_over(over)}:"),
            *(Padding(Text(_told(row)), (0, 0, 0, 2)) for row in over),
        ]
    if left:
        parts.append(
            Text(
                f"and {left} more: a higher terminal shows them, and so does gatectl holds "
                "without --watch.",
                style="yellow",
            )
        )
    if odd := strange(seen.rules):
        does = (
            "holds nobody, or cannot let go" if len(odd) == 1 else "hold nobody, or cannot let go"
        )
        told = (
            f"{number(len(odd), 'rule')} of the gate's {does}: "
            f"{join_names([rule.name for rule in odd])}. What to do: gatectl doctor."
        )
        parts += [Text(f"\n{told}", style="yellow")]
    return Group(*parts)


def _left_over(over: Sequence[Row]) -> str:
    one = len(over) == 1
    if any(row.stuck for row in over):
        return (
            f"{'One rule is' if one else f'{len(over)} rules are'} left over, and not all "
            "go by themselves: gatectl doctor says more"
        )
    goes = "it goes by itself at its" if one else "they go by themselves at their"
    return (
        f"{'One rule is' if one else f'{len(over)} rules are'} left over; {goes} first "
        "look after the end of the upstreams"
    )


def _nobody(place: Place, seen: AccountView) -> str:
    gated = sum(1 for pipeline in seen.pipelines.values() if pipeline.gates)
    if not gated and not seen.rules:
        return (
            f"Nobody waits, and no pipeline in {place.region} has a gate: is this the "
            "region, and the account?"
        )
    return (
        f"Nobody waits in {place.region}. {gated or 'No'} "
        f"pipeline{'s have' if gated > 1 else ' has'} a gate."
    )


def _table(place: Place, waiting: Sequence[Row], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pipeline", overflow="fold")
    table.add_column("waits for", overflow="fold")
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("next look", no_wrap=True)
    limited = any(row.wait.gives_up for row in waiting)
    if limited:
        table.add_column("gives up", no_wrap=True)
    table.add_column("hold", no_wrap=True)
    twice = Counter(row.wait.pipeline for row in waiting)
    for row in waiting:
        wait = row.wait
        name = Text(wait.pipeline, style=f"link {place.links.pipeline(wait.pipeline)}")
        if twice[wait.pipeline] > 1:
            name.append(f" {wait.execution[:8]}", style="dim")
        since = f"{_time(wait.since, now)} ({lasting(now - wait.since)})" if wait.since else "?"
        cells: list[RenderableType] = [
            name,
            join_names(wait.depends_on),
            since,
            _next_look(row, now),
        ]
        if limited:
            cells.append(_time(wait.gives_up, now) if wait.gives_up else "-")
        table.add_row(*cells, "let go" if row.released_by else wait.mode.name)
    return table


def _next_look(row: Row, now: datetime) -> str:
    if row.stuck:
        return "never"
    return _time(row.wait.next_check, now) if row.wait.next_check else "-"


def _time(moment: datetime | None, now: datetime) -> str:
    return format_time(moment, now).removesuffix(" UTC") if moment else "?"


def _told(row: Row) -> str:
    reason = re.sub(ID, lambda id_: id_[0][:8], row.over)
    return (
        f"{row.wait.pipeline} (execution {row.wait.execution[:8]}, for "
        f"{join_names(row.wait.depends_on)}): {reason}."
    )


# For programs


def _as_json(
    place: Place, seen: AccountView, found: Sequence[Row], now: datetime
) -> dict[str, object]:
    return {
        "region": place.region,
        "holds": [_row_as_json(place, row, now) for row in found],
        "strange_rules": [rule.name for rule in strange(seen.rules)],
    }


def _row_as_json(place: Place, row: Row, now: datetime) -> dict[str, object]:
    wait = row.wait
    return {
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
