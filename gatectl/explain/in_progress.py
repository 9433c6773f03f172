"""An execution in progress, at its gate or elsewhere, and what may hold it up there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib.account.cycles import DEADLOCK_REMEDY
from chalicelib.account.gates import Gate
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import Attempt
from chalicelib.pipelines.upstream import find_deadlock
from chalicelib.pipelines.wait_cycles import read_mark
from chalicelib.wording.held_pipeline import describe_deadline
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, read_deployment_stage
from gatectl.explain.reasons import describe_causes, offer_human_actions
from gatectl.explain.statement import (
    Remedy,
    Statement,
    offer_log,
    offer_release,
    offer_stop,
    offer_transition,
)

MAX_ANSWER_TIME = timedelta(minutes=2)
"""Longer than a gate takes, Lambda's own start included."""
ASKED_AGAIN = "CodePipeline asks the gate again by itself, and that lets it pass"
INTERVAL_UNKNOWN = "AWS does not say how often it asks."
NOT_THE_GATE = "That is not the gate's doing."


# At its gate


def explain_open_gate(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Statement:
    """`attempt`: of the gate, in progress."""
    if not attempt.message:
        return _explain_missing_answer(evidence, story, attempt)
    execution, name, mark = story.execution, evidence.name, read_mark(attempt.mark)
    since = mark.since if mark else attempt.started
    lasts = evidence.format_wait(since)
    asked_again = f"{ASKED_AGAIN}: {INTERVAL_UNKNOWN}"
    if story.hold and story.hold.released_by:
        headline = f"{name} was let go by {story.hold.released_by}, after it had waited {lasts}."
        return Statement("let go", headline, outlook=asked_again)
    human_actions = tuple(offer_human_actions(evidence, story))
    remedies = (
        *human_actions,
        offer_release(name, execution.id if len(evidence.stories) > 1 else ""),
        offer_stop(name, execution.id),
    )
    if cycle := find_deadlock(story.waiting_for):
        headline = (
            f"Deadlock: {name} waits {lasts}, and none of these can go on before another does: "
            f"{cycle}."
        )
        outlook = "The gate that sees it when it is asked next fails its action."
        return Statement("deadlock", headline, (DEADLOCK_REMEDY,), outlook, remedies)
    if story.upstreams and not story.blocking:
        headline = (
            f"{name} waited {lasts}, and nothing keeps it any more: execution "
            f"{execution.short_id} is still at its gate."
        )
        return Statement("due", headline, outlook=asked_again, remedies=remedies)
    labels = [upstream.label for upstream in story.waiting_for]
    return Statement(
        "waits",
        f"{name} waits for {join_names(labels) if labels else 'what it depends on'} {lasts}, in "
        f"place: execution {execution.short_id} stays in progress at its stage {attempt.stage}, "
        f"action {attempt.action}.",
        describe_causes(evidence, story)
        if story.upstreams
        else (f"The gate said: {attempt.message}",),
        f"{ASKED_AGAIN} once that is over; {INTERVAL_UNKNOWN} "
        f"{_describe_deadline(evidence, attempt, since)}".strip(),
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
        f"The gate of {evidence.name} is being asked since "
        f"{format_time(attempt.started, evidence.now)}, for execution {story.execution.short_id}"
    )
    if evidence.now - attempt.started < MAX_ANSWER_TIME:
        return Statement("asked", f"{headline}.", outlook="It answers within seconds.")
    return Statement(
        "asked",
        f"{headline}, and has not answered.",
        ("It has died, or cannot reach AWS. Lambda tries it again twice by itself.",),
        "After 20 minutes without an answer CodePipeline fails the action.",
        (offer_log(read_deployment_stage(attempt), "gate"),),
    )


# Elsewhere


def explain_progress(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    execution, now = story.execution, evidence.now
    subject = f"Execution {execution.short_id} of {evidence.name}"
    reasons = tuple(describe_gates(evidence, story))
    if execution.status == "Stopping":
        headline = f"{subject} is being stopped: somebody has asked for that."
        outlook = "It ends when the actions that are under way have ended."
        return Statement("stopping", headline, reasons, outlook)
    stages = evidence.state.stages
    next_stage = next((stage for stage in stages if execution.id in stage.inbound), None)
    if next_stage and next_stage.transition_disabled:
        disabled = next_stage.disabled_since
        return Statement(
            "closed",
            f"{subject} waits for a person: the transition into its stage {next_stage.name} is "
            f"disabled{f' since {format_time(disabled, now)}' if disabled else ''}. {NOT_THE_GATE}",
            reasons,
            "It goes on when somebody enables it.",
            (offer_transition(evidence.name, next_stage.name),),
        )
    if next_stage and next_stage.busy and next_stage.execution:
        replaceable = evidence.pipeline.mode == "SUPERSEDED"
        return Statement(
            "queued",
            f"{subject} stands before the stage {next_stage.name}, behind execution "
            f"{next_stage.execution[:8]}, which is in it.",
            reasons,
            "It goes on when that one has left the stage"
            f"{'; should a newer one come, that takes its place' if replaceable else ''}.",
        )
    open_actions = [attempt for attempt in story.attempts if attempt.status == "InProgress"]
    for approval in open_actions:
        if approval.provider == "Manual":
            return Statement(
                "asks",
                f"{subject} waits for a person: the approval {approval.action} in its stage "
                f"{approval.stage} is open since {format_time(approval.started, now)}. "
                f"{NOT_THE_GATE}",
                reasons,
                "It goes on when somebody approves, and fails when somebody rejects.",
                (Remedy("answer it", link=evidence.links.pipeline(evidence.name)),),
            )
    places = [f"{action.action} in its stage {action.stage}" for action in open_actions]
    headline = (
        f"{subject} runs since {format_time(execution.started, now)}"
        f"{f', and is at {join_names(places)}' if places else ''}. It waits for no other pipeline "
        "now."
    )
    return Statement("runs", headline, reasons)


def describe_gates(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[str]:
    """What its gates have told the execution, and which gates are still ahead of it."""
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
                f"It has not come to its gate in the stage {gate.stage} yet"
                f"{f', which waits for {join_names(labels)}' if labels else ''}."
                f"{_describe_observer(gate)}"
            )
    if story.rule and story.execution.running:
        yield (
            "It was held before, and its stage was retried: the rule of that hold stays until "
            "this execution has ended."
        )


def _describe_observer(gate: Gate) -> str:
    observes = gate.parameters and gate.parameters.observe
    return " It only observes, and never holds." if observes else ""
