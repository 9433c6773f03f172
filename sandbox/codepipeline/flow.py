"""How executions move through a pipeline's stages, in the three execution modes (guide: concepts-how-it-works, execution-modes).

- SUPERSEDED: a stage is locked by the one execution in it; one waits before it, and a newer arrival supersedes that one.
- QUEUED: the same lock; all that arrive wait in order.
- PARALLEL: no lock.

An execution goes: start, arrive before a stage, enter it, advance through its actions, leave it, arrive before the next.
"""

from __future__ import annotations

from sandbox.clock import utcnow
from sandbox.codepipeline import actions, events, providers
from sandbox.codepipeline.execution import Declaration, ExecutionStatus, PipelineExecution, StageExecution
from sandbox.codepipeline.pipeline import Pipeline, Stage


def start(pipeline: Pipeline, execution: PipelineExecution) -> None:
    """Record a new execution and let it arrive before the first stage."""
    pipeline.history.append(execution)
    pipeline.by_id[execution.id] = execution
    pipeline.running[execution.id] = execution
    events.pipeline_event(pipeline, execution, "STARTED")
    arrive(pipeline, execution, pipeline.stages[0])


def arrive(pipeline: Pipeline, execution: PipelineExecution, stage: Stage) -> None:
    """Stand before a stage, and go in if it is free. In SUPERSEDED mode the newest of those that wait supersedes the rest."""
    stage.waiting.append(execution)
    admit(pipeline, stage)
    if pipeline.mode == "SUPERSEDED" and len(stage.waiting) > 1:
        newest = max(stage.waiting, key=lambda waiting: waiting.number)
        for older in [waiting for waiting in stage.waiting if waiting is not newest]:
            stage.waiting.remove(older)
            finish(pipeline, older, "Superseded", "SUPERSEDED")


def admit(pipeline: Pipeline, stage: Stage) -> None:
    """Let in who waits before a stage, as far as its lock and its transition allow."""
    while stage.waiting and stage.occupant is None and stage.transition.enabled:
        enter(pipeline, stage.waiting.pop(0), stage)


def enter(pipeline: Pipeline, execution: PipelineExecution, stage: Stage) -> None:
    if pipeline.mode != "PARALLEL":
        stage.occupant = execution
    stage.latest = execution
    passage = StageExecution(execution, stage.declaration)
    execution.stages[stage.name] = passage
    execution.updated = utcnow()
    events.stage_event(pipeline, passage, "STARTED")
    advance(pipeline, passage)


def advance(pipeline: Pipeline, passage: StageExecution) -> None:
    """Take a stage one step on: run the actions of the next runOrder together, or end the stage.

    One failed action fails the stage at once and unlocks it; others that run go on to their own end (model:
    RetryStageExecution, "all actions that are still in progress continue working"; guide: "a failure releases the lock").
    """
    if passage.status == "Stopping":
        if not passage.running:
            stopped(pipeline, passage)
        return
    if passage.status != "InProgress":
        return  # an action that went on after the stage had ended
    if any(action.status == "Failed" for action in passage.actions.values()):
        leave(pipeline, passage, "Failed")
        return
    if passage.running:
        return
    to_do = [declared for declared in passage.declaration["actions"] if declared["name"] not in passage.actions]
    if to_do:
        next_order = min(declared["runOrder"] for declared in to_do)
        run(pipeline, passage, [declared for declared in to_do if declared["runOrder"] == next_order])
    else:
        leave(pipeline, passage, "Succeeded")


def run(pipeline: Pipeline, passage: StageExecution, declared: list[Declaration]) -> None:
    """Start these actions side by side."""
    begun = [actions.begin(pipeline, passage, declaration, lambda: advance(pipeline, passage)) for declaration in declared]
    for action in begun:
        providers.start(pipeline, action)


