"""Executions, actions and states as the API returns them. Each function names its shape (model).
Times are epoch seconds.
"""

from __future__ import annotations

from typing import Any

from sandbox.codepipeline import sources
from sandbox.codepipeline.execution import (
    ActionExecution,
    ConditionExecution,
    PipelineExecution,
    RuleExecution,
    StageExecution,
)
from sandbox.codepipeline.pipeline import Pipeline, Stage
from sandbox.world import current_world


def drop_missing(**members: Any) -> dict[str, Any]:
    """A structure without the members that have no value: AWS leaves them out. Tests may
    take out others (Dials.missing_members).
    """
    missing = current_world().dials.missing_members
    return {
        name: value for name, value in members.items() if value is not None and name not in missing
    }


def render_execution_summary(execution: PipelineExecution) -> dict[str, Any]:
    """PipelineExecutionSummary."""
    return drop_missing(
        pipelineExecutionId=execution.id,
        status=execution.status,
        statusSummary=execution.status_summary,
        startTime=execution.started.timestamp(),
        lastUpdateTime=execution.updated.timestamp(),
        sourceRevisions=[
            drop_missing(actionName=name, revisionId=revision.id, revisionSummary=revision.message)
            for name, revision in execution.revisions.items()
        ],
        trigger=_render_trigger(execution),
        stopTrigger=None if execution.stop_reason is None else {"reason": execution.stop_reason},
        executionMode=execution.mode,
        executionType=execution.type,
        rollbackMetadata=_render_rollback(execution),
    )


def render_execution_detail(pipeline: Pipeline, execution: PipelineExecution) -> dict[str, Any]:
    """PipelineExecution."""
    return drop_missing(
        pipelineName=execution.pipeline_name,
        pipelineVersion=execution.pipeline_version,
        pipelineExecutionId=execution.id,
        status=execution.status,
        statusSummary=execution.status_summary,
        artifactRevisions=_render_artifact_revisions(pipeline, execution),
        variables=[
            {"name": name, "resolvedValue": value} for name, value in execution.variables.items()
        ],
        trigger=_render_trigger(execution),
        executionMode=execution.mode,
        executionType=execution.type,
        rollbackMetadata=_render_rollback(execution),
    )


def _render_rollback(execution: PipelineExecution) -> dict[str, str] | None:
    target = execution.rollback_target
    return None if target is None else {"rollbackTargetPipelineExecutionId": target.id}


def _render_trigger(execution: PipelineExecution) -> dict[str, str]:
    return {"triggerType": execution.trigger_type, "triggerDetail": execution.trigger_detail}


def _render_artifact_revisions(
    pipeline: Pipeline, execution: PipelineExecution
) -> list[dict[str, Any]]:
    declared = sources.list_source_actions(pipeline)
    return [
        drop_missing(
            name=artifact["name"],
            revisionId=revision.id,
            revisionSummary=revision.message,
            created=revision.created.timestamp(),
        )
        for action, revision in execution.revisions.items()
        if action in declared
        for artifact in declared[action]["outputArtifacts"]
    ]


def render_action_detail(pipeline: Pipeline, action: ActionExecution) -> dict[str, Any]:
    """ActionExecutionDetail."""
    declared = action.declaration
    return drop_missing(
        pipelineExecutionId=action.execution.id,
        actionExecutionId=action.id,
        pipelineVersion=action.execution.pipeline_version,
        stageName=action.stage.name,
        actionName=action.name,
        startTime=action.started.timestamp(),
        lastUpdateTime=action.updated.timestamp(),
        updatedBy=action.updated_by,
        status=action.status,
        input=drop_missing(
            actionTypeId=action.type,
            configuration=declared["configuration"],
            resolvedConfiguration=action.configuration,
            roleArn=declared.get("roleArn"),
            region=declared.get("region", pipeline.region),
            inputArtifacts=[{"name": artifact["name"]} for artifact in declared["inputArtifacts"]],
            namespace=declared.get("namespace"),
        ),
        output=drop_missing(
            outputArtifacts=[
                {"name": artifact["name"]} for artifact in declared["outputArtifacts"]
            ],
            executionResult=drop_missing(
                externalExecutionId=action.external_id,
                externalExecutionSummary=action.summary,
                errorDetails=_render_error(action),
            ),
            outputVariables=action.output_variables,
        ),
    )


