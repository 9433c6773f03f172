"""CodePipeline's answers about stages, actions and rules as the gate's plain data. Times become
aware UTC. Only a hold needs them.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from chalicelib.pipelines.execution import Attempt
from chalicelib.pipelines.state import ActionState, PipelineState, StageState

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import (
        ActionExecutionDetailTypeDef,
        ActionExecutionTypeDef,
        ActionStateTypeDef,
        GetPipelineStateOutputTypeDef,
        RuleExecutionDetailTypeDef,
        RuleExecutionTypeDef,
        StageStateTypeDef,
    )


def parse_attempt(detail: ActionExecutionDetailTypeDef) -> Attempt:
    given, result = detail.get("input", {}), detail.get("output", {}).get("executionResult", {})
    return Attempt(
        stage=detail["stageName"],
        action=detail["actionName"],
        status=detail["status"],
        started=detail["startTime"].astimezone(UTC),
        provider=given.get("actionTypeId", {}).get("provider", ""),
        function=given.get("configuration", {}).get("FunctionName", ""),
        error=result.get("errorDetails", {}).get("code", ""),
        message=result.get("errorDetails", {}).get("message", "")
        or result.get("externalExecutionSummary", ""),
        mark=result.get("externalExecutionId", ""),
    )


def parse_condition_attempt(detail: RuleExecutionDetailTypeDef) -> Attempt:
    """A run of a stage condition's rule."""
    given, result = detail.get("input", {}), detail.get("output", {}).get("executionResult", {})
    return Attempt(
        stage=detail["stageName"],
        action=detail["ruleName"],
        status=detail["status"],
        started=detail["startTime"].astimezone(UTC),
        provider=given.get("ruleTypeId", {}).get("provider", ""),
        function=given.get("configuration", {}).get("FunctionName", ""),
        condition=True,
        error=result.get("errorDetails", {}).get("code", ""),
        message=result.get("errorDetails", {}).get("message", "")
        or result.get("externalExecutionSummary", ""),
        mark=result.get("externalExecutionId", ""),
    )


def parse_state(answer: GetPipelineStateOutputTypeDef) -> PipelineState:
    return PipelineState(tuple(map(_stage, answer["stageStates"])))


def _stage(stage: StageStateTypeDef) -> StageState:
    latest, transition = stage.get("latestExecution"), stage.get("inboundTransitionState", {})
    since = transition.get("lastChangedAt")
    return StageState(
        name=stage["stageName"],
        execution=latest["pipelineExecutionId"] if latest else None,
        status=latest["status"] if latest else "",
        inbound=tuple(one["pipelineExecutionId"] for one in stage.get("inboundExecutions", [])),
        transition_disabled=transition.get("enabled") is False,
        disabled_since=since.astimezone(UTC) if since else None,
        actions=tuple(map(_action, [*stage.get("actionStates", [])])) + _rules(stage),
    )


def _action(action: ActionStateTypeDef) -> ActionState:
    latest = action.get("latestExecution", {})
    since = latest.get("lastStatusChange")
    return ActionState(
        name=action["actionName"],
        status=latest.get("status", ""),
        since=since.astimezone(UTC) if since else None,
        approval="token" in latest,
        mark=latest.get("externalExecutionId", ""),
        message=_said(latest),
    )


def _said(latest: ActionExecutionTypeDef | RuleExecutionTypeDef) -> str:
    return latest.get("errorDetails", {}).get("message", "") or latest.get("summary", "")


def _rules(stage: StageStateTypeDef) -> tuple[ActionState, ...]:
    """The rules of the stage's entry condition: a gate can be one of them."""
    conditions = stage.get("beforeEntryConditionState", {}).get("conditionStates", [])
    rules = [rule for condition in conditions for rule in condition.get("ruleStates", [])]
    return tuple(
        ActionState(
            name=rule["ruleName"],
            status=rule.get("latestExecution", {}).get("status", ""),
            since=None,
            approval=False,
            mark=rule.get("latestExecution", {}).get("externalExecutionId", ""),
            message=_said(rule.get("latestExecution", {})),
        )
        for rule in rules
    )