def leave(pipeline: Pipeline, passage: StageExecution, status: ExecutionStatus) -> None:
    """End a stage as Succeeded or Failed: the execution goes on or fails, and the lock passes to who waits."""
    execution, stage = passage.execution, pipeline.stage(passage.name)
    if status == "Succeeded":
        passage.status = "Succeeded"
        events.stage_event(pipeline, passage, "SUCCEEDED")
        following = pipeline.stages.index(stage) + 1
        if following < len(pipeline.stages):
            arrive(pipeline, execution, pipeline.stages[following])
        else:
            finish(pipeline, execution, "Succeeded", "SUCCEEDED")
    else:
        passage.status = "Failed"
        events.stage_event(pipeline, passage, "FAILED")
        finish(pipeline, execution, "Failed", "FAILED")
    unlock(pipeline, stage, execution)


def unlock(pipeline: Pipeline, stage: Stage, execution: PipelineExecution) -> None:
    if stage.occupant is execution:
        stage.occupant = None
        admit(pipeline, stage)


def finish(pipeline: Pipeline, execution: PipelineExecution, status: ExecutionStatus, state: str) -> None:
    execution.status = status
    execution.updated = utcnow()
    pipeline.running.pop(execution.id, None)
    events.pipeline_event(pipeline, execution, state)


def stop(pipeline: Pipeline, execution: PipelineExecution, *, abandon: bool) -> None:
    """Start nothing more; what runs is abandoned, or waited for (guide: concepts-how-it-works, "stopped")."""
    if execution.status == "InProgress":
        execution.status = "Stopping"
        execution.updated = utcnow()
        events.pipeline_event(pipeline, execution, "STOPPING")
    for stage in pipeline.stages:
        if execution in stage.waiting:
            stage.waiting.remove(execution)
    passage = next((passage for passage in execution.stages.values() if passage.status in ("InProgress", "Stopping")), None)
    if passage is None:  # between two stages nothing runs
        finish(pipeline, execution, "Stopped", "STOPPED")
        return
    if passage.status == "InProgress":
        passage.status = "Stopping"
        events.stage_event(pipeline, passage, "STOPPING")
    if abandon:
        for action in passage.running:
            actions.abandon(pipeline, action, "ABANDONED")
    advance(pipeline, passage)


def stopped(pipeline: Pipeline, passage: StageExecution) -> None:
    """All that ran has ended: Stopped, however it ended (AWS says so of success only), and the stage is unlocked (guide)."""
    passage.status = "Stopped"
    events.stage_event(pipeline, passage, "STOPPED")
    finish(pipeline, passage.execution, "Stopped", "STOPPED")
    unlock(pipeline, pipeline.stage(passage.name), passage.execution)


def retry(pipeline: Pipeline, passage: StageExecution, *, all_actions: bool) -> None:
    """Run a failed or stopped stage again, its failed actions or all of them (model: RetryStageExecution)."""
    execution, stage = passage.execution, pipeline.stage(passage.name)
    execution.status = "InProgress"
    execution.attempt += 1
    execution.updated = passage.retried = utcnow()
    passage.status = "InProgress"
    passage.retries += 1
    pipeline.running[execution.id] = execution
    if pipeline.mode != "PARALLEL":
        stage.occupant = execution
    events.pipeline_event(pipeline, execution, "RESUMED")
    events.stage_event(pipeline, passage, "RESUMED")
    again = [action.declaration for action in passage.actions.values() if all_actions or action.status not in ("Succeeded", "InProgress")]
    for declaration in again:
        del passage.actions[declaration["name"]]
    if again and not all_actions:
        run(pipeline, passage, again)
    else:
        advance(pipeline, passage)


def cancel_all(pipeline: Pipeline) -> None:
    """End all that runs, because the pipeline is edited (model: PipelineExecution, status Cancelled)."""
    for stage in pipeline.stages:
        stage.waiting.clear()
        stage.occupant = None
    for execution in list(pipeline.running.values()):
        for passage in execution.stages.values():
            for action in passage.running:
                actions.abandon(pipeline, action, "CANCELED")
            if passage.status in ("InProgress", "Stopping"):
                passage.status = "Cancelled"
                events.stage_event(pipeline, passage, "CANCELED")
        finish(pipeline, execution, "Cancelled", "CANCELED")
