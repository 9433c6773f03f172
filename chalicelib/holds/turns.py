"""Turns: which of the holds that keep each other waiting goes first. Pure.

Pipelines in a cycle of waits count as idle for each other while rules hold them, so all of them
could go at the same moment. They would fail each other at their gates, again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.holds.hold import Hold
from chalicelib.pipelines.upstream import Upstream

TURN = timedelta(seconds=90)
"""How long a hold that could go keeps the others waiting while nothing happens: then its rule does
not fire.
"""


def list_earlier_holds(hold: Hold, upstreams: Sequence[Upstream], now: datetime) -> list[Hold]:
    """Return the holds in the cycles of `hold` that go before it, the longest wait first.

    `upstreams`: those of `hold`. `now`: aware UTC. For each TURN that has passed since anything
    changed, the first of them has missed its own.
    """
    rivals = [
        rival
        for upstream in upstreams
        if upstream.cycle
        for rival in (upstream.hold, *upstream.cycle.holds)
        if rival
    ]
    # A hold whose end is reported has had its turn: its stage was retried.
    earlier = {
        _get_place(rival): rival
        for rival in rivals
        if _get_place(rival) < _get_place(hold) and not rival.end_reported
    }
    changes = [rival.since for rival in rivals]
    for upstream in upstreams:
        changes += [execution.updated for execution in upstream.executions]
    missed = max(timedelta(0), now - max(changes, default=now)) // TURN
    return [earlier[place] for place in sorted(earlier)][missed:]


def _get_place(hold: Hold) -> tuple[datetime, str]:
    return hold.since, hold.pipeline
