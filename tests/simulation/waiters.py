"""Who waits for whom at a moment of a run, and which of them can never go on: by what really
happened, and by what the actions ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.orders import Wanted, order, wanted
from tests.simulation.record import BEGINS, ENDS, Record


@dataclass(frozen=True)
class Waiter:
    """An execution that waits for what it has `wanted`: in place (`stays`), or failed and held by a
    rule. `ends`: it has a deadline, or a person let it go.
    """

    execution: PipelineExecution
    stays: bool
    wanted: tuple[Wanted, ...]
    ends: bool = False

    @property
    def pipeline(self) -> str:
        return self.execution.pipeline_name


def waiters(record: Record, at: datetime) -> list[Waiter]:
    """All that wait at that moment."""
    return [*_by_rule(record, at), *_in_place(record, at)]


def _by_rule(record: Record, at: datetime) -> Iterator[Waiter]:
    states = {change.execution: change.state for change in record.changes if change.at <= at}
    kept = {one.held: one.hold for one in record.rules if one.at <= at}
    for id_, hold in kept.items():
        execution = record.executions.get(id_)
        if (
            hold is None
            or execution is None
            or states.get(id_) != "FAILED"
            or _gone(record, execution, at)
        ):
            continue
        if execution.mode == "PARALLEL" or execution is newest(record, execution.pipeline_name, at):
            yield Waiter(
                execution,
                stays=False,
                wanted=wanted(hold),
                ends="give_up" in hold or "released_by" in hold,
            )


def _in_place(record: Record, at: datetime) -> Iterator[Waiter]:
    actions = {
        id(job.action): job
        for kept in record.kept
        if kept.at <= at and (job := record.job(kept.job))
    }
    for job in actions.values():
        execution = job.action.execution
        if (job.action.status == "InProgress" or job.action.updated > at) and not _gone(
            record, execution, at
        ):
            asked = order(job)
            yield Waiter(
                execution,
                stays=True,
                wanted=asked.wanted,
                ends=asked.give_up is not None or execution.id in record.let_go,
            )


def _gone(record: Record, execution: PipelineExecution, at: datetime) -> bool:
    deleted = record.deleted.get(execution.pipeline_name)
    return deleted is not None and deleted <= at


def newest(record: Record, pipeline: str, at: datetime) -> PipelineExecution | None:
    """Its newest execution that counts: superseded and cancelled ones are left aside."""
    states = {
        change.execution: change.state
        for change in record.changes
        if change.pipeline == pipeline and change.at <= at
    }
    counted = [
        record.executions[id_]
        for id_, state in states.items()
        if state not in ("SUPERSEDED", "CANCELED")
    ]
    return max(counted, key=lambda execution: execution.number, default=None)


def at_work(record: Record, at: datetime, waiting: set[str]) -> set[str]:
    """The pipelines of which an execution runs that is not one of the `waiting`."""
    states = {
        change.execution: (change.pipeline, change.state)
        for change in record.changes
        if change.at <= at
    }
    return {
        pipeline
        for id_, (pipeline, state) in states.items()
        if state in BEGINS and id_ not in waiting
    }


def stuck(record: Record, waiting: Sequence[Waiter], at: datetime) -> list[Waiter]:
    """Those that can never go on, whatever else ends well, and whoever starts a pipeline anew: each
    of them waits for another of them.

    A waiter can go on if all that it wants can come. A pipeline can become idle if all that wait in
    place there can go on; held by a rule it is idle for whom it waits for itself. It can succeed if
    the newest of its executions can.
    """
    return _not_free(record, waiting, at, strict=False)


def stuck_without_help(record: Record, waiting: Sequence[Waiter], at: datetime) -> list[Waiter]:
    """The same where starts do not help, as the executions that have yet to come to their gates, or
    would if somebody started them, would wait there too; and where nobody who waits for a success
    passes by one that is held.
    """
    looked: set[str] = set()
    while (
        names := {
            want.pipeline for one in waiting for want in one.wanted if want.require == "succeeded"
        }
        - looked
    ):
        looked |= names
        there = {one.execution.id for one in waiting}
        more = [_would_wait(record, name, at) for name in sorted(names)]
        waiting = [
            *waiting,
            *(one for one in more if one is not None and one.execution.id not in there),
        ]
    return _not_free(record, waiting, at, strict=True)


def _not_free(
    record: Record, waiting: Sequence[Waiter], at: datetime, *, strict: bool
) -> list[Waiter]:
    free: list[Waiter] = []

    def can_come(one: Waiter, want: Wanted) -> bool:
        theirs = [
            other for other in waiting if other.pipeline == want.pipeline and other not in free
        ]
        success = want.require == "succeeded"
        for other in theirs:
            passed_by = not (success and strict) and one.pipeline in _ahead_of(other, waiting)
            if other.stays or not passed_by:
                return False
        return not success or newest(record, want.pipeline, at) not in [
            other.execution for other in theirs
        ]

    while more := [
        one
        for one in waiting
        if one not in free and all(can_come(one, want) for want in one.wanted)
    ]:
        free += more
    return [one for one in waiting if one not in free]


def _would_wait(record: Record, pipeline: str, at: datetime) -> Waiter | None:
    """The newest execution of a pipeline that has not succeeded, before its gates."""
    latest = newest(record, pipeline, at)
    jobs = [
        job
        for job in record.pipelines[pipeline].jobs.values()
        if job.action.started <= at or job.action.execution is latest
    ]
    if latest is None or not jobs:
        return None
    state = [
        change.state
        for change in record.changes
        if change.execution == latest.id and change.at <= at
    ][-1]
    answers = [record.answers.get(job.id) for job in jobs if job.action.execution is latest]
    passed = any(answer is not None and answer.success and answer.at <= at for answer in answers)
    if state == "SUCCEEDED" or (passed and state in BEGINS):
        return None  # it may well succeed
    asked = order(jobs[-1])
    return Waiter(latest, asked.hold == "wait", asked.wanted)


def _ahead_of(one: Waiter, waiting: Sequence[Waiter]) -> set[str]:
    """The pipelines that it waits for, themselves or through others."""
    found: set[str] = set()
    ahead = [want.pipeline for want in one.wanted]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += [
                want.pipeline
                for other in waiting
                if other.pipeline == name
                for want in other.wanted
            ]
    return found


def moments(record: Record, since: datetime, until: datetime) -> list[datetime]:
    """When something changed in that time for those who wait; its begin and end too."""
    changed = {change.at for change in record.changes if change.state in (*BEGINS, *ENDS)}
    changed |= (
        {one.at for one in record.rules}
        | {one.at for one in record.kept}
        | {answer.at for answer in record.answers.values()}
    )
    return sorted({since, until, *(at for at in changed if since <= at <= until)})


def waits_for(record: Record, pipeline: str) -> set[str]:
    """All whom the gates of a pipeline, and the gates of those, ever asked for."""
    found: set[str] = set()
    ahead = [pipeline]
    while ahead:
        model = record.pipelines.get(ahead.pop())
        for job in model.jobs.values() if model else ():
            new = set(order(job).names) - found
            found |= new
            ahead += new
    return found
