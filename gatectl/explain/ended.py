"""An execution that is over: how it ended, whether the gate ended it, and whether anything starts
automatically.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from chalicelib.deployment import name_gate_function
from chalicelib.errors import REFUSALS
from chalicelib.holds.fate import find_closed_gate
from chalicelib.holds.verdict import Verdict
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import Attempt, Execution
from chalicelib.records.outcomes import Outcome
from chalicelib.wording.reasons import describe_reasons
from gatectl.explain.evidence import (
    ExecutionStory,
    ExplainEvidence,
    find_blocking,
    read_deployment_stage,
)
from gatectl.explain.in_progress import describe_gates
from gatectl.explain.reasons import offer_new_start
from gatectl.explain.retry import find_end
from gatectl.explain.statement import (
    Remedy,
    Statement,
    build_retry_command,
    build_start_command,
    offer_check,
    offer_doctor,
    offer_log,
    offer_permissions,
    offer_retry,
)

NOTHING_STARTS = "Nothing starts by itself."
ENDED = {
    "Failed": "failed",
    "Superseded": "was superseded",
    "Stopped": "was stopped",
    "Cancelled": "was cancelled",
}
HINTS = {
    "Stopped": "Somebody asked for that; it ends a hold, too.",
    "Cancelled": "Somebody edited the pipeline while it ran: that cancels what runs, and "
    "attach and detach are edits, too.",
}
_BYPASS = re.compile(r'"bypass"\s*:\s*"#\{variables\.([^}]+)\}"')


def find_gate_that_failed(story: ExecutionStory) -> Attempt | None:
    """Return the gate's attempt that failed the execution, if one did."""
    if story.execution.status != "Failed":
        return None
    closed_gates = [
        find_closed_gate(story.attempts, name_gate_function(read_deployment_stage(gate)))
        for gate in story.gates
    ]
    return next((gate for gate in closed_gates if gate), None)


def find_ended_wait(evidence: ExplainEvidence, story: ExecutionStory) -> Attempt | None:
    """Return the gate's attempt that was the last of a wait which is over, although no newer
    execution took its place: the gate gave up, or the rule of the hold is gone.
    """
    gate = find_gate_that_failed(story)
    if gate is None or gate.verdict is Verdict.GAVE_UP:
        return gate
    return gate if is_hold_lost(evidence, story, gate) else None


def is_hold_lost(evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt) -> bool:
    """Whether the gate held the execution, and the rule of the hold is gone."""
    is_replaced = evidence.find_newer(story.execution) is not None
    return gate.verdict is Verdict.HELD and story.rule is None and not is_replaced


