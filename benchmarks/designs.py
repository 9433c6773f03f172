"""Plays a hold in our design or the article's, in the sandbox on driven time, and counts what it
takes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from unittest.mock import patch

import boto3
from botocore.client import BaseClient
from moto.awslambda.models import LambdaFunction
from moto.codepipeline.models import codepipeline_backends

import app
from benchmarks.article import app as article_app
from benchmarks.pipelines import create_pipeline, make_gate_stage
from chalicelib import runtime
from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda import list_finished_runs
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.executor import Invocation, RunOutcome
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, function_name, in_process
from sandbox.world import Dials

OURS, ARTICLE = app, article_app
UPSTREAM, WAITING = "infra", "k8s"
DELIVERY_SECONDS = 0.5
"""How long EventBridge takes to bring an event, or a schedule's firing, to its target. An
assumption, because AWS promises nothing: it reported 0.13 s for 99 of 100 events on custom buses
(practice: its announcement of November 2024), and CodePipeline's own part comes on top.
"""
SOURCE_SECONDS, DEPLOY_SECONDS = 5.0, 60.0
MAX_DURATION = timedelta(hours=3)


@dataclass(frozen=True)
class HoldCounts:
    """What was counted from the start of a held execution to the end of the one that passed."""

    calls: Counter[str]
    """AWS calls of the two functions, by operation."""
    invocations: Counter[str]
    """By function."""
    statuses: list[str]
    """Of the waiting pipeline's executions, oldest first."""
    starts: list[datetime]
    """When these executions started."""
    upstream_end: datetime
    action_minutes: int
    """Of the waiting pipeline. Each action's minutes are rounded up, as CodePipeline charges for
    them (guide: pricing).
    """

    @property
    def restart_seconds(self) -> float:
        """From the upstream's end to the start of the execution that passed; 0 if that one was
        already on its way to the gate.
        """
        return max(0.0, (self.starts[-1] - self.upstream_end).total_seconds())


class CountingExecutor(ChaliceExecutor):
    """Counts the AWS calls that functions make."""

    def __init__(self, app: ModuleType) -> None:
        super().__init__(app, Path(str(app.__file__)).parent, start_runtime=_start_runtime)
        self.calls: Counter[str] = Counter()

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        make_call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

        def count_call(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
            self.calls[operation] += 1
            return make_call(client, operation, request)

        with patch.object(BaseClient, "_make_api_call", count_call):
            return super().run(function, invocation)


def _start_runtime() -> None:
    vars(runtime.aws).pop("lambda_permissions", None)  # what it remembers is another world's


def play_hold(
    design: ModuleType, hold_seconds: float, *, events: bool = True, mode: str = "restart"
) -> HoldCounts:
    """The pipeline `k8s` reaches its gate while `infra` runs, which ends `hold_seconds` later.

    `design`: OURS or ARTICLE. Without `events`, CodePipeline's event of the end is lost (it is sent
    "best effort": guide, eb-events). `mode`: how our gate holds, as the parameter `hold` says it.
    """
    executor = CountingExecutor(design)
    dials = Dials(start_on_create=False, events_on=events, event_copies=lambda: [DELIVERY_SECONDS])
    with in_process(executor, dials=dials) as world:
        if design is ARTICLE:
            _permit_rule(executor)
        backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        backend.outcome = lambda execution, stage, _: (
            _choose_seconds(execution, stage, hold_seconds),
            "Succeeded",
        )
        create_pipeline(backend, UPSTREAM, [])
        function = function_name(executor, "gate")
        gate_stage = make_gate_stage(WAITING, UPSTREAM, function=function, hold=mode)
        create_pipeline(backend, WAITING, [gate_stage])
        upstream, waiting = backend.pipelines[UPSTREAM], backend.pipelines[WAITING]
        _run_until_idle(world, backend)
        return HoldCounts(
            calls=executor.calls,
            invocations=Counter(
                run.invocation.function_name.rpartition("-")[2]
                for run in list_finished_runs(ACCOUNT, REGION)
            ),
            statuses=[execution.status for execution in waiting.history],
            starts=[execution.started for execution in waiting.history],
            upstream_end=upstream.history[0].updated,
            action_minutes=_count_action_minutes(WAITING),
        )


def _count_action_minutes(pipeline: str) -> int:
    actions = boto3.client("codepipeline").list_action_executions(pipelineName=pipeline)[
        "actionExecutionDetails"
    ]
    seconds = [
        (action["lastUpdateTime"] - action["startTime"]).total_seconds() for action in actions
    ]
    return sum(max(1, math.ceil(duration / 60)) for duration in seconds)


def _choose_seconds(execution: PipelineExecution, stage: str, hold_seconds: float) -> float:
    """How long an action of this stage takes."""
    if stage == "Source":
        return SOURCE_SECONDS
    return hold_seconds if execution.pipeline_name == UPSTREAM else DEPLOY_SECONDS


def _run_until_idle(world: DrivenWorld, backend: CodePipelineBackend) -> None:
    latest_end = utcnow() + MAX_DURATION
    while any(pipeline.running for pipeline in backend.pipelines.values()) or _count_rules():
        if utcnow() > latest_end:
            raise RuntimeError(f"The hold has not ended after {MAX_DURATION}.")
        world.clock.advance(timedelta(seconds=30))


def _count_rules() -> int:
    return len(eventbridge.backend(ACCOUNT, REGION).describe_event_bus("default").rules)


def _permit_rule(executor: ChaliceExecutor) -> None:
    boto3.client("lambda").add_permission(
        FunctionName=function_name(executor, "retry"),
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{article_app.RULE}",
    )
