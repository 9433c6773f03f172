"""An execution that is over: how it ended, and whether anything starts again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from chalicelib.deployment import name_gate_function
from chalicelib.errors import REFUSALS
from chalicelib.holds.fate import find_closed_gate
from chalicelib.holds.hold import clean_comment
from chalicelib.holds.verdict import Verdict
from chalicelib.phrases import describe_person, format_time, join_names
from chalicelib.pipelines.execution import Attempt
from chalicelib.records.outcomes import Outcome
from gatectl.doctor.finding import Words
from gatectl.explain.evidence import (
    ExecutionStory,
    ExplainEvidence,
    find_blocking,
    read_deployment_stage,
)
from gatectl.explain.in_progress import NOT_THE_GATE, describe_gates
from gatectl.explain.reasons import describe_upstream, offer_new_start
from gatectl.explain.retry import find_end
from gatectl.explain.statement import (
    CHECK,
    DOCTOR,
    Remedy,
    Statement,
    build_retry_command,
    build_start_command,
    offer_log,
    offer_permissions,
    offer_retry,
)

NOTHING_STARTS = "Nothing starts automatically."
ENDED = {
    "Failed": "failed",
    "Superseded": "was superseded",
    "Stopped": "was stopped",
    "Cancelled": "was cancelled",
}
HINTS = {
    "Stopped": "Stopping an execution also ends its hold.",
    "Cancelled": "The pipeline was edited while it ran, which cancels running executions. gatectl "
    "attach and gatectl detach also edit it.",
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
    """Return the gate's attempt that gave up, was canceled, or whose hold no longer has a rule."""
    gate = find_gate_that_failed(story)
    if gate is None or gate.verdict in (Verdict.GAVE_UP, Verdict.CANCELED):
        return gate
    return gate if is_hold_lost(evidence, story, gate) else None


def is_hold_lost(evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt) -> bool:
    """Whether the gate held the execution, and the rule of the hold no longer exists."""
    is_replaced = evidence.find_newer(story.execution) is not None
    return gate.verdict is Verdict.HELD and story.rule is None and not is_replaced


