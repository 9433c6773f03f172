"""An execution that is in progress: at its gate, which waits in place or is just being asked; or
elsewhere, and what may hold it up there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib.account.cycles import DEADLOCK_REMEDY
from chalicelib.account.gates import Gate
from chalicelib.parameters import Parameters
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import Attempt
from chalicelib.pipelines.state import StageState
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
from gatectl.wording import format_duration

MAX_ANSWER_TIME = timedelta(minutes=2)
"""Longer than a gate takes, Lambda's own start included."""
ASKED_AGAIN = "CodePipeline asks the gate again by itself, and that lets it pass"
INTERVAL_UNKNOWN = "AWS does not say how often it asks."


# At its gate


def explain_open_gate(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Statement:
    """`attempt`: of the gate, in progress."""
    if not attempt.message:
        return _explain_missing_answer(evidence, story, attempt)
    execution, name = story.execution, evidence.name
    gate, mark = evidence.find_gate(attempt), read_mark(attempt.mark)
    since = mark.since if mark else attempt.started
    lasts = f"since {format_time(since, evidence.now)} ({format_duration(evidence.now - since)})"
    if story.hold and story.hold.released_by:
        return Statement(
            state="let go",
            execution=execution.id,
            headline=(
                f"{name} was let go by {story.hold.released_by}, after it had waited {lasts}."
            ),
            outlook=f"{ASKED_AGAIN}: {INTERVAL_UNKNOWN}",
        )
    human_actions = tuple(offer_human_actions(evidence, story))
    several = len(evidence.stories) > 1
    remedies = (
        *human_actions,
        offer_release(name, execution.id if several else ""),
        offer_stop(name, execution.id),
    )
    if cycle := find_deadlock(story.waiting_for):
        return Statement(
            state="deadlock",
            execution=execution.id,
            headline=(
                f"Deadlock: {name} waits {lasts}, and none of these can go on before "
                f"another does: {cycle}."
            ),
            reasons=(DEADLOCK_REMEDY,),
            outlook="The gate that sees it when it is asked next fails its action.",
            remedies=remedies,
        )
    if story.upstreams and not story.blocking:
        return Statement(
            state="due",
            execution=execution.id,
            headline=(
                f"{name} waited {lasts}, and nothing keeps it any more: execution "
                f"{execution.short_id} is still at its gate."
            ),
            outlook=f"{ASKED_AGAIN}: {INTERVAL_UNKNOWN}",
            remedies=remedies,
        )
    labels = [upstream.label for upstream in story.waiting_for]
    names = join_names(labels) if labels else "what it depends on"
    deadline = _describe_deadline(evidence, gate.parameters if gate else None, since)
    return Statement(
        state="waits",
        execution=execution.id,
        headline=(
            f"{name} waits for {names} {lasts}, in place: execution {execution.short_id} "
            f"stays in progress at its stage {attempt.stage}, action {attempt.action}."
        ),
        reasons=(
            describe_causes(evidence, story)
            if story.upstreams
            else (f"The gate said: {attempt.message}",)
        ),
        outlook=f"{ASKED_AGAIN} once that is over; {INTERVAL_UNKNOWN} {deadline}".strip(),
        is_fine=not human_actions,
        remedies=remedies,
    )


def _describe_deadline(
    evidence: ExplainEvidence, parameters: Parameters | None, since: datetime
) -> str:
    if parameters is None or parameters.give_up_minutes is None:
        return ""
    deadline = since + timedelta(minutes=parameters.give_up_minutes)
    return describe_deadline(deadline, parameters.on_give_up, evidence.now)


def _explain_missing_answer(
    evidence: ExplainEvidence, story: ExecutionStory, attempt: Attempt
) -> Statement:
    headline = (
        f"The gate of {evidence.name} is being asked since "
        f"{format_time(attempt.started, evidence.now)}, for execution {story.execution.short_id}"
    )
    if evidence.now - attempt.started < MAX_ANSWER_TIME:
        return Statement(
            state="asked",
            execution=story.execution.id,
            headline=f"{headline}.",
            outlook="It answers within seconds.",
        )
    return Statement(
        state="asked",
        execution=story.execution.id,
        headline=f"{headline}, and has not answered.",
        reasons=("It has died, or cannot reach AWS. Lambda tries it again twice by itself.",),
        outlook="After 20 minutes without an answer CodePipeline fails the action.",
        remedies=(offer_log(read_deployment_stage(attempt), "gate"),),
    )


# Elsewhere


def explain_progress(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    execution = story.execution
    subject = f"Execution {execution.short_id} of {evidence.name}"
    reasons = tuple(describe_gates(evidence, story))
    if execution.status == "Stopping":
        return Statement(
            state="stopping",
            execution=execution.id,
            headline=f"{subject} is being stopped: somebody has asked for that.",
            reasons=reasons,
            outlook="It ends when the actions that are under way have ended.",
        )
    stages = evidence.state.stages
    next_stage = next((stage for stage in stages if execution.id in stage.inbound), None)
    if next_stage and next_stage.transition_disabled:
        return _explain_disabled_transition(evidence, story, next_stage, reasons)
    if next_stage and next_stage.busy and next_stage.execution:
        newer_takes_its_place = (
            "; should a newer one come, that takes its place"
            if evidence.pipeline.mode == "SUPERSEDED"
            else ""
        )
        return Statement(
            state="queued",
            execution=execution.id,
            headline=(
                f"{subject} stands before the stage {next_stage.name}, behind execution "
                f"{next_stage.execution[:8]}, which is in it."
            ),
            reasons=reasons,
            outlook=f"It goes on when that one has left the stage{newer_takes_its_place}.",
        )
    open_actions = [attempt for attempt in story.attempts if attempt.status == "InProgress"]
    approval = next((action for action in open_actions if action.provider == "Manual"), None)
    if approval:
        return _explain_approval(evidence, story, approval, reasons)
    places = [f"{action.action} in its stage {action.stage}" for action in open_actions]
    where = f", and is at {join_names(places)}" if places else ""
    return Statement(
        state="runs",
        execution=execution.id,
        headline=(
            f"{subject} runs since {format_time(execution.started, evidence.now)}{where}. It "
            "waits for no other pipeline now."
        ),
        reasons=reasons,
    )


def _explain_disabled_transition(
    evidence: ExplainEvidence,
    story: ExecutionStory,
    next_stage: StageState,
    reasons: tuple[str, ...],
) -> Statement:
    disabled = next_stage.disabled_since
    since = f" since {format_time(disabled, evidence.now)}" if disabled else ""
    return Statement(
        state="closed",
        execution=story.execution.id,
        headline=(
            f"Execution {story.execution.short_id} of {evidence.name} waits for a person: the "
            f"transition into its stage {next_stage.name} is disabled{since}. That is not the "
            "gate's doing."
        ),
        reasons=reasons,
        outlook="It goes on when somebody enables it.",
        remedies=(offer_transition(evidence.name, next_stage.name),),
    )


def _explain_approval(
    evidence: ExplainEvidence,
    story: ExecutionStory,
    approval: Attempt,
    reasons: tuple[str, ...],
) -> Statement:
    return Statement(
        state="asks",
        execution=story.execution.id,
        headline=(
            f"Execution {story.execution.short_id} of {evidence.name} waits for a person: the "
            f"approval {approval.action} in its stage {approval.stage} is open since "
            f"{format_time(approval.started, evidence.now)}. That is not the gate's doing."
        ),
        reasons=reasons,
        outlook="It goes on when somebody approves, and fails when somebody rejects.",
        remedies=(Remedy("answer it", link=evidence.links.pipeline(evidence.name)),),
    )


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
            depends_on = gate.parameters.depends_on if gate.parameters else ()
            names = (
                join_names([dependency.label for dependency in depends_on]) if depends_on else ""
            )
            waits = f", which waits for {names}" if names else ""
            yield (
                f"It has not come to its gate in the stage {gate.stage} yet{waits}."
                f"{_describe_observer(gate)}"
            )
    if story.rule and story.execution.running:
        yield (
            "It was held before, and its stage was retried: the rule of that hold stays "
            "until this execution has ended."
        )


def _describe_observer(gate: Gate) -> str:
    observes = gate.parameters and gate.parameters.observe
    return " It only observes, and never holds." if observes else ""