def render_rule_detail(pipeline: Pipeline, rule: RuleExecution) -> dict[str, Any]:
    """RuleExecutionDetail."""
    declared = rule.declaration
    return drop_missing(
        pipelineExecutionId=rule.execution.id,
        ruleExecutionId=rule.id,
        pipelineVersion=rule.execution.pipeline_version,
        stageName=rule.stage.name,
        ruleName=rule.name,
        startTime=rule.started.timestamp(),
        lastUpdateTime=rule.updated.timestamp(),
        status=rule.status,
        input=drop_missing(
            ruleTypeId=rule.type,
            configuration=declared.get("configuration") or {},
            resolvedConfiguration=rule.configuration,
            roleArn=declared.get("roleArn"),
            region=declared.get("region", pipeline.region),
            inputArtifacts=[
                {"name": artifact["name"]} for artifact in declared.get("inputArtifacts") or []
            ],
        ),
        output={
            "executionResult": drop_missing(
                externalExecutionId=rule.external_id,
                externalExecutionSummary=rule.summary,
                errorDetails=_render_error(rule),
            )
        },
    )


def _render_error(action: ActionExecution) -> dict[str, str] | None:
    return None if action.error is None else {"code": action.error[0], "message": action.error[1]}


def render_pipeline_state(pipeline: Pipeline) -> dict[str, Any]:
    """GetPipelineStateOutput. In PARALLEL mode it shows the execution that entered a stage last
    (guide: executions-view).
    """
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.version,
        "stageStates": [_render_stage_state(pipeline, stage) for stage in pipeline.stages],
        "created": pipeline.metadata["created"],
        "updated": pipeline.metadata["updated"],
    }


def _render_stage_state(pipeline: Pipeline, stage: Stage) -> dict[str, Any]:
    inbound = [
        drop_missing(pipelineExecutionId=waiting.id, status="InProgress", type=waiting.type)
        for waiting in stage.waiting
    ]
    passage = None if stage.latest is None else stage.latest.stages[stage.name]
    transition = stage.transition
    return drop_missing(
        stageName=stage.name,
        inboundExecution=inbound[0] if inbound else None,
        inboundExecutions=inbound,
        inboundTransitionState=drop_missing(
            enabled=transition.enabled,
            lastChangedBy=transition.changed_by,
            lastChangedAt=None
            if transition.changed_at is None
            else transition.changed_at.timestamp(),
            disabledReason=transition.reason,
        ),
        actionStates=[
            _render_action_state(pipeline, stage, declared["name"])
            for declared in stage.declaration["actions"]
        ],
        latestExecution=None
        if passage is None
        else {
            "pipelineExecutionId": passage.execution.id,
            "status": passage.status,
            "type": passage.execution.type,
        },
        beforeEntryConditionState=None
        if passage is None or passage.entry is None
        else _render_condition_state(passage.entry),
        retryStageMetadata=_render_retries(passage),
    )


def _render_retries(passage: StageExecution | None) -> dict[str, Any] | None:
    if passage is None or not (passage.retries or passage.auto_retries):
        return None
    return drop_missing(
        autoStageRetryAttempt=passage.auto_retries or None,
        manualStageRetryAttempt=passage.retries or None,
        latestRetryTrigger="AutomatedStageRetry"
        if passage.retried_automatically
        else "ManualStageRetry",
    )


def _render_condition_state(entry: ConditionExecution) -> dict[str, Any]:
    """StageConditionState. A rule has no percentComplete (model: RuleExecution)."""
    rules = [
        drop_missing(
            ruleName=rule.name,
            latestExecution=drop_missing(
                ruleExecutionId=rule.id,
                status=rule.status,
                summary=rule.summary,
                lastStatusChange=rule.updated.timestamp(),
                externalExecutionId=rule.external_id,
                errorDetails=_render_error(rule),
            ),
        )
        for rule in entry.rules.values()
    ]
    condition = {"status": entry.status, "lastStatusChange": entry.changed.timestamp()}
    return {
        "latestExecution": {"status": entry.status},
        "conditionStates": [{"latestExecution": condition, "ruleStates": rules}],
    }


def _render_action_state(pipeline: Pipeline, stage: Stage, name: str) -> dict[str, Any]:
    action = stage.latest_actions.get(name)
    if action is None:
        return {"actionName": name}
    revision = action.execution.revisions.get(name)
    # In PARALLEL mode the token is not available here (model: PutApprovalResultInput).
    awaits = action.status == "InProgress" and pipeline.mode != "PARALLEL"
    shows_id = action.type["category"] != "Approval"
    return drop_missing(
        actionName=name,
        currentRevision=None
        if revision is None
        else {
            "revisionId": revision.id,
            "revisionChangeId": revision.id,
            "created": revision.created.timestamp(),
        },
        latestExecution=drop_missing(
            actionExecutionId=action.id,
            status=action.status,
            summary=action.summary,
            lastStatusChange=action.updated.timestamp(),
            token=action.token if awaits else None,
            lastUpdatedBy=action.updated_by,
            externalExecutionId=action.external_id if shows_id else None,
            percentComplete=action.percent,
            errorDetails=_render_error(action),
        ),
    )
