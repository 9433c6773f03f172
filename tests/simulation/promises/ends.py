"""Each hold that was counted has one counted end, or still stands; with EVENT_BUS, each HELD event
has one event of its end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from sandbox.codepipeline.execution import ActionJob
from tests.simulation.promises.table import BEGINS, Line, ends_hold, took_effect
from tests.simulation.record import Record
from tests.simulation.turns import Turn

MISSES = ("dies before", "dies after", "takes too long", "unheard", "reset")
"""Faults after which a function cannot log what it did: it was killed, or its call took effect and
it got no answer.
"""


def ends(record: Record) -> Iterator[str]:
    """Held = Released + LetGo + GaveUp + Dropped + the deadlocks that ended a hold + the holds that
    still stand, for each execution, and so for all; and the same of the events.
    """
    begun, ended = Counter[str](), Counter[str]()
    announced, announced_ends = Counter[str](), Counter[str]()
    for turn in record.turns:
        execution = _get_execution(record, turn)
        lines = [line for line in turn.lines if took_effect(line)]
        begun[execution] += sum(line["decision"] in BEGINS for line in lines)
        ended[execution] += sum(ends_hold(record, turn, line) for line in lines)
        details = [json.loads(event["Detail"]) for event in turn.events]
        announced[execution] += sum(detail["state"] == "HELD" for detail in details)
        announced_ends[execution] += sum(map(_announces_end, details))
    lost = any("PutEvents" in hit for turn in record.turns for hit in turn.hits)
    for execution in begun | ended:
        if _may_miss(record, execution):
            continue
        standing = _count_standing(record, execution)
        about = f"Told: {record.executions[execution].pipeline_name} {execution[:8]} was"
        if begun[execution] != ended[execution] + standing:
            yield (
                f"{about} held {begun[execution]} times, and {ended[execution]} ends were counted, "
                f"while {standing} stand"
            )
        differ = announced[execution] != announced_ends[execution] + standing
        if record.bus and differ and not lost:
            yield (
                f"{about} announced {announced[execution]} times as held, and "
                f"{announced_ends[execution]} ends were announced, while {standing} stand"
            )


def _announces_end(detail: Line) -> bool:
    """PASSED is about the action; a deadlock that ended no hold does not say how long it lasted."""
    if detail["state"] == "DEADLOCKED":
        return "waited_seconds" in detail
    return detail["state"] in ("RELEASED", "GAVE_UP", "DROPPED")


def _get_execution(record: Record, turn: Turn) -> str:
    job = record.job(turn.job or "")
    return job.action.execution.id if job else turn.held


def _count_standing(record: Record, execution: str) -> int:
    """The execution's rule, if the end of its hold is not reported, and its actions in progress."""
    kept = [ruled.hold for ruled in record.rules if ruled.held == execution]
    by_rule = bool(kept and kept[-1] and not kept[-1].get("end_reported"))
    in_progress = {
        job.action.id for job in _jobs_kept(record, execution) if job.action.status == "InProgress"
    }
    return by_rule + len(in_progress)


def _may_miss(record: Record, execution: str) -> bool:
    """What can make a count miss (docs/reliability.md, "What is not promised"): a function that
    could not log what it did, or write that into the rule; a gate that could not read whether its
    execution is held already; an action that ended without the gate's answer; a rule that a person
    removed; two invocations that acted on the hold at the same time; and a pipeline that had to go
    on although its hold had ended or had never begun.
    """
    jobs = record.jobs_of(execution)
    ids = {job.id for job in jobs}
    turns = [turn for turn in record.turns if turn.held == execution or turn.job in ids]
    answered = {job.action.id for job in jobs if job.id in record.answers}
    acted = [turn for turn in turns if _acted(record, turn)]
    return (
        execution in record.unruled
        or any(hit.endswith(MISSES) for turn in turns for hit in turn.hits)
        or any("ListTargetsByRule" in hit for turn in turns if turn.job for hit in turn.hits)
        or any(
            call in hit
            for turn in turns
            if turn.error
            for hit in turn.hits
            for call in ("PutTargets", "PutJobFailureResult")
        )
        or any(_goes_on_uncounted(record, turn) for turn in turns)
        or any(job.action.status != "InProgress" and job.action.id not in answered for job in jobs)
        or any(
            one is not other and one.began <= other.began <= one.over
            for one in acted
            for other in acted
        )
    )


def _acted(record: Record, turn: Turn) -> bool:
    """Whether it wrote or removed the rule of a hold, or counted a hold or its end."""
    return any(ruled.turn is turn for ruled in record.rules) or any(
        line["decision"] in BEGINS or ends_hold(record, turn, line) for line in turn.lines
    )


def _goes_on_uncounted(record: Record, turn: Turn) -> bool:
    """Whether a retry ended a hold whose rule said before that its end is reported."""
    before = [one.hold for one in record.rules if one.held == turn.held and one.at < turn.began]
    reported = bool(before and before[-1] and before[-1].get("end_reported"))
    return reported and any(ends_hold(record, turn, line) for line in turn.lines)


def _jobs_kept(record: Record, execution: str) -> Iterator[ActionJob]:
    for kept in record.kept:
        job = record.job(kept.job)
        if job and job.action.execution.id == execution:
            yield job
