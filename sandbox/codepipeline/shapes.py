"""Executions, actions and states as the API answers them (model: the shape named at each function).
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


def given(**members: Any) -> dict[str, Any]:
    """A structure without the members that have no value: AWS leaves them out."""
    return {name: value for name, value in members.items() if value is not None}


def execution_summary(execution: PipelineExecution) -> dict[str, Any]:
    """PipelineExecutionSummary."""
    return given(
        pipelineExecutionId=execution.id,
        status=execution.status,
        statusSummary=execution.status_summary,
        startTime=execution.started.timestamp(),
        lastUpdateTime=execution.updated.timestamp(),
        sourceRevisions=[
            {"actionName": name, "revisionId": revision.id}
            for name, revision in execution.revisions.items()
        ],
        trigger=_trigger(execution),
        stopTrigger=None if execution.stop_reason is None else {"reason": execution.stop_reason},
        executionMode=execution.mode,
        executionType=execution.type,
        rollbackMetadata=_rollback(execution),
    )


def execution_detail(pipeline: Pipeline, execution: PipelineExecution) -> dict[str, Any]:
    """PipelineExecution."""
    return given(
        pipelineName=execution.pipeline_name,
        pipelineVersion=execution.pipeline_version,
        pipelineExecutionId=execution.id,
        status=execution.status,
        statusSummary=execution.status_summary,
        artifactRevisions=_artifact_revisions(pipeline, execution),
        variables=[
            {"name": name, "resolvedValue": value} for name, value in execution.variables.items()
        ],
        trigger=_trigger(execution),
        executionMode=execution.mode,
        executionType=execution.type,
        rollbackMetadata=_rollback(execution),
    )


def _rollback(execution: PipelineExecution) -> dict[str, str] | None:
    target = execution.rollback_target
    return None if target is None else {"rollbackTargetPipelineExecutionId": target.id}


def _trigger(execution: PipelineExecution) -> dict[str, str]:
    return {"triggerType": execution.trigger_type, "triggerDetail": execution.trigger_detail}


def _artifact_revisions(pipeline: Pipeline, execution: PipelineExecution) -> list[dict[str, Any]]:
    declared = sources.source_actions(pipeline)
    return [
        {
            "name": artifact["name"],
            "revisionId": revision.id,
            "created": revision.created.timestamp(),
        }
        for action, revision in execution.revisions.items()
        if action in declared
        for artifact in declared[action]["outputArtifacts"]
    ]


def action_detail(pipeline: Pipeline, action: ActionExecution) -> dict[str, Any]:
    """ActionExecutionDetail."""
    declared = action.declaration
    return given(
        pipelineExecutionId=action.execution.id,
        actionExecutionId=action.id,
        pipelineVersion=action.execution.pipeline_version,
        stageName=action.stage.name,
        actionName=action.name,
        startTime=action.started.timestamp(),
        lastUpdateTime=action.updated.timestamp(),
        updatedBy=action.updated_by,
        status=action.status,
        input=given(
            actionTypeId=action.type,
            configuration=declared["configuration"],
            resolvedConfiguration=action.configuration,
            roleArn=declared.get("roleArn"),
            region=declared.get("region", pipeline.region),
            inputArtifacts=[{"name": artifact["name"]} for artifact in declared["inputArtifacts"]],
            namespace=declared.get("namespace"),
        ),
        output=given(
            outputArtifacts=[
                {"name": artifact["name"]} for artifact in declared["outputArtifacts"]
            ],
            executionResult=given(
                externalExecutionId=action.external_id,
                externalExecutionSummary=action.summary,
                errorDetails=_error(action),
            ),
            outputVariables=action.output_variables,
        ),
    )


def rule_detail(pipeline: Pipeline, rule: RuleExecution) -> dict[str, Any]:
    """RuleExecutionDetail."""
    declared = rule.declaration
    return given(
        pipelineExecutionId=rule.execution.id,
        ruleExecutionId=rule.id,
        pipelineVersion=rule.execution.pipeline_version,
        stageName=rule.stage.name,
        ruleName=rule.name,
        startTime=rule.started.timestamp(),
        lastUpdateTime=rule.updated.timestamp(),
        status=rule.status,
        input=given(
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
            "executionResult": given(
                externalExecutionId=rule.external_id,
                externalExecutionSummary=rule.summary,
                errorDetails=_error(rule),
            )
        },
    )


def _error(action: ActionExecution) -> dict[str, str] | None:
    return None if action.error is None else {"code": action.error[0], "message": action.error[1]}


def pipeline_state(pipeline: Pipeline) -> dict[str, Any]:
    """GetPipelineStateOutput. In PARALLEL mode it shows the execution that entered a stage last
    (guide: executions-view).
    """
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.version,
        "stageStates": [_stage_state(pipeline, stage) for stage in pipeline.stages],
        "created": pipeline.metadata["created"],
        "updated": pipeline.metadata["updated"],
    }


def _stage_state(pipeline: Pipeline, stage: Stage) -> dict[str, Any]:
    inbound = [
        given(pipelineExecutionId=waiting.id, status="InProgress", type=waiting.type)
        for waiting in stage.waiting
    ]
    passage = None if stage.latest is None else stage.latest.stages[stage.name]
    transition = stage.transition
    return given(
        stageName=stage.name,
        inboundExecution=inbound[0] if inbound else None,
        inboundExecutions=inbound,
        inboundTransitionState=given(
            enabled=transition.enabled,
            lastChangedBy=transition.changed_by,
            lastChangedAt=None
            if transition.changed_at is None
            else transition.changed_at.timestamp(),
            disabledReason=transition.reason,
        ),
        actionStates=[
            _action_state(pipeline, stage, declared["name"])
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
        else _condition_state(passage.entry),
        retryStageMetadata=_retries(passage),
    )


def _retries(passage: StageExecution | None) -> dict[str, Any] | None:
    if passage is None or not (passage.retries or passage.auto_retries):
        return None
    return given(
        autoStageRetryAttempt=passage.auto_retries or None,
        manualStageRetryAttempt=passage.retries or None,
        latestRetryTrigger="AutomatedStageRetry"
        if passage.retried_automatically
        else "ManualStageRetry",
    )


def _condition_state(entry: ConditionExecution) -> dict[str, Any]:
    """StageConditionState. A rule has no percentComplete (model: RuleExecution)."""
    rules = [
        given(
            ruleName=rule.name,
            latestExecution=given(
                ruleExecutionId=rule.id,
                status=rule.status,
                summary=rule.summary,
                lastStatusChange=rule.updated.timestamp(),
                externalExecutionId=rule.external_id,
                errorDetails=_error(rule),
            ),
        )
        for rule in entry.rules.values()
    ]
    condition = {"status": entry.status, "lastStatusChange": entry.changed.timestamp()}
    return {
        "latestExecution": {"status": entry.status},
        "conditionStates": [{"latestExecution": condition, "ruleStates": rules}],
    }


def _action_state(pipeline: Pipeline, stage: Stage, name: str) -> dict[str, Any]:
    action = stage.latest_actions.get(name)
    if action is None:
        return {"actionName": name}
    revision = action.execution.revisions.get(name)
    # In PARALLEL mode the token is not available here (model: PutApprovalResultInput).
    awaits = action.status == "InProgress" and pipeline.mode != "PARALLEL"
    shows_id = action.type["category"] != "Approval"
    return given(
        actionName=name,
        currentRevision=None
        if revision is None
        else {
            "revisionId": revision.id,
            "revisionChangeId": revision.id,
            "created": revision.created.timestamp(),
        },
        latestExecution=given(
            actionExecutionId=action.id,
            status=action.status,
            summary=action.summary,
            lastStatusChange=action.updated.timestamp(),
            token=action.token if awaits else None,
            lastUpdatedBy=action.updated_by,
            externalExecutionId=action.external_id if shows_id else None,
            percentComplete=action.percent,
            errorDetails=_error(action),
        ),
    )
