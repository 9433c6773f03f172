"""Who really waits for whom at a moment of a run, and which of them can never go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.record import BEGINS, ENDS, Record
from tests.simulation.settings import Requirement, parse_requirements, read_settings


@dataclass(frozen=True)
class Waiter:
    """An execution that waits: in place, or failed and held by a rule."""

    execution: PipelineExecution
    stays_in_progress: bool
    requirements: tuple[Requirement, ...]
    ends: bool = False
    """It has a deadline, or a person let it go."""

    @property
    def pipeline(self) -> str:
        return self.execution.pipeline_name

    @property
    def upstreams(self) -> list[str]:
        return [one.pipeline for one in self.requirements]


def find_waiters(record: Record, at: datetime) -> list[Waiter]:
    """All that wait at that moment."""
    return [
        waiter
        for waiter in (*_find_held(record, at), *_find_in_progress(record, at))
        if waiter.pipeline not in record.deleted or record.deleted[waiter.pipeline] > at
    ]


def _find_held(record: Record, at: datetime) -> Iterator[Waiter]:
    states = _find_states(record, at)
    holds = {one.held_id: one.hold for one in record.rule_changes if one.at <= at}
    for id_, hold in holds.items():
        execution = record.executions.get(id_)
        if hold is None or execution is None or states.get(id_) != "FAILED":
            continue
        newest = find_newest(record, execution.pipeline_name, at)
        if execution.mode == "PARALLEL" or execution is newest:
            ends = "give_up" in hold or "released_by" in hold
            yield Waiter(execution, False, parse_requirements(hold), ends)


def _find_in_progress(record: Record, at: datetime) -> Iterator[Waiter]:
    jobs = {one.job.action.id: one.job for one in record.kept_open if one.at <= at}
    for job in jobs.values():
        if job.action.status == "InProgress" or job.action.updated > at:
            settings, execution = read_settings(job), job.action.execution
            ends = settings.give_up is not None or execution.id in record.released
            yield Waiter(execution, True, settings.requirements, ends)


def _find_states(record: Record, at: datetime) -> dict[str, str]:
    """Of all executions at that moment."""
    return {change.execution: change.state for change in record.changes if change.at <= at}


def find_newest(record: Record, pipeline: str, at: datetime) -> PipelineExecution | None:
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


def find_busy_pipelines(record: Record, at: datetime, waiting: set[str]) -> set[str]:
    """The pipelines of which an execution runs that is not one of the `waiting`."""
    states = _find_states(record, at)
    return {
        change.pipeline
        for change in record.changes
        if change.execution not in waiting and states.get(change.execution) in BEGINS
    }


def find_stuck(record: Record, waiting: Sequence[Waiter], at: datetime) -> list[Waiter]:
    """Those that can never go on, whatever else ends well, and whoever starts a pipeline anew: each
    of them waits for another of them.

    A waiter can go on if all that it requires can come. A pipeline can become idle if all that wait
    in place there can go on; held by a rule it is idle for whom it waits for itself. It can succeed
    if the newest of its executions can.
    """
    return _find_never_free(record, waiting, at, strict=False)


def find_stuck_without_help(
    record: Record, waiting: Sequence[Waiter], at: datetime
) -> list[Waiter]:
    """The same where starts do not help, as the executions that have yet to come to their gates, or
    would if somebody started them, would wait there too; and where nobody who waits for a success
    passes by one that is held.
    """
    everybody = {waiter.execution.id: waiter for waiter in waiting}
    waiting, read = [*waiting], set[str]()
    while names := {
        one.pipeline
        for waiter in waiting
        for one in waiter.requirements
        if one.require == "succeeded" and one.pipeline not in read
    }:
        read |= names
        for name in sorted(names):
            waiter = _find_next_waiter(record, name, at)
            if waiter is not None and waiter.execution.id not in everybody:
                waiting.append(waiter)
                everybody[waiter.execution.id] = waiter
    return _find_never_free(record, waiting, at, strict=True)


def _find_never_free(
    record: Record, waiting: Sequence[Waiter], at: datetime, *, strict: bool
) -> list[Waiter]:
    stuck = [*waiting]

    def can_come(waiter: Waiter, requirement: Requirement) -> bool:
        in_the_way = [other for other in stuck if other.pipeline == requirement.pipeline]
        success = requirement.require == "succeeded"
        for other in in_the_way:
            passed_by = waiter.pipeline in _find_upstreams(other, waiting)
            if other.stays_in_progress or not passed_by or (success and strict):
                return False
        newest = find_newest(record, requirement.pipeline, at) if success else None
        return not success or newest not in [other.execution for other in in_the_way]

    while free := [
        waiter for waiter in stuck if all(can_come(waiter, one) for one in waiter.requirements)
    ]:
        stuck = [waiter for waiter in stuck if waiter not in free]
    return stuck


def _find_next_waiter(record: Record, pipeline: str, at: datetime) -> Waiter | None:
    """The newest execution of a pipeline that has not succeeded, before its gates."""
    latest = find_newest(record, pipeline, at)
    jobs = [
        job
        for job in record.pipelines[pipeline].jobs.values()
        if job.action.started <= at or job.action.execution is latest
    ]
    if latest is None or not jobs:
        return None
    state = _find_states(record, at)[latest.id]
    answers = [record.answers.get(job.id) for job in jobs if job.action.execution is latest]
    passed = any(answer is not None and answer.success and answer.at <= at for answer in answers)
    if state == "SUCCEEDED" or (passed and state in BEGINS):
        return None  # it may well succeed
    settings = read_settings(jobs[-1])
    return Waiter(latest, settings.hold == "wait", settings.requirements)


def find_moments(record: Record, since: datetime, until: datetime) -> list[datetime]:
    """When something changed in that time for those who wait; its begin and end too."""
    moments = {change.at for change in record.changes if change.state in (*BEGINS, *ENDS)}
    for entries in (record.rule_changes, record.kept_open, record.answers.values()):
        moments |= {entry.at for entry in entries}
    return sorted({since, until, *(at for at in moments if since <= at <= until)})


def _find_upstreams(waiter: Waiter, waiting: Sequence[Waiter]) -> set[str]:
    """The pipelines that it waits for, itself or through others."""

    def find_next(name: str) -> list[str]:
        return [other for one in waiting if one.pipeline == name for other in one.upstreams]

    return _find_reachable(waiter.upstreams, find_next)


def find_upstreams(record: Record, pipeline: str) -> set[str]:
    """All whom the gates of a pipeline, and the gates of those, ever asked for."""

    def find_next(name: str) -> list[str]:
        jobs = record.pipelines[name].jobs.values() if name in record.pipelines else ()
        return [upstream for job in jobs for upstream in read_settings(job).pipelines]

    return _find_reachable(find_next(pipeline), find_next)


def _find_reachable(names: Iterable[str], find_next: Callable[[str], Iterable[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = [*names]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += find_next(name)
    return reached
