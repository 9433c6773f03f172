"""Which executions really wait for which pipelines at a moment, and which can never continue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.record import BEGINS, ENDS, Record
from tests.simulation.settings import Requirement, is_released, parse_requirements, read_settings


@dataclass(frozen=True)
class Waiter:
    """An execution that waits: in progress, or failed and held by a rule."""

    execution: PipelineExecution
    stays_in_progress: bool
    requirements: tuple[Requirement, ...]
    ends: bool = False
    """Whether it has a deadline, or a person released it."""

    @property
    def pipeline(self) -> str:
        return self.execution.pipeline_name

    @property
    def upstreams(self) -> list[str]:
        return [one.pipeline for one in self.requirements]


def find_waiters(record: Record, at: datetime) -> list[Waiter]:
    """All executions that wait at that moment."""
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
            ends = "give_up" in hold or is_released(hold)
            yield Waiter(execution, False, parse_requirements(hold), ends)


def _find_in_progress(record: Record, at: datetime) -> Iterator[Waiter]:
    jobs = {one.job.action.id: one.job for one in record.kept_open if one.at <= at}
    for job in jobs.values():
        if job.action.status == "InProgress" or job.action.updated > at:
            settings, execution = read_settings(job), job.action.execution
            ends = settings.give_up is not None or execution.id in record.released
            yield Waiter(execution, True, settings.requirements, ends)


def _find_states(record: Record, at: datetime) -> dict[str, str]:
    """The states of all executions at that moment."""
    return {change.execution: change.state for change in record.changes if change.at <= at}


def find_newest(record: Record, pipeline: str, at: datetime) -> PipelineExecution | None:
    """Its newest execution, apart from superseded and canceled ones."""
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
    """The pipelines with a running execution that is not among `waiting`."""
    states = _find_states(record, at)
    return {
        change.pipeline
        for change in record.changes
        if change.execution not in waiting and states.get(change.execution) in BEGINS
    }


def find_stuck(record: Record, waiting: Sequence[Waiter], at: datetime) -> list[Waiter]:
    """The waiters that can never continue, even if all other executions succeed and people start
    pipelines again: each of them waits for another of them.

    A waiter can continue if all its requirements can be met. A pipeline can become idle if all its
    waiters that stay in progress can continue. A pipeline that is held by a rule is idle for those
    that it waits for. A pipeline can succeed if its newest execution can.
    """
    return _find_never_free(record, waiting, at, strict=False)


def find_stuck_without_help(
    record: Record, waiting: Sequence[Waiter], at: datetime
) -> list[Waiter]:
    """The same if new executions do not help, because they would wait at their gates too, and if
    no waiter that requires a success can pass a held pipeline.
    """
    by_id = {waiter.execution.id: waiter for waiter in waiting}
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
            if waiter is not None and waiter.execution.id not in by_id:
                waiting.append(waiter)
                by_id[waiter.execution.id] = waiter
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
        return None  # it may succeed
    settings = read_settings(jobs[-1])
    return Waiter(latest, settings.hold == "wait", settings.requirements)


def find_moments(record: Record, since: datetime, until: datetime) -> list[datetime]:
    """The moments at which something changed for the waiters, and the begin and end of the time."""
    moments = {change.at for change in record.changes if change.state in (*BEGINS, *ENDS)}
    for entries in (record.rule_changes, record.kept_open, record.answers.values()):
        moments |= {entry.at for entry in entries}
    return sorted({since, until, *(at for at in moments if since <= at <= until)})


def _find_upstreams(waiter: Waiter, waiting: Sequence[Waiter]) -> set[str]:
    """The pipelines that it waits for, directly or through others."""

    def find_next(name: str) -> list[str]:
        return [other for one in waiting if one.pipeline == name for other in one.upstreams]

    return _find_reachable(waiter.upstreams, find_next)


def find_upstreams(record: Record, pipeline: str) -> set[str]:
    """All upstreams that the gates of a pipeline, and the gates of its upstreams, ever named."""

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
