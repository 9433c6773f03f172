"""What a gate would have done in the past: pure functions of executions.

Two things that AWS does not report are assumed: the gate checks the moment an execution starts, and
a held execution continues the moment the gate opens, and then takes as long as it really did. The
upstreams do not change. An execution that is still running counts as updated now.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

from chalicelib.holds.mode import MODES, HoldMode
from chalicelib.pipelines.dependency import REQUIRE, Require
from chalicelib.pipelines.execution import CANCELLED, PARALLEL, ROLLBACK, Execution

ALWAYS = datetime.min.replace(tzinfo=UTC)
ENDLESS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Span:
    """From `begin` until just before `end` (aware UTC). ENDLESS: it has not ended yet."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class ExecutionGroup:
    """Some of a pipeline's executions, and how they ended."""

    executions: tuple[Execution, ...]

    def __len__(self) -> int:
        return len(self.executions)

    @property
    def finished(self) -> int:
        """How many have a result: not superseded, not cancelled and not still running."""
        return sum(
            execution.finished and execution.status != CANCELLED for execution in self.executions
        )

    @property
    def failed(self) -> int:
        return sum(execution.status == "Failed" for execution in self.executions)


@dataclass(frozen=True)
class Overlap:
    """An execution that ran while upstreams were running, and their executions by label."""

    execution: Execution
    upstreams: Mapping[str, tuple[Execution, ...]]

    @property
    def pairs(self) -> list[tuple[str, Execution]]:
        """Each upstream execution with the label of its pipeline."""
        return [
            (label, execution)
            for label, executions in self.upstreams.items()
            for execution in executions
        ]


@dataclass(frozen=True)
class HeldExecution:
    """An execution held from its start until `until` (ENDLESS: it would still be held)."""

    execution: Execution
    until: datetime

    @property
    def released(self) -> bool:
        return self.until != ENDLESS

    @property
    def continuation(self) -> Execution:
        """The execution as it continues after its hold, for as long as it really took."""
        duration = self.execution.updated - self.execution.started
        return replace(self.execution, started=self.until, updated=self.until + duration)


@dataclass(frozen=True)
class HoldOutcome:
    """What happens to the held executions in one hold mode.

    `failed`: how many the gate fails first, to hold them. `replaced`: by a newer execution, which
    includes their changes. `overlapping`: how many run with an upstream despite the gate.
    """

    mode: HoldMode
    failed: int
    continuing: tuple[HeldExecution, ...]
    replaced: int
    waiting: int
    overlapping: int


@dataclass(frozen=True)
class Policy:
    """What a gate with this `require` would have done in every hold mode. `waits`: how long each
    execution in `held` was held, until now if it still would be.
    """

    require: Require
    held: tuple[HeldExecution, ...]
    waits: tuple[timedelta, ...]
    outcomes: tuple[HoldOutcome, ...]

    @property
    def still_held(self) -> int:
        return sum(not hold.released for hold in self.held)

    @property
    def median(self) -> timedelta:
        """The median wait; zero if nothing was held."""
        seconds = [wait.total_seconds() for wait in self.waits]
        return timedelta(seconds=median(seconds)) if seconds else timedelta()


@dataclass(frozen=True)
class Replay:
    """The executions of a pipeline and its upstreams, oldest first, and what follows from them."""

    executions: tuple[Execution, ...]
    upstreams: Mapping[str, tuple[Execution, ...]]
    overlaps: tuple[Overlap, ...]
    policies: tuple[Policy, ...]

    @property
    def overlapping(self) -> ExecutionGroup:
        return ExecutionGroup(tuple(overlap.execution for overlap in self.overlaps))

    @property
    def preventable(self) -> ExecutionGroup:
        """The overlapping executions that the gate would have held, whatever it requires."""
        held_ids = {hold.execution.id for hold in self.find_policy("idle").held}
        overlapping = self.overlapping.executions
        return ExecutionGroup(tuple(run for run in overlapping if run.id in held_ids))

    @property
    def apart(self) -> ExecutionGroup:
        """The executions that ran while no upstream did."""
        overlapping_ids = {overlap.execution.id for overlap in self.overlaps}
        runs = (run for run in self.executions if run.id not in overlapping_ids)
        return ExecutionGroup(tuple(runs))

    def find_policy(self, require: Require) -> Policy:
        return next(policy for policy in self.policies if policy.require == require)


def replay_executions(
    executions: Iterable[Execution],
    upstreams: Mapping[str, Iterable[Execution]],
    mode: str,
    now: datetime,
) -> Replay:
    """Replay `executions` of a pipeline in the execution mode `mode`, with a gate that waits for
    `upstreams` (their executions by label). `now`: aware UTC.

    If executions started at the same time, the older one must come first.
    """
    dependents = _sort_by_start(executions)
    sorted_upstreams = {label: _sort_by_start(past) for label, past in upstreams.items()}
    meetings = {
        label: find_overlapping(dependents, past) for label, past in sorted_upstreams.items()
    }
    overlaps = []
    for execution in dependents:
        by_label = {label: by_id[execution.id] for label, by_id in meetings.items()}
        if any(by_label.values()):
            overlaps.append(
                Overlap(execution, {label: met for label, met in by_label.items() if met})
            )
    policies = tuple(
        _replay_policy(require, dependents, overlaps, sorted_upstreams, mode, now)
        for require in REQUIRE
    )
    return Replay(dependents, sorted_upstreams, tuple(overlaps), policies)