def explain_end(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    execution, newer = story.execution, evidence.find_newer(story.execution)
    if newer and execution.status in ("Failed", "Superseded"):
        return _explain_replacement(evidence, story, newer)
    if gate := find_gate_that_failed(story):
        return _explain_failure_by_gate(evidence, story, gate)
    if execution.status == "Failed":
        return _explain_failure_elsewhere(evidence, story)
    ended_at = format_time(execution.updated, evidence.now)
    gates = tuple(describe_gates(evidence, story))
    if execution.status == "Succeeded":
        headline = (
            f"{evidence.name} does not wait: its last execution {execution.short_id} succeeded at "
            f"{ended_at}."
        )
        return Statement("succeeded", execution.id, headline, gates)
    ended = f"{ENDED.get(execution.status, execution.status)} at {ended_at}."
    return Statement(
        state=execution.status.lower(),
        execution=execution.id,
        headline=(
            f"Execution {execution.short_id} of {evidence.name} {ended} "
            f"{HINTS.get(execution.status, '')}"
        ).strip(),
        reasons=gates,
        outlook=NOTHING_STARTS,
        remedies=(offer_new_start(evidence),),
    )


def _explain_replacement(
    evidence: ExplainEvidence, story: ExecutionStory, newer: Execution
) -> Statement:
    execution, name = story.execution, evidence.name
    return Statement(
        state="taken over",
        execution=execution.id,
        headline=(
            f"Execution {execution.short_id} of {name} {ENDED[execution.status]} at "
            f"{format_time(execution.updated, evidence.now)}. A newer one took over: "
            f"{newer.short_id} is {newer.status}."
        ),
        reasons=tuple(describe_gates(evidence, story)),
        outlook="Nobody waits for it any more.",
        remedies=(Remedy(f"see how {name} stands now", (("gatectl", "explain", name),)),),
    )


def _explain_failure_elsewhere(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    """The execution failed, but not at a gate."""
    execution = story.execution
    failures = [attempt for attempt in story.attempts if attempt.status == "Failed"]
    failure = failures[-1] if failures else None
    where = f" at {failure.action} in its stage {failure.stage}" if failure else ""
    remedies = [
        Remedy(
            "see what AWS shows of it",
            link=evidence.links.execution(evidence.name, execution.id),
        )
    ]
    if failure and not evidence.is_edited_since(execution):
        to = "run its failed actions again, in the same execution"
        remedies.insert(0, offer_retry(evidence.name, failure.stage, execution.id, to))
    return Statement(
        state="failed",
        execution=execution.id,
        headline=(
            f"{evidence.name} does not wait: execution {execution.short_id} failed{where}, at "
            f"{format_time(execution.updated, evidence.now)}. That is not the gate's doing."
        ),
        reasons=(
            *([f"It says: {failure.message}"] if failure and failure.message else []),
            *describe_gates(evidence, story),
        ),
        outlook=NOTHING_STARTS,
        remedies=(*remedies, offer_new_start(evidence)),
    )


# The gate failed it, and nothing holds it


def _explain_failure_by_gate(
    evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt
) -> Statement:
    execution, where = story.execution, f"the gate in its stage {gate.stage}"
    ended_at = format_time(execution.updated, evidence.now)
    restarts = tuple(_offer_restarts(evidence, story, gate))
    refusals = (Verdict.REFUSED, Verdict.REFUSED_ELSEWHERE)
    if gate.verdict is Verdict.GAVE_UP:
        return Statement(
            state="gave up",
            execution=execution.id,
            headline=f"{evidence.name} does not wait any more: {where} gave up at {ended_at}.",
            reasons=(gate.message, *_describe_upstreams_now(evidence, story)),
            outlook=NOTHING_STARTS,
            remedies=(*restarts, *_offer_to_go_on(evidence, story, gate)),
        )
    if gate.verdict is Verdict.DEADLOCK:
        return Statement(
            state="deadlock",
            execution=execution.id,
            headline=(
                f"{evidence.name} does not wait: {where} failed it at {ended_at}, for the wait "
                "would never end."
            ),
            reasons=(gate.message,),
            outlook=NOTHING_STARTS,
            remedies=(offer_check(), *restarts),
        )
    if gate.verdict is Verdict.HELD:
        return _explain_lost_hold(evidence, story, gate, restarts)
    if gate.error in REFUSALS or gate.verdict in refusals:
        elsewhere = gate.verdict is Verdict.REFUSED_ELSEWHERE
        repairs = (
            (offer_permissions(elsewhere=elsewhere), offer_doctor())
            if gate.error == "PermissionError"
            else (offer_check(),)
        )
        return Statement(
            state="refused",
            execution=execution.id,
            headline=(
                f"{evidence.name} does not wait: {where} refused what it was asked, at {ended_at}."
            ),
            reasons=tuple(_describe_refusal(evidence, gate)),
            outlook=NOTHING_STARTS,
            remedies=(*repairs, *restarts),
        )
    return Statement(
        state="unanswered",
        execution=execution.id,
        headline=(
            f"{evidence.name} does not wait: {where} gave no answer, and CodePipeline failed it "
            f"at {ended_at}."
        ),
        reasons=(f"It says: {gate.message}",) if gate.message else (),
        outlook=NOTHING_STARTS,
        remedies=(offer_log(read_deployment_stage(gate), "gate"), offer_doctor(), *restarts),
    )


def _describe_refusal(evidence: ExplainEvidence, attempt: Attempt) -> Iterator[str]:
    yield f"It says: {attempt.message}"
    gate = evidence.find_gate(attempt)
    if gate and attempt.error == "ConfigurationError":
        yield (
            f"It still would: {gate.problem}"
            if gate.problem and gate.problem != attempt.message
            else f"What it is asked stands in UserParameters of the action {attempt.action}: "
            f"{gate.text}"
        )


def _offer_restarts(
    evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt
) -> Iterator[Remedy]:
    if not evidence.is_edited_since(story.execution):
        to = "let the same execution ask its gate again"
        yield offer_retry(evidence.name, gate.stage, story.execution.id, to)
    yield offer_new_start(evidence)


# It was held, and the rule of the hold is gone


def _explain_lost_hold(
    evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt, restarts: tuple[Remedy, ...]
) -> Statement:
    declared = evidence.find_gate(gate)
    parameters = declared.parameters if declared else None
    names = (
        join_names([dependency.label for dependency in parameters.depends_on])
        if parameters
        else "others"
    )
    waited = f"it had waited for {names} since {format_time(gate.started, evidence.now)}"
    if end := find_end(story.log):
        return _explain_logged_end(evidence, story, gate, restarts, waited, *end)
    minutes = parameters.give_up_minutes if parameters else None
    is_past_deadline = minutes and evidence.now >= gate.started + timedelta(minutes=minutes)
    if story.log and story.log.unread:
        probably = "the wait was given up" if is_past_deadline else "somebody has removed it"
        cause = (
            f"The rule of its hold is gone: {probably}, it seems. The retry's log would tell, "
            f"which could not be read: {story.log.unread}."
        )
    else:
        cause = (
            "The rule of its hold is gone, and the retry has not removed it: somebody did, by hand."
        )
    return Statement(
        state="removed",
        execution=story.execution.id,
        headline=f"{evidence.name} does not wait any more, and is not started again: {waited}.",
        reasons=(cause, *_describe_upstreams_now(evidence, story)),
        outlook=NOTHING_STARTS,
        remedies=(
            *restarts,
            *_offer_to_go_on(evidence, story, gate),
            offer_log(read_deployment_stage(gate), "retry"),
        ),
    )


def _explain_logged_end(
    evidence: ExplainEvidence,
    story: ExecutionStory,
    gate: Attempt,
    restarts: tuple[Remedy, ...],
    waited: str,
    moment: datetime,
    record: dict[str, Any],
    outcome: Outcome,
) -> Statement:
    """`record`: what the retry logged at that moment, when it ended the hold with `outcome`."""
    execution, ended_at = story.execution, format_time(moment, evidence.now)
    reason, started = record.get("reason", ""), record.get("started")
    since = format_time(gate.started, evidence.now)
    was_held = f"Execution {execution.short_id} of {evidence.name} was held since {since}"
    if outcome is Outcome.DROPPED and (replaced_by := record.get("replaced_by")):
        headline = f"{was_held}, and has been started again, as {replaced_by}."
        return Statement("started again", execution.id, headline)
    if outcome is Outcome.DROPPED:
        return Statement(
            state="dropped",
            execution=execution.id,
            headline=(
                f"{evidence.name} does not wait any more: its hold ended at {ended_at}. By then "
                f"{waited}."
            ),
            reasons=(f"The retry said: {outcome.word}: {reason}.",),
            outlook=NOTHING_STARTS,
            remedies=restarts,
        )
    if outcome is Outcome.GAVE_UP and record.get("on_give_up") != "continue":
        return Statement(
            state="gave up",
            execution=execution.id,
            headline=(
                f"{evidence.name} does not wait any more: it gave up at {ended_at}. By then "
                f"{waited}, as long as give_up_minutes says."
            ),
            reasons=(f"The retry said: {reason}.", *_describe_upstreams_now(evidence, story)),
            outlook=NOTHING_STARTS,
            remedies=(*restarts, *_offer_to_go_on(evidence, story, gate)),
        )
    causes = {
        Outcome.LET_GO: f", until {record.get('released_by')} let it go",
        Outcome.GAVE_UP: ", as long as give_up_minutes says",
    }
    goes_on = (
        f"started again at {ended_at}, as {started}" if started else f"was retried at {ended_at}"
    )
    return Statement(
        state="started again" if started else "retried",
        execution=execution.id,
        headline=f"{was_held}{causes.get(outcome, '')}, and {goes_on}.",
    )


def _describe_upstreams_now(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[str]:
    """How those upstreams stand now that it had waited for."""
    blocking = [chain.upstream for chain in find_blocking(story.former_upstreams)]
    if blocking:
        yield f"As it is now: {describe_reasons(blocking, evidence.now)}"
    elif story.former_upstreams:
        names = join_names([chain.label for chain in story.former_upstreams])
        yield (
            f"As it is now, nothing of {names} keeps it any more: its gate lets it pass "
            "when it is asked again."
        )


def _offer_to_go_on(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Iterator[Remedy]:
    """How to go on although the upstreams still block. `attempt`: of the gate that held it."""
    gate = evidence.find_gate(attempt)
    if not find_blocking(story.former_upstreams) or gate is None:
        return
    restart = (
        build_start_command(evidence.name)
        if evidence.is_edited_since(story.execution)
        else build_retry_command(evidence.name, attempt.stage, story.execution.id)
    )
    yield Remedy(
        "go on all the same: ask the gate again, and when it waits, let it go",
        (restart, ("gatectl", "release", evidence.name)),
    )
    if variable := _BYPASS.search(gate.text):
        start = (
            *build_start_command(evidence.name),
            *("--variables", f"name={variable[1]},value=true"),
        )
        yield Remedy(
            "go on all the same, with a new execution that its gate lets pass without a look",
            (start,),
        )
