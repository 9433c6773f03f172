"""How executions move through a pipeline's stages, in the three execution modes (guide:
concepts-how-it-works, execution-modes).

- SUPERSEDED: the execution in a stage locks it. One execution waits before the stage, and a newer
  arrival supersedes it.
- QUEUED: the same lock, but all executions that arrive wait in order.
- PARALLEL: no lock.

An execution starts, arrives before a stage, enters it, advances through its actions, leaves it, and
arrives before the next.
"""

from __future__ import annotations

from typing import Literal

from sandbox.clock import utcnow
from sandbox.codepipeline import actions, conditions, events, providers, rollback
from sandbox.codepipeline.execution import (
    ConditionExecution,
    ConditionStatus,
    Declaration,
    ExecutionStatus,
    PipelineExecution,
    StageExecution,
)
from sandbox.codepipeline.pipeline import Pipeline, Stage


def start(pipeline: Pipeline, execution: PipelineExecution) -> None:
    """Record a new execution and let it arrive before the first stage."""
    _record(pipeline, execution)
    arrive(pipeline, execution, pipeline.stages[0])


def roll_back(pipeline: Pipeline, execution: PipelineExecution, stage: Stage) -> None:
    """Record a rollback and let it into the one stage that it runs, ahead of the executions that
    wait and whatever the transition (AWS does not say).
    """
    _record(pipeline, execution)
    enter(pipeline, execution, stage)


def _record(pipeline: Pipeline, execution: PipelineExecution) -> None:
    pipeline.history.append(execution)
    pipeline.by_id[execution.id] = execution
    pipeline.running[execution.id] = execution
    events.send_pipeline_event(pipeline, execution, "STARTED")


def arrive(pipeline: Pipeline, execution: PipelineExecution, stage: Stage) -> None:
    """Wait before a stage, and enter it if it is free. In SUPERSEDED mode the newest execution that
    waits supersedes the others.
    """
    stage.waiting.append(execution)
    admit_waiting(pipeline, stage)
    if pipeline.mode == "SUPERSEDED" and len(stage.waiting) > 1:
        newest = max(stage.waiting, key=lambda waiting: waiting.number)
        for older in [waiting for waiting in stage.waiting if waiting is not newest]:
            stage.waiting.remove(older)
            finish(pipeline, older, "Superseded", "SUPERSEDED")


def admit_waiting(pipeline: Pipeline, stage: Stage) -> None:
    """Let in the executions that wait, as far as the stage's lock and transition allow."""
    while stage.waiting and stage.occupant is None and stage.transition.enabled:
        enter(pipeline, stage.waiting.pop(0), stage)


def enter(pipeline: Pipeline, execution: PipelineExecution, stage: Stage) -> None:
    if pipeline.mode != "PARALLEL":
        stage.occupant = execution
    stage.latest = execution
    passage = StageExecution(execution, stage.declaration)
    execution.stages[stage.name] = passage
    execution.updated = utcnow()
    events.send_stage_event(pipeline, passage, "STARTED")
    advance(pipeline, passage)


def advance(pipeline: Pipeline, passage: StageExecution) -> None:
    """Take the next step in a stage: check its entry condition, run the actions of the next
    runOrder together, or end the stage.

    A failed action fails the stage at once and unlocks it; its other actions run on to their end
    (model: RetryStageExecution, "all actions that are still in progress continue working"; guide:
    "a failure releases the lock").
    """
    if passage.status == "Stopping":
        if not passage.running:
            end_stop(pipeline, passage)
        return
    if passage.status != "InProgress":
        return  # an action that ran on after the stage had ended
    condition = conditions.find_condition(passage.declaration)
    if passage.entry is None and condition is not None:
        conditions.check_condition(pipeline, passage, condition, lambda: advance(pipeline, passage))
        return
    if passage.entry is not None and not passage.entry.lets_in:
        if passage.entry.status == "Failed":
            leave(pipeline, passage, "Skipped" if passage.entry.result == "SKIP" else "Failed")
        return
    if any(action.status == "Failed" for action in passage.actions.values()):
        leave(pipeline, passage, "Failed")
        return
    if passage.running:
        return
    to_do = [
        declared
        for declared in passage.declaration["actions"]
        if declared["name"] not in passage.actions
    ]
    if to_do:
        next_order = min(declared["runOrder"] for declared in to_do)
        run_actions(
            pipeline,
            passage,
            [declared for declared in to_do if declared["runOrder"] == next_order],
        )
    else:
        leave(pipeline, passage, "Succeeded")


