"""Who waits for a pipeline, by the rules of their holds: what the owner of an upstream wants to
know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.upstream import Upstream
from gatectl.explain.told import Told, Way


@dataclass(frozen=True)
class Waiter:
    """A pipeline of this region and account that is held for another, since then (aware UTC)."""

    name: str
    since: datetime


def waiters(
    pipeline: Pipeline,
    region: str,
    rules: Sequence[HoldRule],
    stands: Callable[[HoldRule, Hold], bool],
) -> tuple[Waiter, ...]:
    """Return the pipelines that `rules` hold and that this pipeline keeps, the longest first.
    `stands`: whether a rule's hold still stands.
    """
    found: dict[str, Waiter] = {}
    holds = [(rule, rule.hold) for rule in rules if rule.hold]
    for rule, hold in sorted(holds, key=lambda held: held[1].since):
        if hold.pipeline not in found and _waits_for(hold, pipeline, region) and stands(rule, hold):
            found[hold.pipeline] = Waiter(hold.pipeline, hold.since)
    return tuple(found.values())


def _waits_for(hold: Hold, pipeline: Pipeline, region: str) -> bool:
    wanted = [one for one in hold.depends_on if one.name == pipeline.name and is_local(one, region)]
    return any(not Upstream(one, pipeline.executions, pipeline.state).satisfied for one in wanted)


def told(name: str, waiting: Sequence[Waiter], now: datetime) -> Told:
    """That they wait, for one that waits for nobody itself."""
    what = join_names([f"{one.name} (since {format_time(one.since, now)})" for one in waiting])
    wait = "waits" if len(waiting) == 1 else "wait"
    ways = tuple(
        Way(f"see why {one.name} waits", (("gatectl", "explain", one.name),)) for one in waiting[:3]
    )
    return Told(
        "waited for",
        None,
        f"{name} has no gate: it waits for no other pipeline. {what} {wait} for it.",
        can=ways,
    )
