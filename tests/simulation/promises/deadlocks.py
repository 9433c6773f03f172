"""Deadlocks: one that is reported was one, and one that was is reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.simulation.orders import order
from tests.simulation.record import Record
from tests.simulation.waiters import (
    Waiter,
    at_work,
    moments,
    stuck,
    stuck_without_help,
    waiters,
    waits_for,
)

MOMENT = timedelta(milliseconds=1)


def deadlocks(record: Record, end: datetime) -> Iterator[str]:
    told = [
        (turn, line)
        for turn in record.turns
        for line in turn.lines
        if line["decision"] == "deadlock"
    ]
    for turn, line in told:
        if not really_deadlocked(record, line["execution"], turn.began, turn.ended or turn.began):
            yield (
                f"Told: {line['pipeline']} {line['execution'][:8]} is said to be in a "
                f"deadlock, and it was not: {line['reason'][:120]}"
            )
    said = [(turn.began, line["execution"]) for turn, line in told]
    yield from _silent(record, said, end)


def really_deadlocked(record: Record, execution: str, since: datetime, until: datetime) -> bool:
    """Whether at some moment of that time the execution could never have gone on, as it waited, or
    had it waited then; or by all who waited at any moment of it, for whoever looks sees one after
    the other.
    """
    at_any = {at: waiters(record, at) for at in moments(record, since - MOMENT, until)}
    seen = {one.execution.id: one for there in at_any.values() for one in there}
    looks = [*at_any.items(), (until, [*seen.values()])]
    return any(
        any(one.execution.id == execution for one in _stuck_with(record, execution, there, at))
        for at, there in looks
    )


def _stuck_with(record: Record, execution: str, there: list[Waiter], at: datetime) -> list[Waiter]:
    waiting = [one for one in there if one.execution.id != execution or one.stays]
    if not any(one.execution.id == execution for one in waiting):
        asked = [order(job) for job in record.jobs_of(execution)]
        waiting += [
            Waiter(record.executions[execution], one.hold == "wait", one.wanted) for one in asked
        ]
    return stuck_without_help(record, waiting, at)


def _silent(record: Record, said: list[tuple[datetime, str]], end: datetime) -> Iterator[str]:
    """Nobody was told of it although all of those who could say so have looked since, and AWS has
    answered. (While an execution of one of them is still at work, it may yet change everything:
    nobody is told.)
    """
    if not any(name in waits_for(record, name) for name in record.pipelines):
        return  # no circle was ever asked for
    mute = {
        job.action.execution.id for job in record.jobs() if not job.answered
    }  # no gate of theirs was asked again
    since: dict[frozenset[str], datetime] = {}
    for at in moments(record, record.turns[0].began, end):
        there = [one for one in waiters(record, at) if one.execution.id not in mute]
        busy = at_work(record, at, {one.execution.id for one in there})
        now = [
            one
            for one in stuck(record, [one for one in there if one.pipeline not in busy], at)
            if not one.ends
        ]
        ids = frozenset(one.execution.id for one in now)
        since = {known: began for known, began in since.items() if known <= ids}
        if ids:
            since.setdefault(ids, at)
        for known, began in since.items():
            looks = _until_all_have_looked(
                record, [one for one in now if one.execution.id in known]
            )
            told = any(id_ in known and when >= began - looks for when, id_ in said)
            starts = [began, *(trouble + MOMENT for trouble in record.troubles if trouble >= began)]
            quiet = any(
                start + looks < at
                and not any(start <= trouble <= start + looks for trouble in record.troubles)
                for start in starts
            )
            if quiet and not told:
                names = ", ".join(
                    sorted(f"{record.executions[id_].pipeline_name} {id_[:8]}" for id_ in known)
                )
                yield (
                    f"Told: {names} wait for each other since {began:%d %H:%M:%S}, and "
                    "nobody is told"
                )
                return


def _until_all_have_looked(record: Record, waiting: list[Waiter]) -> timedelta:
    minutes = [
        order(job).minutes
        for one in waiting
        if not one.stays
        for job in record.jobs_of(one.execution.id)
    ]
    return timedelta(minutes=max(minutes, default=2) + 2)