def run_actions(pipeline: Pipeline, passage: StageExecution, declared: list[Declaration]) -> None:
    """Start these actions in parallel."""
    begun = [
        actions.begin(pipeline, passage, declaration, lambda: advance(pipeline, passage))
        for declaration in declared
    ]
    for action in begun:
        providers.start(pipeline, action)


def leave(
    pipeline: Pipeline, passage: StageExecution, status: Literal["Succeeded", "Failed", "Skipped"]
) -> None:
    """End a stage: the execution continues or fails, and the next execution gets the lock.

    AWS lists no event of a skipped stage (guide: detect-state-changes-cloudwatch-events): none is
    sent. That a rollback ends with its stage follows from its purpose; AWS does not say it.
    """
    execution, stage = passage.execution, pipeline.stage(passage.name)
    passage.status = status
    if status != "Failed":
        if status == "Succeeded":
            events.send_stage_event(pipeline, passage, "SUCCEEDED")
        following = pipeline.stages.index(stage) + 1
        if execution.type == "STANDARD" and following < len(pipeline.stages):
            arrive(pipeline, execution, pipeline.stages[following])
        else:
            finish(pipeline, execution, "Succeeded", "SUCCEEDED")
    else:
        events.send_stage_event(pipeline, passage, "FAILED")
        finish(pipeline, execution, "Failed", "FAILED")
        if react_to_failure(pipeline, passage, stage):
            return
    unlock(pipeline, stage, execution)


def react_to_failure(pipeline: Pipeline, passage: StageExecution, stage: Stage) -> bool:
    """Do what the failed stage's onFailure says, before a waiting execution gets in. True if the
    stage is occupied again.

    RETRY once (guide: stage-retry), or ROLLBACK to the newest execution that succeeded in the
    stage, if there is one (guide: stage-rollback-auto). AWS does not say: a rollback is not rolled
    back again; ALL_ACTIONS cannot be retried while other actions still run; the default mode of a
    retry is FAILED_ACTIONS; a failed entry condition counts too. onFailure with conditions of its
    own is accepted but has no effect.
    """
    on_failure = passage.declaration.get("onFailure") or {}
    result = None if on_failure.get("conditions") else on_failure.get("result")
    if result == "RETRY" and not passage.auto_retries:
        all_actions = (on_failure.get("retryConfiguration") or {}).get("retryMode") == "ALL_ACTIONS"
        if not (all_actions and passage.running):
            retry(pipeline, passage, all_actions=all_actions, automatic=True)
            return True
    elif result == "ROLLBACK" and passage.execution.type == "STANDARD":
        target = next(
            (
                target
                for target in reversed(pipeline.history)
                if rollback.is_target(pipeline, stage, target)
            ),
            None,
        )
        if target is not None:
            # The console shows the failed execution's id (guide: executions-view); that the trigger
            # holds it is assumed.
            roll_back(
                pipeline,
                rollback.make_execution(
                    pipeline, target, "AutomatedRollback", passage.execution.id
                ),
                stage,
            )
            return True
    return False


def unlock(pipeline: Pipeline, stage: Stage, execution: PipelineExecution) -> None:
    if stage.occupant is execution:
        stage.occupant = None
        admit_waiting(pipeline, stage)


def finish(
    pipeline: Pipeline, execution: PipelineExecution, status: ExecutionStatus, state: str
) -> None:
    execution.status = status
    execution.updated = utcnow()
    pipeline.running.pop(execution.id, None)
    events.send_pipeline_event(pipeline, execution, state)


