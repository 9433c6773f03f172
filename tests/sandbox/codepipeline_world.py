"""A CodePipeline on a driven clock. What it sends to EventBridge and Lambda is only recorded."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest.mock import patch

from botocore.config import Config
from moto import mock_aws
from moto.codepipeline.models import codepipeline_backends

from sandbox import codepipeline, world
from sandbox.account import ACCOUNT, create_role
from sandbox.clock import DrivenClock
from sandbox.codepipeline import outside
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.executor import Executor
from tests.support.clients import client

REGION = "eu-west-1"
START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
LENIENT = Config(parameter_validation=False)
UNKNOWN = "00000000-0000-0000-0000-000000000000"
"""An id of nothing."""


def action(
    name: str, category: str = "Build", provider: str = "CodeBuild", order: int = 1, **members: Any
) -> dict[str, Any]:
    """An action's declaration; keys of the configuration that start with Sandbox say how long it
    takes and how it ends.
    """
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "runOrder": order, **members}


def source(name: str = "Repo", provider: str = "CodeCommit", **members: Any) -> dict[str, Any]:
    return action(name, "Source", provider, outputArtifacts=[{"name": f"{name}Output"}], **members)


def gate(function: str = "gate", **configuration: str) -> dict[str, Any]:
    return action(
        "Gate", "Invoke", "Lambda", configuration={"FunctionName": function, **configuration}
    )


def approval() -> dict[str, Any]:
    return action("Approve", "Approval", "Manual")


@dataclass
class CodePipelineWorld:
    clock: DrivenClock
    dials: world.Dials
    client: Any
    backend: CodePipelineBackend
    events: list[dict[str, Any]] = field(default_factory=list)
    """Detail of each event sent, with its detail type as "kind"."""
    invocations: list[dict[str, Any]] = field(default_factory=list)
    """What each invoked function got as its job."""

    def lenient_client(self) -> Any:
        """A client without botocore's checks of parameters, like those of other languages."""
        return client("codepipeline", REGION, LENIENT)

    def create(self, *stages: list[dict[str, Any]], **members: Any) -> None:
        """The pipeline k8s: see `declaration`."""
        self.client.create_pipeline(pipeline=declaration(*stages, **members))

    def start(self, seconds: float = 0, **members: Any) -> str:
        """Start an execution and let it run for a while."""
        answer = self.client.start_pipeline_execution(name="k8s", **members)
        self.advance(seconds)
        return cast(str, answer["pipelineExecutionId"])

    def advance(self, seconds: float = 0, **units: float) -> None:
        self.clock.advance(timedelta(seconds=seconds, **units))

    def stop(self, execution: str, *, abandon: bool = False) -> None:
        self.client.stop_pipeline_execution(
            pipelineName="k8s", pipelineExecutionId=execution, abandon=abandon, reason="lunch"
        )

    def retry(self, execution: str, mode: str = "FAILED_ACTIONS", stage: str = "S1") -> None:
        self.client.retry_stage_execution(
            pipelineName="k8s", stageName=stage, pipelineExecutionId=execution, retryMode=mode
        )

    def approve(self, token: str, status: str = "Approved") -> None:
        """Answer the approval, or reject it."""
        self.client.put_approval_result(
            pipelineName="k8s",
            stageName="S1",
            actionName="Approve",
            result={"summary": "looks fine", "status": status},
            token=token,
        )

    def succeed(self, job: dict[str, Any] | None = None, **members: Any) -> None:
        """Answer this job, or the latest."""
        self.client.put_job_success_result(jobId=(job or self.invocations[-1])["id"], **members)

    def fail(
        self,
        job: dict[str, Any] | None = None,
        message: str = "infra runs",
        kind: str = "JobFailed",
    ) -> None:
        """Fail this job, or the latest."""
        details = {"type": kind, "message": message}
        self.client.put_job_failure_result(
            jobId=(job or self.invocations[-1])["id"], failureDetails=details
        )

    def fail_next(self, name: str, times: float = math.inf) -> None:
        """Let the next runs of the actions with this name fail, and then succeed."""
        runs = itertools.count(1)
        self.backend.outcome = lambda _execution, _stage, action_name: (
            2,
            "Failed" if action_name == name and next(runs) <= times else "Succeeded",
        )

    def execution(self, execution: str) -> dict[str, Any]:
        answer = self.client.get_pipeline_execution(
            pipelineName="k8s", pipelineExecutionId=execution
        )
        return cast("dict[str, Any]", answer["pipelineExecution"])

    def status(self, execution: str) -> str:
        return cast(str, self.execution(execution)["status"])

    def statuses(self, *executions: str) -> list[str]:
        return [self.status(execution) for execution in executions]

    def list_executions(self, **members: Any) -> list[dict[str, Any]]:
        answer = self.client.list_pipeline_executions(pipelineName="k8s", **members)
        return cast("list[dict[str, Any]]", answer["pipelineExecutionSummaries"])

    def list_actions(self, execution: str | None = None) -> list[dict[str, Any]]:
        """The runs of actions, of one execution or of all, newest first."""
        members = {"filter": {"pipelineExecutionId": execution}} if execution else {}
        answer = self.client.list_action_executions(pipelineName="k8s", **members)
        return cast("list[dict[str, Any]]", answer["actionExecutionDetails"])

    def stage(self, name: str = "S1") -> dict[str, Any]:
        states = self.client.get_pipeline_state(name="k8s")["stageStates"]
        return next(cast("dict[str, Any]", state) for state in states if state["stageName"] == name)

    def latest_action(self, index: int = 0) -> dict[str, Any]:
        """The latest run of an action of stage S1."""
        return cast("dict[str, Any]", self.stage()["actionStates"][index]["latestExecution"])

    def states(self, kind: str, execution: str) -> list[str]:
        """The states of this execution according to the events, in order: of "Pipeline", "Stage" or
        "Action".
        """
        return [
            event["state"]
            for event in self.events
            if event["kind"] == kind and event["execution-id"] == execution
        ]


