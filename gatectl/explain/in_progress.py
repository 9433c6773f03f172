"""An execution in progress, at its gate or elsewhere, and what keeps it there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib.account.cycles import DEADLOCK_REMEDY
from chalicelib.account.gates import Gate
from chalicelib.phrases import describe_person, format_time, join_names
from chalicelib.pipelines.execution import Attempt
from chalicelib.pipelines.state import StageState
from chalicelib.pipelines.upstream import find_deadlock
from chalicelib.pipelines.wait_cycles import read_mark
from chalicelib.wording.held_pipeline import describe_deadline
from gatectl.explain.evidence import (
    ExecutionStory,
    ExplainEvidence,
    find_blocking,
    read_deployment_stage,
)
from gatectl.explain.reasons import (
    describe_causes,
    describe_story_revisions,
    describe_upstream,
    offer_human_actions,
)
from gatectl.explain.statement import (
    Remedy,
    Statement,
    offer_cancel,
    offer_log,
    offer_release,
    offer_transition,
)

MAX_ANSWER_TIME = timedelta(minutes=2)
"""A gate takes less, even if Lambda has to start it first."""
INVOKED_AGAIN = "CodePipeline invokes the gate again automatically, and the gate lets it pass"
INTERVAL_UNKNOWN = "AWS does not say how often CodePipeline invokes it."
NOT_THE_GATE = "The gate is not the cause."


# At its gate


def explain_open_gate(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Statement:
    """`attempt`: the gate's attempt that is in progress."""
    if not attempt.message:
        return _explain_missing_answer(evidence, story, attempt)
    execution, name, mark = story.execution, evidence.name, read_mark(attempt.mark)
    since = mark.since if mark else attempt.started
    lasts = evidence.format_wait(since)
    invoked_again = f"{INVOKED_AGAIN}. {INTERVAL_UNKNOWN}"
    if story.hold and story.hold.released_by:
        person = describe_person(story.hold.released_by, story.hold.comment)
        headline = f"{name} was released by {person}. It had been waiting {lasts}."
        return Statement("let go", headline, outlook=invoked_again)
    if story.hold and story.hold.canceled_by and story.hold.cancels_wait(since):
        person = describe_person(story.hold.canceled_by, story.hold.comment)
        headline = f"The wait of {name} was canceled by {person}. It had been waiting {lasts}."
        outlook = (
            "CodePipeline invokes the gate again automatically, and the gate fails execution "
            f"{execution.short_id}. Nothing is started. {INTERVAL_UNKNOWN}"
        )
        return Statement("canceled", headline, outlook=outlook)
    several = len(evidence.stories) > 1
    human_actions = tuple(offer_human_actions(evidence, story))
    remedies = (
        *human_actions,
        offer_release(name, execution.id if several else ""),
        offer_cancel(name, execution.id if several else ""),
    )
    if cycle := find_deadlock(story.waiting_for):
        headline = f"Deadlock: {cycle}. None of them can continue. {name} has been waiting {lasts}."
        outlook = "The gate that notices it at its next check fails its action."
        return Statement("deadlock", headline, (DEADLOCK_REMEDY,), outlook, remedies)
    if story.upstreams and not story.blocking:
        headline = (
            f"{name} has been waiting {lasts}. Nothing keeps it waiting anymore, but execution "
            f"{execution.short_id} is still at its gate."
        )
        return Statement("due", headline, outlook=invoked_again, remedies=remedies)
    labels = [upstream.label for upstream in story.waiting_for]
    names = join_names(labels) if labels else "its upstreams"
    return Statement(
        "waits",
        f"{name} has been waiting for {names} {lasts}. Execution {execution.short_id} stays in "
        f"progress at {attempt.action} in its stage {attempt.stage}.",
        describe_causes(evidence, story)
        if story.upstreams
        else (f"The gate said: {attempt.message}",),
        f"{INVOKED_AGAIN} once it no longer has to wait for {names}. "
        f"{describe_story_revisions(evidence, story)}"
        f"{_describe_deadline(evidence, attempt, since)}{INTERVAL_UNKNOWN}",
        remedies,
        is_fine=not human_actions,
    )


def _describe_deadline(evidence: ExplainEvidence, attempt: Attempt, since: datetime) -> str:
    gate = evidence.find_gate(attempt)
    if gate is None or gate.parameters is None or gate.parameters.give_up_minutes is None:
        return ""
    deadline = since + timedelta(minutes=gate.parameters.give_up_minutes)
    return describe_deadline(deadline, gate.parameters.on_give_up, evidence.now)