def stop(pipeline: Pipeline, execution: PipelineExecution, *, abandon: bool) -> None:
    """Start nothing more. Running actions are abandoned, or run to their end (guide:
    concepts-how-it-works, "stopped").
    """
    if execution.status == "InProgress":
        execution.status = "Stopping"
        execution.updated = utcnow()
        events.send_pipeline_event(pipeline, execution, "STOPPING")
    for stage in pipeline.stages:
        if execution in stage.waiting:
            stage.waiting.remove(execution)
    passage = next(
        (
            passage
            for passage in execution.stages.values()
            if passage.status in ("InProgress", "Stopping")
        ),
        None,
    )
    if passage is None:  # between two stages nothing runs
        finish(pipeline, execution, "Stopped", "STOPPED")
        return
    if passage.status == "InProgress":
        passage.status = "Stopping"
        events.send_stage_event(pipeline, passage, "STOPPING")
    if abandon:
        _abandon_passage(pipeline, passage, "ABANDONED", "Abandoned")
    advance(pipeline, passage)


def _abandon_passage(
    pipeline: Pipeline, passage: StageExecution, state: str, condition: ConditionStatus
) -> None:
    for action in passage.running:
        actions.abandon(pipeline, action, state)
    if passage.entry is not None and passage.entry.status == "InProgress":
        passage.entry.end(condition)


def end_stop(pipeline: Pipeline, passage: StageExecution) -> None:
    """End a stopping stage whose actions have ended. It is Stopped however they ended (AWS says so
    only for success), and unlocked (guide).
    """
    passage.status = "Stopped"
    events.send_stage_event(pipeline, passage, "STOPPED")
    finish(pipeline, passage.execution, "Stopped", "STOPPED")
    unlock(pipeline, pipeline.stage(passage.name), passage.execution)


def retry(
    pipeline: Pipeline, passage: StageExecution, *, all_actions: bool, automatic: bool = False
) -> None:
    """Run a failed or stopped stage again, its failed actions or all of them (model:
    RetryStageExecution).

    An entry condition that did not let the execution in is checked again, one that did is not (AWS
    does not say).
    """
    if passage.entry is not None and not passage.entry.lets_in:
        passage.entry = None
    passage.retried_automatically = automatic
    if automatic:
        passage.auto_retries += 1
    else:
        passage.retries += 1
    resume(pipeline, passage)
    again = [
        action.declaration
        for action in passage.actions.values()
        if all_actions or action.status not in ("Succeeded", "InProgress")
    ]
    for declaration in again:
        del passage.actions[declaration["name"]]
    if again and not all_actions:
        run_actions(pipeline, passage, again)
    else:
        advance(pipeline, passage)


def override(pipeline: Pipeline, passage: StageExecution, entry: ConditionExecution) -> None:
    """Let an execution in whatever its entry condition says. Running rules are abandoned (guide:
    stage-conditions, "Overriding").
    """
    conditions.abandon_rules(pipeline, entry)
    entry.end("Overridden")
    if passage.status == "Failed":
        resume(pipeline, passage)
    advance(pipeline, passage)


def resume(pipeline: Pipeline, passage: StageExecution) -> None:
    """Let a failed or stopped execution be in its stage again."""
    execution, stage = passage.execution, pipeline.stage(passage.name)
    execution.status = "InProgress"
    execution.attempt += 1
    execution.updated = passage.retried = utcnow()
    passage.status = "InProgress"
    pipeline.running[execution.id] = execution
    if pipeline.mode != "PARALLEL":
        stage.occupant = execution
    events.send_pipeline_event(pipeline, execution, "RESUMED")
    events.send_stage_event(pipeline, passage, "RESUMED")


def cancel_all(pipeline: Pipeline) -> None:
    """Cancel all running executions, because the pipeline is edited (model: PipelineExecution,
    status Cancelled).
    """
    for stage in pipeline.stages:
        stage.waiting.clear()
        stage.occupant = None
    for execution in list(pipeline.running.values()):
        for passage in execution.stages.values():
            _abandon_passage(pipeline, passage, "CANCELED", "Cancelled")
            if passage.status in ("InProgress", "Stopping"):
                passage.status = "Cancelled"
                events.send_stage_event(pipeline, passage, "CANCELED")
        finish(pipeline, execution, "Cancelled", "CANCELED")
