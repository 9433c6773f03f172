"""Both designs, ours and the article's, in the same sandbox on driven time, watched by the same
counters.
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
from benchmarks.pipelines import gate, start
from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda import finished
from sandbox.awslambda.invocation import Invocation, Outcome
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, function_name, in_process
from sandbox.world import Dials

OURS, ARTICLE = app, article_app
UPSTREAM, WAITING = "infra", "k8s"
DELIVERY_SECONDS = 0.5
"""What EventBridge takes to bring an event, or a schedule's firing, to its target: an assumption,
for AWS promises nothing. It reported 0.13 s for 99 of 100 events on custom buses (practice: its
announcement of November 2024); CodePipeline's own part comes on top.
"""
SOURCE_SECONDS, DEPLOY_SECONDS = 5.0, 60.0
AT_MOST = timedelta(hours=3)


@dataclass(frozen=True)
class Story:
    """A hold from its first gate to the end of the execution that passed."""

    calls: Counter[str]
    """AWS calls of the two functions, by operation."""
    invocations: Counter[str]
    """By function."""
    statuses: list[str]
    """Of the waiting pipeline's executions, the oldest first."""
    starts: list[datetime]
    """When they began."""
    upstream_end: datetime
    action_minutes: int
    """Of the waiting pipeline, each action's rounded up, as CodePipeline charges for them (guide:
    pricing).
    """

    @property
    def restart_seconds(self) -> float:
        """From the upstream's end to the start of the execution that passed; 0 where that was on
        its way to the gate already.
        """
        return max(0.0, (self.starts[-1] - self.upstream_end).total_seconds())


class CountingExecutor(ChaliceExecutor):
    """Counts the AWS calls that functions make."""

    def __init__(self, app: ModuleType) -> None:
        super().__init__(app, Path(str(app.__file__)).parent)
        self.calls: Counter[str] = Counter()

    def run(self, function: LambdaFunction, invocation: Invocation) -> Outcome:
        call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

        def counted(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
            self.calls[operation] += 1
            return call(client, operation, request)

        with patch.object(BaseClient, "_make_api_call", counted):
            return super().run(function, invocation)


def play(
    design: ModuleType, hold_seconds: float, *, events: bool = True, hold: str = "restart"
) -> Story:
    """The pipeline `k8s` reaches its gate while `infra` runs, which ends `hold_seconds` later.
    `design`: OURS or ARTICLE.

    Without `events`, CodePipeline's event of the end is lost (it is sent "best effort": guide,
    eb-events). `hold`: how our gate holds.
    """
    executor = CountingExecutor(design)
    dials = Dials(start_on_create=False, events_on=events, event_copies=lambda: [DELIVERY_SECONDS])
    with in_process(executor, dials=dials) as world:
        if design is ARTICLE:
            _let_the_rule_invoke(executor)
        backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        backend.outcome = lambda execution, stage, _: (
            _seconds(execution, stage, hold_seconds),
            "Succeeded",
        )
        start(backend, UPSTREAM, [])
        start(
            backend, WAITING, [gate(WAITING, UPSTREAM, function_name(executor, "gate"), hold=hold)]
        )
        upstream, waiting = backend.pipelines[UPSTREAM], backend.pipelines[WAITING]
        _until_all_is_over(world, backend)
        return Story(
            calls=executor.calls,
            invocations=Counter(
                run.invocation.function_name.rpartition("-")[2] for run in finished(ACCOUNT, REGION)
            ),
            statuses=[execution.status for execution in waiting.history],
            starts=[execution.started for execution in waiting.history],
            upstream_end=upstream.history[0].updated,
            action_minutes=_action_minutes(WAITING),
        )


def _action_minutes(pipeline: str) -> int:
    actions = boto3.client("codepipeline").list_action_executions(pipelineName=pipeline)[
        "actionExecutionDetails"
    ]
    seconds = [
        (action["lastUpdateTime"] - action["startTime"]).total_seconds() for action in actions
    ]
    return sum(max(1, math.ceil(each / 60)) for each in seconds)


def _seconds(execution: PipelineExecution, stage: str, hold_seconds: float) -> float:
    if stage == "Source":
        return SOURCE_SECONDS
    return hold_seconds if execution.pipeline_name == UPSTREAM else DEPLOY_SECONDS


def _until_all_is_over(world: DrivenWorld, backend: CodePipelineBackend) -> None:
    begun = utcnow()
    while any(pipeline.running for pipeline in backend.pipelines.values()) or _rules():
        if utcnow() > begun + AT_MOST:
            raise RuntimeError(f"after {AT_MOST} it is not over")
        world.clock.advance(timedelta(seconds=30))


def _rules() -> int:
    return len(eventbridge.backend(ACCOUNT, REGION).describe_event_bus("default").rules)


def _let_the_rule_invoke(executor: ChaliceExecutor) -> None:
    boto3.client("lambda").add_permission(
        FunctionName=function_name(executor, "retry"),
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{article_app.RULE}",
    )