def _explain_missing_answer(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Statement:
    headline = (
        f"CodePipeline invoked the gate of {evidence.name} for execution "
        f"{story.execution.short_id} at {format_time(attempt.started, evidence.now)}"
    )
    if evidence.now - attempt.started < MAX_ANSWER_TIME:
        return Statement("asked", f"{headline}.", outlook="The gate answers within seconds.")
    return Statement(
        "asked",
        f"{headline}, and it has not answered.",
        ("The gate crashed or cannot reach AWS. Lambda retries it twice automatically.",),
        "After 20 minutes without an answer, CodePipeline fails the action.",
        (offer_log(read_deployment_stage(attempt), "gate"),),
    )


# Elsewhere


def explain_progress(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    execution, now = story.execution, evidence.now
    subject = f"Execution {execution.short_id} of {evidence.name}"
    reasons = (*describe_gates(evidence, story), *_describe_upstreams_now(evidence, story))
    if execution.status == "Stopping":
        headline = f"{subject} is being stopped at someone's request."
        outlook = "It ends when its running actions have ended."
        return Statement("stopping", headline, reasons, outlook)
    next_stage = _find_next_stage(evidence, story)
    if next_stage and next_stage.transition_disabled:
        since = next_stage.disabled_since
        state = f"has been disabled since {format_time(since, now)}" if since else "is disabled"
        return Statement(
            "closed",
            f"{subject} is waiting for a person: the transition into its stage {next_stage.name} "
            f"{state}. {NOT_THE_GATE}",
            reasons,
            "It continues when someone enables the transition.",
            (offer_transition(evidence.name, next_stage.name),),
        )
    if next_stage and next_stage.busy and next_stage.execution:
        replaceable = evidence.pipeline.mode == "SUPERSEDED"
        return Statement(
            "queued",
            f"{subject} is waiting to enter the stage {next_stage.name}, because execution "
            f"{next_stage.execution[:8]} is in it.",
            reasons,
            "It continues when that execution has left the stage."
            f"{' A newer execution would replace it.' if replaceable else ''}",
        )
    if approval := _find_open_approval(story):
        return Statement(
            "asks",
            f"{subject} is waiting for a person: the approval {approval.action} in its stage "
            f"{approval.stage} has been open since {format_time(approval.started, now)}. "
            f"{NOT_THE_GATE}",
            reasons,
            "It continues when someone approves it, and fails when someone rejects it.",
            (Remedy("respond to the approval", link=evidence.links.pipeline(evidence.name)),),
        )
    open_actions = [attempt for attempt in story.attempts if attempt.status == "InProgress"]
    places = [f"{action.action} in its stage {action.stage}" for action in open_actions]
    headline = (
        f"{subject} has been running since {format_time(execution.started, now)}"
        f"{f', and is at {join_names(places)}' if places else ''}. It is not waiting for another "
        "pipeline."
    )
    return Statement("runs", headline, reasons)


def list_passed_gates(evidence: ExplainEvidence, story: ExecutionStory) -> list[Attempt]:
    """Return the gates behind which a person or another execution keeps this one; none if nothing
    does. What they have checked may have changed since.
    """
    next_stage = _find_next_stage(evidence, story)
    is_kept = next_stage and (next_stage.transition_disabled or next_stage.busy)
    if not story.execution.running or not (is_kept or _find_open_approval(story)):
        return []
    return [
        attempt
        for attempt in story.gates
        if attempt.status == "Succeeded" and not _observes(evidence.find_gate(attempt))
    ]


def _find_next_stage(evidence: ExplainEvidence, story: ExecutionStory) -> StageState | None:
    """Return the stage that the execution waits to enter."""
    stages = evidence.state.stages
    return next((stage for stage in stages if story.execution.id in stage.inbound), None)


def _find_open_approval(story: ExecutionStory) -> Attempt | None:
    return next(
        (
            attempt
            for attempt in story.attempts
            if attempt.status == "InProgress" and attempt.provider == "Manual"
        ),
        None,
    )


def _describe_upstreams_now(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[str]:
    """Yield what the upstreams are doing that a gate has checked before a person kept the
    execution.
    """
    blocking = [chain.upstream for chain in find_blocking(story.former_upstreams)]
    if not blocking:
        if story.former_upstreams:
            names = join_names([chain.label for chain in story.former_upstreams])
            yield f"Currently, it would not have to wait for {names}."
        return
    text = f"Currently: {' '.join(describe_upstream(each, evidence.now) for each in blocking)}"
    reached = {(attempt.stage, attempt.action) for attempt in story.gates}
    checked_later = {
        dependency.pipeline
        for gate in evidence.pipeline.gates
        if (gate.stage, gate.action) not in reached and gate.parameters and not _observes(gate)
        for dependency in gate.parameters.depends_on
    }
    unchecked = [each.label for each in blocking if each.dependency.pipeline not in checked_later]
    if unchecked:
        text += (
            f" {evidence.name} does not wait for {join_names(unchecked)} again: it has passed its "
            "gate."
        )
    yield text


def describe_gates(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[str]:
    """Yield which gates the execution has passed, and which it has not reached yet."""
    attempts = {(attempt.stage, attempt.action): attempt for attempt in story.gates}
    for gate in evidence.pipeline.gates:
        attempt = attempts.get((gate.stage, gate.action))
        if attempt and attempt.status == "Succeeded":
            message = f": {attempt.message.rstrip('.')}" if attempt.message else ""
            yield (
                f"Its gate in the stage {gate.stage} let it pass at "
                f"{format_time(attempt.started, evidence.now)}{message}.{_describe_observer(gate)}"
            )
        elif attempt is None and story.execution.running:
            labels = [
                dependency.label
                for dependency in (gate.parameters.depends_on if gate.parameters else ())
            ]
            yield (
                f"It has not reached its gate in the stage {gate.stage} yet"
                f"{f', which waits for {join_names(labels)}' if labels else ''}."
                f"{_describe_observer(gate)}"
            )
    if story.rule and story.execution.running:
        yield (
            "It was held before, and its stage was retried. The rule of that hold stays until this "
            "execution has ended."
        )


def _describe_observer(gate: Gate) -> str:
    return " That gate only observes, and never holds." if _observes(gate) else ""


def _observes(gate: Gate | None) -> bool:
    return bool(gate and gate.parameters and gate.parameters.observe)
