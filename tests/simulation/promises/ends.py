"""Each hold that was counted has one counted end or still stands. The same is true of events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from tests.simulation.entries import Invocation
from tests.simulation.promises.table import BEGINS, Line, ends_hold, took_effect
from tests.simulation.record import Record, label

MISSES = ("dies before", "dies after", "takes too long", "unheard", "reset")
"""Faults after which a function cannot log what it did: it was killed, or got no answer."""


def ends(record: Record) -> Iterator[str]:
    """Held = Released + LetGo + GaveUp + Canceled + Dropped + the deadlocks that ended a hold + the
    holds that still stand, for each execution, and so for all; and the same of the events.
    """
    begun, ended = Counter[str](), Counter[str]()
    announced, announced_ends = Counter[str](), Counter[str]()
    for invocation in record.invocations:
        id_ = invocation.execution_id
        lines = [line for line in invocation.lines if took_effect(line)]
        begun[id_] += sum(line["decision"] in BEGINS for line in lines)
        ended[id_] += sum(ends_hold(invocation, line) for line in lines)
        details = [json.loads(event["Detail"]) for event in invocation.events]
        announced[id_] += sum(detail["state"] == "HELD" for detail in details)
        announced_ends[id_] += sum(map(_announces_end, details))
    lost = any("PutEvents" in fault for one in record.invocations for fault in one.faults)
    for id_ in begun | ended:
        if _may_miss(record, id_):
            continue
        stand, name = _count_standing(record, id_), label(record.executions[id_])
        if begun[id_] != ended[id_] + stand:
            counts = f"{begun[id_]} times, and {ended[id_]} ends were counted"
            yield f"{name} was held {counts}, while {stand} stand"
        if record.bus and announced[id_] != announced_ends[id_] + stand and not lost:
            counts = f"{announced[id_]} times as held, and {announced_ends[id_]} ends were"
            yield f"{name} was announced {counts} announced, while {stand} stand"


def _announces_end(detail: Line) -> bool:
    """PASSED is about the action; a deadlock that ended no hold does not say how long it lasted."""
    if detail["state"] == "DEADLOCKED":
        return "waited_seconds" in detail
    return detail["state"] in ("RELEASED", "GAVE_UP", "CANCELED", "DROPPED")


def _count_standing(record: Record, execution: str) -> int:
    """The execution's rule, if the end of its hold is not reported, and its actions in progress."""
    hold = record.find_hold(execution)
    actions = [one.job.action for one in record.kept_open if one.execution.id == execution]
    in_progress = {action.id for action in actions if action.status == "InProgress"}
    return bool(hold and not hold.get("end_reported")) + len(in_progress)


def _may_miss(record: Record, execution: str) -> bool:
    """What can make a count miss (docs/reliability.md, "What is not promised"): a function that
    could not log what it did, or write that into the rule; a gate that could not read whether its
    execution is held already; an action that ended without the gate's answer; a rule that a person
    removed; two invocations that acted on the hold at the same time; and a pipeline that had to
    continue although its hold had ended or had never begun.
    """
    invocations = [one for one in record.invocations if one.execution_id == execution]
    if execution in record.rule_removed or any(map(_may_miss_in, invocations)):
        return True
    jobs = record.find_jobs(execution)
    answered = {one.job.action.id for one in record.answers.values()}
    acted = [one for one in invocations if _acted(record, one)]
    return (
        any(_continues_uncounted(record, one) for one in invocations)
        or any(job.action.status != "InProgress" and job.action.id not in answered for job in jobs)
        or any(
            one is not other and one.began <= other.began <= one.end
            for one in acted
            for other in acted
        )
    )


def _may_miss_in(invocation: Invocation) -> bool:
    failed = invocation.error or any(
        line["decision"] in ("defect", "refused") for line in invocation.lines
    )
    unwritten = "PutTargets" if failed else "PutTargets denied"
    unread = ("ListTargetsByRule",) if invocation.job else ()
    return any(
        fault.endswith(MISSES) or fault.startswith((unwritten, *unread))
        for fault in invocation.faults
    )


def _acted(record: Record, invocation: Invocation) -> bool:
    """Whether it wrote or removed the rule of a hold, or counted a hold or its end."""
    return any(change.invocation is invocation for change in record.rule_changes) or any(
        line["decision"] in BEGINS or ends_hold(invocation, line) for line in invocation.lines
    )


def _continues_uncounted(record: Record, invocation: Invocation) -> bool:
    """Whether a retry ended a hold whose rule said before that its end is reported."""
    hold = record.find_hold(invocation.held_id, invocation.began)
    reported = bool(hold.get("end_reported"))
    return reported and any(ends_hold(invocation, line) for line in invocation.lines)