def read_ids(executions: list[dict[str, Any]]) -> list[str]:
    return [execution["pipelineExecutionId"] for execution in executions]


def declaration(*stages: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    """The V2 pipeline k8s of a source stage and these stages of actions, named S1, S2, ..."""
    first: list[dict[str, Any]] = members.pop("sources", [source()])
    named = [{"name": f"S{number}", "actions": actions} for number, actions in enumerate(stages, 1)]
    return {
        "name": "k8s",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [{"name": "Source", "actions": first}, *named],
        "executionMode": members.pop("mode", "SUPERSEDED"),
        "pipelineType": "V2",
        **members,
    }


@contextmanager
def codepipeline_world() -> Iterator[CodePipelineWorld]:
    """Actions take 2 s, and new pipelines do not start automatically."""
    dials = world.Dials(start_on_create=False, enforce_iam=False)  # its role has no policy
    with (
        DrivenClock(START) as clock,
        world.enter_world(world.World(clock, cast(Executor, None), dials)),
        codepipeline.install(),
        mock_aws(config={"core": {"reset_boto3_session": False}}),
    ):
        create_role("pipeline", "codepipeline.amazonaws.com")
        backend = codepipeline_backends[ACCOUNT][REGION]
        assert isinstance(backend, CodePipelineBackend)
        aws = CodePipelineWorld(clock, dials, client("codepipeline", REGION), backend)

        def send_event(
            account: str,
            region: str,
            *,
            detail_type: str,
            detail: dict[str, Any],
            pipeline_arn: str,
        ) -> None:
            kind = detail_type.split()[1]
            aws.events.append(
                {"kind": kind, "arn": pipeline_arn, "account": account, "region": region, **detail}
            )

        def invoke_function(
            _account: str, _region: str, function: str, payload: str, on_end: object
        ) -> None:
            if function != "gate":
                raise LookupError(f"function {function} does not exist")
            aws.invocations.append(json.loads(payload)["CodePipeline.job"])

        with (
            patch.object(outside, "send_event", send_event),
            patch.object(outside, "invoke_function", invoke_function),
        ):
            yield aws
