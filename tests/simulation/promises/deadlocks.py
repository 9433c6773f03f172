"""Deadlocks: each reported deadlock was one, and each deadlock is reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox.clock import utcnow
from tests.simulation.record import LONGEST_LAG, Record, label
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
                    yield f"{name} was reported as a deadlock, but was not: {reason}"
    yield from _find_silent(record, reported)


def is_deadlocked(record: Record, execution: str, since: datetime, until: datetime) -> bool:
    """Whether at some moment of that time the execution could never have continued if it waited.

    This also counts if all executions that waited at any moment of that time are taken together,
    because a gate reads one upstream after another. AWS's answers may be older than that time.
    """
    since -= LONGEST_LAG if record.dials.answer_age else MOMENT
    waiters = {at: find_waiters(record, at) for at in find_moments(record, since, until)}
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
    """Deadlocks that were not reported although all functions that could report them have checked
    since, and AWS answered. (A deadlock does not count while another execution of its pipelines is
    running, because that may still resolve it.)
    """
    if not any(name in find_upstreams(record, name) for name in record.pipelines):
        return  # no gate ever asked for a cycle
    # Their gates were not invoked again.
    mute = {job.action.execution.id for job in record.jobs() if not job.answered}
    since: dict[frozenset[str], datetime] = {}
    for at in find_moments(record, record.invocations[0].began, utcnow()):
        waiting = [one for one in find_waiters(record, at) if one.execution.id not in mute]
        busy = find_busy_pipelines(record, at, {one.execution.id for one in waiting})
        waiting = [one for one in waiting if one.pipeline not in busy]
        stuck = [one for one in find_stuck(record, waiting, at) if not one.ends]
        ids = frozenset(one.execution.id for one in stuck)
        since = {cycle: began for cycle, began in since.items() if cycle <= ids}
        if ids:
            since.setdefault(ids, at)
        for cycle, began in since.items():
            pause = _find_longest_pause(record, [one for one in stuck if one.execution.id in cycle])
            if any(id_ in cycle and when >= began - pause for when, id_ in reported):
                continue
            if _was_quiet(record, began, at, pause):
                names = ", ".join(sorted(label(record.executions[id_]) for id_ in cycle))
                when = f"{began:%d %H:%M:%S}"
                yield f"{names} have waited for each other from {when} on, which was not reported"
                return


def _was_quiet(record: Record, since: datetime, until: datetime, duration: timedelta) -> bool:
    """Whether nothing was disturbed for `duration` within that time."""
    later = [moment for moment in record.disturbances if moment >= since]
    return any(
        start + duration < until
        and not any(start <= moment <= start + duration for moment in later)
        for start in (since, *(moment + MOMENT for moment in later))
    )


def _find_longest_pause(record: Record, waiting: list[Waiter]) -> timedelta:
    """The time within which all of them have checked their upstreams again."""
    minutes = [
        read_settings(job).retry_minutes
        for one in waiting
        if not one.stays_in_progress
        for job in record.find_jobs(one.execution.id)
    ]
    return timedelta(minutes=max(minutes, default=2) + 2)
