"""What a pipeline did while others ran, and what this gate would have done about it: pure functions
of their executions.

A model, where AWS does not tell: the gate asks the moment an execution starts; what is held goes on
the moment the gate opens, and then takes as long as it did. Upstreams run as they ran.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from chalicelib.holds.mode import MODES, HoldMode
from chalicelib.pipelines.dependency import REQUIRE, Require
from chalicelib.pipelines.execution import PARALLEL, ROLLBACK, Execution
from gatectl.history.spans import ENDLESS, Span, closed


@dataclass(frozen=True)
class Group:
    """Some of a pipeline's executions, and how they ended."""

    executions: tuple[Execution, ...]

    def __len__(self) -> int:
        return len(self.executions)

    @property
    def finished(self) -> int:
        """How many came to a result: neither superseded nor cancelled, nor still at work."""
        return sum(one.finished for one in self.executions)

    @property
    def failed(self) -> int:
        return sum(one.status == "Failed" for one in self.executions)


@dataclass(frozen=True)
class Overlap:
    """An execution of the pipeline that ran while upstreams did: `upstreams` has their executions
    by label.
    """

    execution: Execution
    upstreams: Mapping[str, tuple[Execution, ...]]

    @property
    def pairs(self) -> list[tuple[str, Execution]]:
        return [(label, one) for label, those in self.upstreams.items() for one in those]


@dataclass(frozen=True)
class Held:
    """An execution that the gate would have held from its start until then (ENDLESS: it still
    would).
    """

    execution: Execution
    until: datetime


@dataclass(frozen=True)
class Way:
    """How the held ones go on with one kind of `hold`: `go_on` by themselves, or were `replaced` by
    a newer one, which brings their changes along, or are `waiting` still.

    `overlapping`: so many executions of the pipeline run at the same time as an upstream all the
    same.
    """

    mode: HoldMode
    go_on: tuple[Held, ...]
    replaced: int
    waiting: int
    overlapping: int


@dataclass(frozen=True)
class Policy:
    """What a gate that requires that would have done; with every `hold` it holds the same
    executions.
    """

    require: Require
    held: tuple[Held, ...]
    waits: tuple[timedelta, ...]
    """How long each was held, in their order; one that still would be, until now."""
    ways: tuple[Way, ...]

    @property
    def still_held(self) -> int:
        return sum(one.until == ENDLESS for one in self.held)

    @property
    def median(self) -> timedelta:
        return (
            timedelta(seconds=median(wait.total_seconds() for wait in self.waits))
            if self.waits
            else timedelta()
        )


@dataclass(frozen=True)
class Findings:
    """Of the executions of a pipeline, and `upstreams` by label; all oldest first."""

    executions: tuple[Execution, ...]
    upstreams: Mapping[str, tuple[Execution, ...]]
    overlaps: tuple[Overlap, ...]
    policies: tuple[Policy, ...]

    @property
    def overlapping(self) -> Group:
        return Group(tuple(one.execution for one in self.overlaps))

    @property
    def preventable(self) -> Group:
        """Those of the overlapping ones that the gate would have held, whatever it requires."""
        held = {one.execution.id for one in self.policy("idle").held}
        return Group(tuple(one.execution for one in self.overlaps if one.execution.id in held))

    @property
    def apart(self) -> Group:
        """Those that ran while no upstream did."""
        overlapping = {one.execution.id for one in self.overlaps}
        return Group(tuple(one for one in self.executions if one.id not in overlapping))

    def policy(self, require: Require) -> Policy:
        return next(policy for policy in self.policies if policy.require == require)


