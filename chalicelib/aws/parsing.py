"""Turns CodePipeline's answers about stages, actions and rules into plain data.

Times become aware UTC. The open path does not import this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from chalicelib.holds.verdict import Verdict, split_token
from chalicelib.pipelines.execution import Attempt, SourceOutput
from chalicelib.pipelines.state import ActionState, PipelineState, StageState

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import (
        ActionExecutionDetailTypeDef,
        ActionStateTypeDef,
        GetPipelineStateOutputTypeDef,
        RuleExecutionDetailTypeDef,
        StageStateTypeDef,
    )


def parse_attempt(detail: ActionExecutionDetailTypeDef) -> Attempt:
    """Return an attempt of an action (model: ActionExecutionDetail)."""
    return _parse_attempt(detail, detail["actionName"], "actionTypeId", condition=False)


def parse_condition_attempt(detail: RuleExecutionDetailTypeDef) -> Attempt:
    """Return an attempt of a stage condition's rule (model: RuleExecutionDetail)."""
    return _parse_attempt(detail, detail["ruleName"], "ruleTypeId", condition=True)


def _parse_attempt(
    detail: Mapping[str, Any], name: str, type_key: str, *, condition: bool
) -> Attempt:
    """The two details have the same shape, but for the key of the type."""
    declared = detail.get("input", {})
    kind = declared.get(type_key, {})
    result = detail.get("output", {}).get("executionResult", {})
    message, verdict = _parse_message(result, result.get("externalExecutionSummary", ""))
    return Attempt(
        stage=detail["stageName"],
        action=name,
        status=detail["status"],
        started=detail["startTime"].astimezone(UTC),
        provider=kind.get("provider", ""),
        function=declared.get("configuration", {}).get("FunctionName", ""),
        condition=condition,
        error=result.get("errorDetails", {}).get("code", ""),
        message=message,
        verdict=verdict,
        mark=result.get("externalExecutionId", ""),
        execution=detail.get("pipelineExecutionId", ""),
        source=_parse_source(detail) if kind.get("category") == "Source" else None,
    )


def _parse_source(detail: Mapping[str, Any]) -> SourceOutput:
    """Return what a source action took. A configuration may be without a branch or key that only
    its variables have, and the other way round.
    """
    configuration = detail.get("input", {}).get("configuration", {})
    variables = detail.get("output", {}).get("outputVariables", {})
    tag = variables.get("TagName", "")
    declared = configuration.get("BranchName") or configuration.get("Branch", "")
    return SourceOutput(
        branch=variables.get("BranchName") or ("" if tag else declared),
        tag=tag,
        object_key=variables.get("ObjectKey") or configuration.get("S3ObjectKey", ""),
        allows_other_keys=configuration.get("AllowOverrideForS3ObjectKey", "").lower() == "true",
    )


def parse_state(answer: GetPipelineStateOutputTypeDef) -> PipelineState:
    """Return the state of a pipeline (model: GetPipelineState)."""
    return PipelineState(tuple(map(_parse_stage, answer["stageStates"])))


def _parse_stage(stage: StageStateTypeDef) -> StageState:
    latest, transition = stage.get("latestExecution"), stage.get("inboundTransitionState", {})
    changed = transition.get("lastChangedAt")
    inbound = stage.get("inboundExecutions", [])
    actions = [_parse_action(action) for action in stage.get("actionStates", [])]
    return StageState(
        name=stage["stageName"],
        execution=latest["pipelineExecutionId"] if latest else None,
        status=latest["status"] if latest else "",
        inbound=tuple(execution["pipelineExecutionId"] for execution in inbound),
        transition_disabled=transition.get("enabled") is False,
        disabled_since=changed.astimezone(UTC) if changed else None,
        actions=(*actions, *_parse_entry_rules(stage)),
        kind=latest.get("type", "STANDARD") if latest else "STANDARD",
    )


def _parse_action(action: ActionStateTypeDef) -> ActionState:
    latest = action.get("latestExecution", {})
    changed = latest.get("lastStatusChange")
    message, verdict = _parse_message(latest, latest.get("summary", ""))
    return ActionState(
        name=action["actionName"],
        status=latest.get("status", ""),
        since=changed.astimezone(UTC) if changed else None,
        approval="token" in latest,
        mark=latest.get("externalExecutionId", ""),
        message=message,
        verdict=verdict,
    )


def _parse_entry_rules(stage: StageStateTypeDef) -> Iterator[ActionState]:
    """Yield the rules of a stage's entry condition. A gate can be one of them."""
    for condition in stage.get("beforeEntryConditionState", {}).get("conditionStates", []):
        for rule in condition.get("ruleStates", []):
            latest = rule.get("latestExecution", {})
            message, verdict = _parse_message(latest, latest.get("summary", ""))
            yield ActionState(
                name=rule["ruleName"],
                status=latest.get("status", ""),
                since=None,
                approval=False,
                mark=latest.get("externalExecutionId", ""),
                message=message,
                verdict=verdict,
            )


def _parse_message(result: Mapping[str, Any], summary: str) -> tuple[str, Verdict | None]:
    """Return what the console shows, and the gate's verdict if the gate failed it.

    The console shows the failure's message, or else the summary.
    """
    failure = result.get("errorDetails", {}).get("message", "")
    return split_token(failure) if failure else (summary, None)
