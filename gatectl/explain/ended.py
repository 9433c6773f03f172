"""An execution that is over: how it ended, whether that was the gate's doing, and whether anything
starts by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from chalicelib.account.console import ConsoleLinks
from chalicelib.deployment import APP
from chalicelib.errors import REFUSALS
from chalicelib.holds.fate import find_closed_gate
from chalicelib.holds.verdict import Verdict
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import Attempt
from gatectl.explain import given_up
from gatectl.explain.anew import anew
from gatectl.explain.facts import Facts, Story, deployed_as
from gatectl.explain.running import at_its_gates
from gatectl.explain.told import Told, Way, check, doctor, log, retry_stage, rights

NOTHING = "Nothing starts by itself."
ENDED = {
    "Failed": "failed",
    "Superseded": "was superseded",
    "Stopped": "was stopped",
    "Cancelled": "was cancelled",
}


def closed(story: Story) -> Attempt | None:
    """The gate's attempt that failed it."""
    found = [
        find_closed_gate(story.attempts, f"{APP}-{deployed_as(gate)}-gate") for gate in story.gates
    ]
    return next((one for one in found if one), None)


def lost(facts: Facts, story: Story) -> Attempt | None:
    """The gate's attempt that held it, where its hold is gone, and no newer execution is the
    reason.
    """
    gate = (
        closed(story)
        if story.execution.status == "Failed"
        and story.rule is None
        and not facts.newer(story.execution)
        else None
    )
    return gate if gate and gate.verdict is Verdict.HELD else None


def given_up_by_the_gate(story: Story) -> Attempt | None:
    """The gate's attempt that was the last one of a wait that was given up."""
    gate = closed(story) if story.execution.status == "Failed" else None
    return gate if gate and gate.verdict is Verdict.GAVE_UP else None


def told(facts: Facts, story: Story, links: ConsoleLinks) -> Told:
    own, name = story.execution, facts.name
    newer, gate = facts.newer(own), closed(story) if own.status == "Failed" else None
    when = format_time(own.updated, facts.now)
    passed = tuple(at_its_gates(facts, story))
    if newer and own.status in ("Failed", "Superseded"):
        over = f"A newer one took over: {newer.short_id} is {newer.status}."
        what = f"Execution {own.short_id} of {name} {ENDED[own.status]} at {when}. {over}"
        way = Way(f"see how {name} stands now", (("gatectl", "explain", name),))
        return Told("taken over", own.id, what, passed, "Nobody waits for it any more.", (way,))
    if gate:
        return _by_the_gate(facts, story, gate)
    if own.status == "Failed":
        return _elsewhere(facts, story, links)
    if own.status == "Succeeded":
        return Told(
            "succeeded",
            own.id,
            f"{name} does not wait: its last execution {own.short_id} succeeded at {when}.",
            passed,
        )
    hints = {
        "Stopped": "Somebody asked for that; it ends a hold, too.",
        "Cancelled": "Somebody edited the pipeline while it ran: that cancels what runs, and "
        "attach and detach are edits, too.",
    }
    what = f"Execution {own.short_id} of {name} {ENDED.get(own.status, own.status)} at {when}. {hints.get(own.status, '')}".strip()
    return Told(own.status.lower(), own.id, what, passed, NOTHING, (anew(facts),))


def _elsewhere(facts: Facts, story: Story, links: ConsoleLinks) -> Told:
    """Failed, and not at a gate."""
    own = story.execution
    failed = [one for one in story.attempts if one.status == "Failed"]
    at = failed[-1] if failed else None
    where = f" at {at.action} in its stage {at.stage}" if at else ""
    said = (f"It says: {at.message}",) if at and at.message else ()
    ways = [Way("see what AWS shows of it", link=links.execution(facts.name, own.id))]
    if at and not facts.edited_since(own):
        ways.insert(
            0,
            retry_stage(
                facts.name, at.stage, own.id, "run its failed actions again, in the same execution"
            ),
        )
    return Told(
        "failed",
        own.id,
        f"{facts.name} does not wait: execution {own.short_id} failed{where}, at "
        f"{format_time(own.updated, facts.now)}. "
        "That is not the gate's doing.",
        (*said, *at_its_gates(facts, story)),
        NOTHING,
        (*ways, anew(facts)),
    )


# Failed by the gate, and nothing holds it