def find(
    executions: Iterable[Execution],
    upstreams: Mapping[str, Iterable[Execution]],
    mode: str,
    now: datetime,
) -> Findings:
    """What the past tells: of `executions` of a pipeline in that execution mode, and of its
    upstreams' by label. `now`: aware UTC.

    Of executions that began together, the older one comes first.
    """
    own = tuple(sorted(executions, key=lambda one: one.started))
    others = {
        label: tuple(sorted(those, key=lambda one: one.started))
        for label, those in upstreams.items()
    }
    met = {label: overlapping(own, those) for label, those in others.items()}
    each = (
        Overlap(one, {label: found[one.id] for label, found in met.items() if found[one.id]})
        for one in own
    )
    overlaps = tuple(overlap for overlap in each if overlap.upstreams)
    met_some = {overlap.execution.id for overlap in overlaps}
    policies = (_policy(require, own, met_some, others, mode, now) for require in REQUIRE)
    return Findings(own, others, overlaps, tuple(policies))


def overlapping(
    executions: Iterable[Execution], others: Sequence[Execution]
) -> dict[str, tuple[Execution, ...]]:
    """By id of each execution, those of `others` (oldest first) that ran at the same time."""
    starts = [one.started for one in others]
    longest = max((one.updated - one.started for one in others), default=timedelta())
    found: dict[str, tuple[Execution, ...]] = {}
    for one in executions:
        near = others[
            bisect_left(starts, one.started - longest) : bisect_right(starts, one.updated)
        ]
        found[one.id] = tuple(other for other in near if _meet(one, other))
    return found


def held(executions: Sequence[Execution], spans: Sequence[Span]) -> tuple[Held, ...]:
    """Those that begin while the gate is closed. A rollback runs one stage only, and not the gate's
    (guide: stage-rollback).
    """
    begins = [span.begin for span in spans]
    found = ((one, bisect_right(begins, one.started)) for one in executions if one.kind != ROLLBACK)
    return tuple(
        Held(one, spans[after - 1].end)
        for one, after in found
        if after and one.started < spans[after - 1].end
    )


def remain(
    waiting: Sequence[Held], executions: Sequence[Execution], hold: HoldMode, mode: str
) -> tuple[Held, ...]:
    """Those of `waiting` that no newer one replaces (both oldest first; docs/parameters.md,
    "hold").
    """
    if mode == PARALLEL or (mode == "QUEUED" and hold.keeps_queue_order):
        return tuple(waiting)
    if hold.stays_in_progress:  # the first keeps the gate's stage; of those that come before the stage meanwhile, the newest remains
        first, last = (
            {one.until: one for one in reversed(waiting)},
            {one.until: one for one in waiting},
        )
        return tuple(one for one in waiting if one in (first[one.until], last[one.until]))
    following = {one.id: newer.started for one, newer in pairwise(executions)}
    return tuple(one for one in waiting if following.get(one.execution.id, ENDLESS) >= one.until)


def _policy(
    require: Require,
    executions: Sequence[Execution],
    met_some: set[str],
    upstreams: Mapping[str, Sequence[Execution]],
    mode: str,
    now: datetime,
) -> Policy:
    waiting = held(executions, closed(upstreams.values(), require))
    others = sorted(
        (one for those in upstreams.values() for one in those), key=lambda one: one.started
    )
    passed = len(met_some - {one.execution.id for one in waiting})
    later = overlapping((moved(one) for one in waiting if one.until != ENDLESS), others)

    def way(hold: HoldMode) -> Way:
        remaining = remain(waiting, executions, hold, mode)
        going = tuple(one for one in remaining if one.until != ENDLESS)
        meeting = passed + sum(bool(later[one.execution.id]) for one in going)
        return Way(hold, going, len(waiting) - len(remaining), len(remaining) - len(going), meeting)

    waits = tuple(min(one.until, now) - one.execution.started for one in waiting)
    return Policy(require, waiting, waits, tuple(map(way, MODES.values())))


def moved(one: Held) -> Execution:
    """The execution as it goes on after its hold, for as long as it took."""
    return replace(
        one.execution,
        started=one.until,
        updated=one.until + (one.execution.updated - one.execution.started),
    )


def _meet(one: Execution, other: Execution) -> bool:
    return (
        other.started <= one.started < other.updated or one.started <= other.started < one.updated
    )