def explain_end(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    execution, name = story.execution, evidence.name
    newer = evidence.find_newer(execution)
    ended_at = format_time(execution.updated, evidence.now)
    gates = tuple(describe_gates(evidence, story))
    ended = (
        f"Execution {execution.short_id} of {name} "
        f"{ENDED.get(execution.status, execution.status)} at {ended_at}."
    )
    if newer and execution.status in ("Failed", "Superseded"):
        headline = f"{ended} A newer execution replaced it: {newer.short_id} is {newer.status}."
        see = Remedy(f"see what {name} is doing now", (("gatectl", "explain", name),))
        return Statement("taken over", headline, gates, "It is not started again.", (see,))
    if gate := find_gate_that_failed(story):
        return _explain_failure_by_gate(evidence, story, gate)
    if execution.status == "Failed":
        return _explain_failure_elsewhere(evidence, story)
    if execution.status == "Succeeded":
        headline = (
            f"{name} is not waiting: its last execution {execution.short_id} succeeded at "
            f"{ended_at}."
        )
        return Statement("succeeded", headline, gates)
    abandoned = [attempt for attempt in story.attempts if attempt.status == "Abandoned"]
    if abandoned and execution.status == "Stopped":
        names = join_names(list(dict.fromkeys(attempt.action for attempt in abandoned)))
        gates = (
            f"It was stopped without waiting for {names}, which may still be working: AWS does not "
            "end what an abandoned action does.",
            *gates,
        )
    return Statement(
        execution.status.lower(),
        f"{ended} {HINTS.get(execution.status, '')}".strip(),
        gates,
        NOTHING_STARTS,
        (offer_new_start(evidence),),
    )


def _explain_failure_elsewhere(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    """The execution failed, but not at a gate."""
    execution = story.execution
    failures = [attempt for attempt in story.attempts if attempt.status == "Failed"]
    where, message = "", []
    link = evidence.links.execution(evidence.name, execution.id)
    remedies = [Remedy("see it in the AWS console", link=link), offer_new_start(evidence)]
    if failures:
        failure = failures[-1]
        where = f" at {failure.action} in its stage {failure.stage}"
        message = [f"The action said: {failure.message}"] if failure.message else []
        if not evidence.is_edited_since(execution):
            to = "retry its failed actions in the same execution"
            remedies.insert(0, offer_retry(evidence.name, failure.stage, execution.id, to))
    return Statement(
        "failed",
        f"{evidence.name} is not waiting: execution {execution.short_id} failed{where}, at "
        f"{format_time(execution.updated, evidence.now)}. {NOT_THE_GATE}",
        (*message, *describe_gates(evidence, story)),
        NOTHING_STARTS,
        tuple(remedies),
    )


# The gate failed it, and no rule holds it


def _explain_failure_by_gate(
    evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt
) -> Statement:
    if gate.verdict is Verdict.HELD:
        return _explain_lost_hold(evidence, story, gate)
    restarts = tuple(_offer_restarts(evidence, story, gate))
    says: tuple[str, ...] = (f"The gate said: {gate.message}",) if gate.message else ()
    if gate.verdict is Verdict.GAVE_UP:
        state, ending = "gave up", "gave up waiting"
        says = (*says, *_describe_upstreams_now(evidence, story))
        remedies = (*restarts, *_offer_to_continue(evidence, story, gate))
    elif gate.verdict is Verdict.CANCELED:
        state, ending = "canceled", "stopped waiting because a person canceled its wait"
        says = (*says, *_describe_upstreams_now(evidence, story))
        remedies = (*restarts, *_offer_to_continue(evidence, story, gate))
    elif gate.verdict is Verdict.DEADLOCK:
        state, ending = "deadlock", "noticed a deadlock"
        remedies = (CHECK, *restarts)
    elif gate.error in REFUSALS or gate.verdict in (Verdict.REFUSED, Verdict.REFUSED_ELSEWHERE):
        state, ending = "refused", "refused"
        says = tuple(_describe_refusal(evidence, gate))
        elsewhere = gate.verdict is Verdict.REFUSED_ELSEWHERE
        remedies = (
            (offer_permissions(elsewhere=elsewhere), DOCTOR, *restarts)
            if gate.error == "PermissionError"
            else (CHECK, *restarts)
        )
    else:
        state, ending = "unanswered", "did not answer, so CodePipeline failed it"
        remedies = (offer_log(read_deployment_stage(gate), "gate"), DOCTOR, *restarts)
    headline = (
        f"{evidence.name} is not waiting: the gate in its stage {gate.stage} {ending} at "
        f"{format_time(story.execution.updated, evidence.now)}."
    )
    return Statement(state, headline, says, NOTHING_STARTS, remedies)


def _describe_refusal(evidence: ExplainEvidence, attempt: Attempt) -> Iterator[str]:
    yield f"The gate said: {attempt.message}"
    gate = evidence.find_gate(attempt)
    if gate and attempt.error == "ConfigurationError":
        yield (
            f"With its current parameters it would refuse again: {gate.problem}"
            if gate.problem and gate.problem != attempt.message
            else f"The UserParameters of its action {attempt.action} are: {gate.text}"
        )


def _offer_restarts(
    evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt
) -> Iterator[Remedy]:
    if not evidence.is_edited_since(story.execution):
        to = "let the gate check the same execution again"
        yield offer_retry(evidence.name, gate.stage, story.execution.id, to)
    yield offer_new_start(evidence)


# It was held, and the rule of the hold no longer exists


def _explain_lost_hold(
    evidence: ExplainEvidence, story: ExecutionStory, gate: Attempt
) -> Statement:
    if end := find_end(story.log):
        return _explain_logged_end(evidence, story, gate, *end)
    declared = evidence.find_gate(gate)
    minutes = declared.parameters.give_up_minutes if declared and declared.parameters else None
    is_past_deadline = minutes and evidence.now >= gate.started + timedelta(minutes=minutes)
    if story.log and story.log.unread:
        probably = "the wait was given up" if is_past_deadline else "someone removed it"
        cause = (
            f"The rule of its hold no longer exists, probably because {probably}. The retry "
            f"function's log would say, but it could not be read: {story.log.unread}."
        )
    else:
        cause = (
            "The rule of its hold no longer exists. The retry function did not remove it, so "
            "someone removed it by hand."
        )
    return Statement(
        "removed",
        f"{evidence.name} is no longer waiting, and nothing will start it again. "
        f"{_describe_past_wait(evidence, gate)}.",
        (cause, *_describe_upstreams_now(evidence, story)),
        NOTHING_STARTS,
        (
            *_offer_restarts(evidence, story, gate),
            *_offer_to_continue(evidence, story, gate),
            offer_log(read_deployment_stage(gate), "retry"),
        ),
    )


def _describe_past_wait(evidence: ExplainEvidence, gate: Attempt) -> str:
    labels = [dependency.label for dependency in evidence.list_dependencies(gate)]
    names = join_names(labels) if labels else "its upstreams"
    return f"It had been waiting for {names} since {format_time(gate.started, evidence.now)}"


def _explain_logged_end(
    evidence: ExplainEvidence,
    story: ExecutionStory,
    gate: Attempt,
    moment: datetime,
    record: dict[str, Any],
    outcome: Outcome,
) -> Statement:
    """`record`: what the retry function logged at `moment`, when it ended the hold."""
    ended_at, started = format_time(moment, evidence.now), record.get("started")
    was_held = (
        f"Execution {story.execution.short_id} of {evidence.name} was held at "
        f"{format_time(gate.started, evidence.now)}"
    )
    if outcome is Outcome.DROPPED and (replaced_by := record.get("replaced_by")):
        headline = f"{was_held}, and has been started again as {replaced_by}."
        return Statement("started again", headline)
    if outcome is Outcome.CANCELED:
        person = describe_person(
            str(record.get("canceled_by")), clean_comment(record.get("comment"))
        )
        return Statement(
            "canceled",
            f"{evidence.name} is no longer waiting: its wait was canceled by {person} at "
            f"{ended_at}. {_describe_past_wait(evidence, gate)}.",
            tuple(_describe_upstreams_now(evidence, story)),
            NOTHING_STARTS,
            (*_offer_restarts(evidence, story, gate), *_offer_to_continue(evidence, story, gate)),
        )
    is_given_up = outcome is Outcome.GAVE_UP and record.get("on_give_up") != "continue"
    if is_given_up or outcome is Outcome.DROPPED:
        reasons = [f"The retry function logged: {outcome.word}: {record.get('reason', '')}."]
        remedies = [*_offer_restarts(evidence, story, gate)]
        ending, duration = "its hold ended", ""
        if start_command := record.get("start_command"):
            ending = "it could not be continued"
            remedies = [_offer_logged_start(evidence, story, tuple(shlex.split(start_command)))]
        elif is_given_up:
            ending, duration = "it gave up", ", as long as give_up_minutes allows"
            reasons += _describe_upstreams_now(evidence, story)
            remedies += _offer_to_continue(evidence, story, gate)
        return Statement(
            "gave up" if is_given_up else "dropped",
            f"{evidence.name} is no longer waiting: {ending} at {ended_at}. "
            f"{_describe_past_wait(evidence, gate)}{duration}.",
            tuple(reasons),
            NOTHING_STARTS,
            tuple(remedies),
        )
    releaser = describe_person(str(record.get("released_by")), clean_comment(record.get("comment")))
    causes = {
        Outcome.LET_GO: f" It was released by {releaser}.",
        Outcome.GAVE_UP: " Then give_up_minutes was over.",
    }
    state, continued = "retried", f"Its stage was retried at {ended_at}."
    if started and outcome is not Outcome.RETRIED:
        state, continued = "started again", f"It was started again at {ended_at} as {started}."
    return Statement(state, f"{was_held}.{causes.get(outcome, '')} {continued}")


def _offer_logged_start(evidence: ExplainEvidence, story: ExecutionStory, command: Words) -> Remedy:
    """`command`: starts the pipeline as it was held, but the values of variables are missing."""
    if "--variables" not in command:
        return Remedy("start it by hand", (command,))
    show = (
        *("aws", "codepipeline", "get-pipeline-execution", "--pipeline-name", evidence.name),
        *("--pipeline-execution-id", story.execution.id, "--query", "pipelineExecution.variables"),
    )
    to = "start it by hand (fill in the values of its variables, which the first command shows)"
    return Remedy(to, (show, command))


def _describe_upstreams_now(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[str]:
    """Yield what the upstreams that it was waiting for are doing now."""
    blocking = [chain.upstream for chain in find_blocking(story.former_upstreams)]
    if blocking:
        reasons = [describe_upstream(upstream, evidence.now) for upstream in blocking]
        yield f"Currently: {' '.join(reasons)}"
    elif story.former_upstreams:
        names = join_names([chain.label for chain in story.former_upstreams])
        yield (
            f"Currently, it would not have to wait for {names}: if its gate checks again, it "
            "passes."
        )


def _offer_to_continue(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Iterator[Remedy]:
    """Yield how to continue although upstreams still block. `attempt`: of the gate that held it."""
    gate = evidence.find_gate(attempt)
    if not find_blocking(story.former_upstreams) or gate is None:
        return
    restart = (
        build_start_command(evidence.name)
        if evidence.is_edited_since(story.execution)
        else build_retry_command(evidence.name, attempt.stage, story.execution.id)
    )
    to = "continue now anyway: let the gate check again, and when it waits, release it"
    yield Remedy(to, (restart, ("gatectl", "release", evidence.name)))
    if variable := _BYPASS.search(gate.text):
        option = ("--variables", f"name={variable[1]},value=true")
        to = "continue now anyway with a new execution that bypasses its gate"
        yield Remedy(to, ((*build_start_command(evidence.name), *option),))