def _replay_policy(
    require: Require,
    executions: Sequence[Execution],
    overlaps: Sequence[Overlap],
    upstreams: Mapping[str, Sequence[Execution]],
    mode: str,
    now: datetime,
) -> Policy:
    held = find_held(executions, find_closed_spans(upstreams.values(), require))
    held_ids = {hold.execution.id for hold in held}
    passed = sum(overlap.execution.id not in held_ids for overlap in overlaps)
    later_overlaps = find_overlapping(
        (hold.continuation for hold in held if hold.released),
        _sort_by_start(execution for past in upstreams.values() for execution in past),
    )

    def replay_mode(hold_mode: HoldMode) -> HoldOutcome:
        remaining = select_unreplaced(held, executions, hold_mode, mode)
        continuing = tuple(hold for hold in remaining if hold.released)
        return HoldOutcome(
            mode=hold_mode,
            failed=0 if hold_mode.stays_in_progress else len(held),
            continuing=continuing,
            replaced=len(held) - len(remaining),
            waiting=len(remaining) - len(continuing),
            overlapping=passed
            + sum(bool(later_overlaps[hold.execution.id]) for hold in continuing),
        )

    waits = tuple(min(hold.until, now) - hold.execution.started for hold in held)
    return Policy(require, held, waits, tuple(map(replay_mode, MODES.values())))


def find_closed_spans(
    upstreams: Iterable[Sequence[Execution]], require: Require
) -> tuple[Span, ...]:
    """Return the separate spans, in order, in which at least one upstream keeps the gate closed."""
    spans: list[Span] = []
    for executions in upstreams:
        spans += (
            Span(execution.started, ENDLESS if execution.running else execution.updated)
            for execution in executions
        )
        if require == "succeeded":
            spans += _find_unsuccessful_spans(executions)
    return merge_spans(spans)


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same time in as few spans as possible, in order."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.begin <= merged[-1].end:
            merged[-1] = Span(merged[-1].begin, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def _find_unsuccessful_spans(executions: Sequence[Execution]) -> Iterator[Span]:
    """Yield the spans in which the newest finished execution did not succeed, or none had finished
    (see Upstream.succeeded).

    They reach from start to start: while an execution is running, the gate is closed anyway.
    """
    begin: datetime | None = ALWAYS
    finished = _sort_by_start(execution for execution in executions if execution.finished)
    if finished and executions[-1].mode == PARALLEL:
        finished = tuple(sorted(finished, key=lambda execution: execution.updated))
    for execution in finished:
        if not execution.succeeded:
            begin = begin or execution.started
        elif begin:
            yield Span(begin, max(begin, execution.started))
            begin = None
    if begin:
        yield Span(begin, ENDLESS)


def find_overlapping(
    executions: Iterable[Execution], upstream_executions: Sequence[Execution]
) -> dict[str, tuple[Execution, ...]]:
    """Return the `upstream_executions` (oldest first) that ran with each execution, by its id."""
    starts = [upstream.started for upstream in upstream_executions]
    durations = (upstream.updated - upstream.started for upstream in upstream_executions)
    longest = max(durations, default=timedelta())
    overlapping = {}
    for execution in executions:
        first = bisect_left(starts, execution.started - longest)
        near = upstream_executions[first : bisect_right(starts, execution.updated)]
        overlapping[execution.id] = tuple(run for run in near if _run_together(execution, run))
    return overlapping


def find_held(executions: Sequence[Execution], spans: Sequence[Span]) -> tuple[HeldExecution, ...]:
    """Return the executions that start in one of the `spans` in which the gate is closed. A
    rollback runs only one stage, and not the gate's (guide: stage-rollback).
    """
    begins = [span.begin for span in spans]
    held = []
    for execution in executions:
        index = bisect_right(begins, execution.started) - 1
        if execution.kind != ROLLBACK and index >= 0 and execution.started < spans[index].end:
            held.append(HeldExecution(execution, spans[index].end))
    return tuple(held)


def select_unreplaced(
    held: Sequence[HeldExecution], executions: Sequence[Execution], hold_mode: HoldMode, mode: str
) -> tuple[HeldExecution, ...]:
    """Return the held executions that no newer one replaces (docs/parameters.md, "hold")."""
    if mode == PARALLEL or (mode == "QUEUED" and hold_mode.keeps_queue_order):
        return tuple(held)
    if hold_mode.stays_in_progress:
        # The first one occupies the gate's stage; of those that queue up before the stage, the
        # newest remains.
        first = {hold.until: hold for hold in reversed(held)}
        last = {hold.until: hold for hold in held}
        return tuple(hold for hold in held if hold in (first[hold.until], last[hold.until]))
    successor_starts = {
        execution.id: successor.started for execution, successor in pairwise(executions)
    }
    return tuple(
        hold for hold in held if successor_starts.get(hold.execution.id, ENDLESS) >= hold.until
    )


def _run_together(execution: Execution, upstream: Execution) -> bool:
    return (
        upstream.started <= execution.started < upstream.updated
        or execution.started <= upstream.started < execution.updated
    )


def _sort_by_start(executions: Iterable[Execution]) -> tuple[Execution, ...]:
    return tuple(sorted(executions, key=lambda execution: execution.started))
