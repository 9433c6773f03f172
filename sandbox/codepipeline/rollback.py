"""Stage rollback: a stage runs again with the revisions and variables of an execution that
succeeded in it (guide: stage-rollback).
"""

from __future__ import annotations

from sandbox.codepipeline.exceptions import (
    ConflictException,
    PipelineExecutionOutdatedException,
    UnableToRollbackStageException,
)
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline, Stage


def is_target(pipeline: Pipeline, stage: Stage, target: PipelineExecution) -> bool:
    """Whether a stage can be rolled back to this execution: it succeeded in the stage (skipped is
    not enough), in the current version of the pipeline, and is not a rollback itself (guide:
    stage-rollback, stage-conditions).
    """
    passage = target.stages.get(stage.name)
    return (
        target.type == "STANDARD"
        and target.pipeline_version == pipeline.version
        and passage is not None
        and passage.status == "Succeeded"
    )


def check_target(
    pipeline: Pipeline, stage: Stage, target: PipelineExecution, *, outdated: bool
) -> None:
    """Refuse what AWS does not roll back. `outdated`: the target is older than the history that AWS
    keeps.

    UnableToRollbackStageException (model: its documentation names another version, a running stage
    and a wrong target), PipelineExecutionOutdatedException, or ConflictException where actions of a
    failed stage still run.
    """
    if pipeline.mode == "PARALLEL":  # (guide: execution-modes)
        raise UnableToRollbackStageException(
            f"Pipeline '{pipeline.name}' runs in PARALLEL mode, where no stage can be rolled back"
        )
    if stage is pipeline.stages[0]:
        raise UnableToRollbackStageException(
            f"Stage '{stage.name}' is the source stage, which cannot be rolled back"
        )
    if outdated:
        raise PipelineExecutionOutdatedException(
            f"Execution '{target.id}' is older than the history of pipeline '{pipeline.name}'"
        )
    if target.pipeline_version != pipeline.version:
        raise UnableToRollbackStageException(
            f"Pipeline '{pipeline.name}' was edited since execution '{target.id}' started"
        )
    if not is_target(pipeline, stage, target):
        raise UnableToRollbackStageException(
            f"Execution '{target.id}' is no target for stage '{stage.name}': it must have "
            "succeeded there, and not be a rollback itself"
        )
    if stage.occupant is not None:
        raise UnableToRollbackStageException(
            f"Stage '{stage.name}' is running execution '{stage.occupant.id}'"
        )
    if stage.latest is not None and stage.latest.stages[stage.name].running:
        raise ConflictException(f"Actions of stage '{stage.name}' are still in progress")


def make_execution(
    pipeline: Pipeline, target: PipelineExecution, trigger_type: str, trigger_detail: str
) -> PipelineExecution:
    """The execution that rolls back to `target`."""
    return PipelineExecution(
        pipeline_name=pipeline.name,
        pipeline_version=pipeline.version,
        number=len(pipeline.history),
        mode=pipeline.mode,
        trigger_type=trigger_type,
        trigger_detail=trigger_detail,
        variables=dict(target.variables),
        overrides=[],
        revisions=dict(target.revisions),
        rollback_target=target,
    )
