"""Deadlocks: one that is reported was one, and one that was is reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox.clock import utcnow
from tests.simulation.record import Record, label
from tests.simulation.settings import read_settings
from tests.simulation.waiters import (
    Waiter,
    find_busy_pipelines,
    find_moments,
    find_stuck,
    find_stuck_without_help,
    find_upstreams,
    find_waiters,
)

MOMENT = timedelta(milliseconds=1)


def deadlocks(record: Record) -> Iterator[str]:
    reported: list[tuple[datetime, str]] = []
    for invocation in record.invocations:
        for line in invocation.lines:
            if line["decision"] == "deadlock":
                execution = line["execution"]
                reported.append((invocation.began, execution))
                if not is_deadlocked(record, execution, invocation.began, invocation.end):
                    name = f"{line['pipeline']} {execution[:8]}"
                    reason = line["reason"][:120]
                    yield f"{name} is said to be in a deadlock, and it was not: {reason}"
    yield from _find_silent(record, reported)


def is_deadlocked(record: Record, execution: str, since: datetime, until: datetime) -> bool:
    """Whether at some moment of that time the execution could never have gone on, as it waited, or
    had it waited then; or by all who waited at any moment of it, for whoever looks sees one after
    the other.
    """
    waiters = {at: find_waiters(record, at) for at in find_moments(record, since - MOMENT, until)}
    by_id = {one.execution.id: one for waiting in waiters.values() for one in waiting}
    looks = [*waiters.items(), (until, [*by_id.values()])]
    return any(_is_stuck_with(record, execution, waiting, at) for at, waiting in looks)


def _is_stuck_with(record: Record, execution: str, waiting: list[Waiter], at: datetime) -> bool:
    waiting = [one for one in waiting if one.execution.id != execution or one.stays_in_progress]
    if not any(one.execution.id == execution for one in waiting):
        settings = [read_settings(job) for job in record.find_jobs(execution)]
        waiting += [
            Waiter(record.executions[execution], one.hold == "wait", one.requirements)
            for one in settings
        ]
    stuck = find_stuck_without_help(record, waiting, at)
    return any(one.execution.id == execution for one in stuck)


def _find_silent(record: Record, reported: list[tuple[datetime, str]]) -> Iterator[str]:
    """Nobody was told of it although all of those who could say so have looked since, and AWS has
    answered. (While an execution of one of them is still at work, it may yet change everything:
    nobody is told.)
    """
    if not any(name in find_upstreams(record, name) for name in record.pipelines):
        return  # no circle was ever asked for
    # No gate of theirs was asked again.
    mute = {job.action.execution.id for job in record.jobs() if not job.answered}
    since: dict[frozenset[str], datetime] = {}
    for at in find_moments(record, record.invocations[0].began, utcnow()):
        waiting = [one for one in find_waiters(record, at) if one.execution.id not in mute]
        busy = find_busy_pipelines(record, at, {one.execution.id for one in waiting})
        waiting = [one for one in waiting if one.pipeline not in busy]
        stuck = [one for one in find_stuck(record, waiting, at) if not one.ends]
        ids = frozenset(one.execution.id for one in stuck)
        since = {circle: began for circle, began in since.items() if circle <= ids}
        if ids:
            since.setdefault(ids, at)
        for circle, began in since.items():
            looks = _find_longest_look(record, [one for one in stuck if one.execution.id in circle])
            if any(id_ in circle and when >= began - looks for when, id_ in reported):
                continue
            if _was_quiet(record, began, at, looks):
                names = ", ".join(sorted(label(record.executions[id_]) for id_ in circle))
                when = f"{began:%d %H:%M:%S}"
                yield f"{names} wait for each other since {when}, and nobody is told"
                return


def _was_quiet(record: Record, since: datetime, until: datetime, duration: timedelta) -> bool:
    """Whether nothing was disturbed for so long in that time."""
    later = [moment for moment in record.disturbances if moment >= since]
    return any(
        start + duration < until
        and not any(start <= moment <= start + duration for moment in later)
        for start in (since, *(moment + MOMENT for moment in later))
    )


def _find_longest_look(record: Record, waiting: list[Waiter]) -> timedelta:
    """After how long all of them have looked at their upstreams again."""
    minutes = [
        read_settings(job).retry_minutes
        for one in waiting
        if not one.stays_in_progress
        for job in record.find_jobs(one.execution.id)
    ]
    return timedelta(minutes=max(minutes, default=2) + 2)
