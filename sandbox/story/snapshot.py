"""What AWS shows at one moment: the pipelines' stages and executions, and EventBridge's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sandbox.clock import utcnow

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import PipelineExecutionSummaryTypeDef, StageStateTypeDef
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import RuleTypeDef


@dataclass(frozen=True)
class Stage:
    """A stage and the latest execution in it. `status` and `execution` are empty before the first
    one.

    `message` is what the console shows for its first action: the error's message, or else the
    summary.
    """

    name: str
    status: str
    execution: str
    changed: datetime
    message: str


@dataclass(frozen=True)
class Execution:
    id: str
    status: str
    started: datetime
    updated: datetime
    started_by: str
    """The last part of the ARN of the user or role that started it."""

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def ended(self) -> bool:
        return self.status not in {"InProgress", "Stopping"}


@dataclass(frozen=True)
class Pipeline:
    """`executions` are newest first."""

    name: str
    stages: tuple[Stage, ...] = ()
    executions: tuple[Execution, ...] = ()


@dataclass(frozen=True)
class Rule:
    """`target` is empty while the rule has none."""

    name: str
    schedule: str
    pattern: str
    target: str


@dataclass(frozen=True)
class StorySnapshot:
    """All times are aware datetimes; `at` is when the last answer had come."""

    at: datetime
    pipelines: tuple[Pipeline, ...] = ()
    rules: tuple[Rule, ...] = ()

    def executions(self, pipeline: str) -> tuple[Execution, ...]:
        return next((each.executions for each in self.pipelines if each.name == pipeline), ())

    @property
    def all_over(self) -> bool:
        """Whether nothing is running or waiting."""
        return not self.rules and all(
            execution.ended for pipeline in self.pipelines for execution in pipeline.executions
        )


def read_snapshot(
    codepipeline: CodePipelineClient, events: EventBridgeClient, names: Sequence[str]
) -> StorySnapshot:
    """Read the pipelines `names` and all rules from AWS."""
    pipelines = tuple(_read_pipeline(codepipeline, name) for name in names)
    rules = tuple(_read_rule(events, rule) for rule in events.list_rules()["Rules"])
    return StorySnapshot(utcnow(), pipelines, rules)


def _read_pipeline(client: CodePipelineClient, name: str) -> Pipeline:
    stages = client.get_pipeline_state(name=name)["stageStates"]
    executions = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return Pipeline(
        name, tuple(map(_parse_stage, stages)), tuple(map(_parse_execution, executions))
    )


def _parse_stage(state: StageStateTypeDef) -> Stage:
    latest = state.get("latestExecution")
    action = state["actionStates"][0].get("latestExecution", {})
    return Stage(
        name=state["stageName"],
        status=latest["status"] if latest else "",
        execution=latest["pipelineExecutionId"] if latest else "",
        changed=action.get("lastStatusChange") or utcnow(),
        message=action.get("errorDetails", {}).get("message") or action.get("summary", ""),
    )


def _parse_execution(summary: PipelineExecutionSummaryTypeDef) -> Execution:
    return Execution(
        id=summary["pipelineExecutionId"],
        status=summary["status"],
        started=summary["startTime"],
        updated=summary["lastUpdateTime"],
        started_by=summary["trigger"]["triggerDetail"].rpartition("/")[2],
    )


def _read_rule(client: EventBridgeClient, rule: RuleTypeDef) -> Rule:
    try:
        targets = client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    except client.exceptions.ResourceNotFoundException:
        targets = []  # removed after it was listed; the next snapshot does not have it
    return Rule(
        name=rule["Name"],
        schedule=rule.get("ScheduleExpression", ""),
        pattern=rule.get("EventPattern", ""),
        target=targets[0]["Arn"] if targets else "",
    )