def _by_the_gate(facts: Facts, story: Story, gate: Attempt) -> Told:
    own, where = story.execution, f"the gate in its stage {gate.stage}"
    again = tuple(_again(facts, story, gate))
    if gate.verdict is Verdict.GAVE_UP:
        what = (
            f"{facts.name} does not wait any more: {where} gave up at "
            f"{format_time(own.updated, facts.now)}."
        )
        return Told(
            "gave up",
            own.id,
            what,
            (gate.message, *given_up.now(facts, story)),
            NOTHING,
            (*again, *given_up.ways(facts, story, gate)),
        )
    if gate.verdict is Verdict.DEADLOCK:
        what = (
            f"{facts.name} does not wait: {where} failed it at "
            f"{format_time(own.updated, facts.now)}, for the wait would never end."
        )
        return Told("deadlock", own.id, what, (gate.message,), NOTHING, (check(), *again))
    if gate.verdict is Verdict.HELD:
        return _gone(facts, story, gate, again)
    if gate.error in REFUSALS or gate.verdict in (Verdict.REFUSED, Verdict.REFUSED_ELSEWHERE):
        mends = (
            (rights(gate.message, facts.account), doctor())
            if gate.error == "PermissionError"
            else (check(),)
        )
        what = (
            f"{facts.name} does not wait: {where} refused what it was asked, at "
            f"{format_time(own.updated, facts.now)}."
        )
        return Told(
            "refused", own.id, what, tuple(_refusal(facts, gate)), NOTHING, (*mends, *again)
        )
    what = (
        f"{facts.name} does not wait: {where} gave no answer, and CodePipeline failed it "
        f"at {format_time(own.updated, facts.now)}."
    )
    said = (f"It says: {gate.message}",) if gate.message else ()
    return Told(
        "unanswered",
        own.id,
        what,
        said,
        NOTHING,
        (log(deployed_as(gate), "gate"), doctor(), *again),
    )


def _refusal(facts: Facts, gate: Attempt) -> Iterator[str]:
    yield f"It says: {gate.message}"
    declared = facts.gate_of(gate)
    if declared and gate.error == "ConfigurationError":
        yield (
            f"It still would: {declared.problem}"
            if declared.problem and declared.problem != gate.message
            else f"What it is asked stands in UserParameters of the action {gate.action}: "
            f"{declared.text}"
        )


def _again(facts: Facts, story: Story, gate: Attempt) -> Iterator[Way]:
    if not facts.edited_since(story.execution):
        yield retry_stage(
            facts.name, gate.stage, story.execution.id, "let the same execution ask its gate again"
        )
    yield anew(facts)


def _gone(facts: Facts, story: Story, gate: Attempt, again: tuple[Way, ...]) -> Told:
    """It was held, and the rule is gone."""
    own, since = story.execution, format_time(gate.started, facts.now)
    records = story.log.records if story.log else ()
    when, record = records[-1] if records else (own.updated, {})
    at, decision, reason = (
        format_time(when, facts.now),
        record.get("decision"),
        record.get("reason", ""),
    )
    declared = facts.gate_of(gate)
    others = (
        join_names([one.label for one in declared.parameters.depends_on])
        if declared and declared.parameters
        else "others"
    )
    limit = declared.parameters.give_up_minutes if declared and declared.parameters else None
    waited = f"it had waited for {others} since {since}"
    if decision == "gave up":
        what = (
            f"{facts.name} does not wait any more: it gave up at {at}. By then {waited}, "
            "as long as give_up_minutes says."
        )
        said = (f"The retry said: {reason}.", *given_up.now(facts, story))
        return Told(
            "gave up", own.id, what, said, NOTHING, (*again, *given_up.ways(facts, story, gate))
        )
    if decision == "started":
        what = (
            f"Execution {own.short_id} of {facts.name} was held since {since}, and started "
            f"again at {at}, as {record.get('started')}."
        )
        return Told("started again", own.id, what)
    if decision:
        what = f"{facts.name} does not wait any more: its hold ended at {at}. By then {waited}."
        return Told(
            "dropped", own.id, what, (f"The retry said: {decision}: {reason}.",), NOTHING, again
        )
    unread = story.log.unread if story.log else ""
    probably = bool(limit) and facts.now >= gate.started + timedelta(minutes=limit or 0)
    if unread:
        either = "the wait was given up" if probably else "somebody has removed it"
        why = (
            f"The rule of its hold is gone: {either}, it seems. The retry's log would tell, "
            f"which could not be read: {unread}."
        )
    else:
        why = (
            "The rule of its hold is gone, and the retry has not removed it: somebody did, by hand."
        )
    what = f"{facts.name} does not wait any more, and is not started again: {waited}."
    ways = (*again, *given_up.ways(facts, story, gate), log(deployed_as(gate), "retry"))
    return Told("removed", own.id, what, (why, *given_up.now(facts, story)), NOTHING, ways)
