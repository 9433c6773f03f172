"""Pipelines as the article has them, and what a person does with them and sees of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

import boto3
from moto.codepipeline.models import codepipeline_backends

from chalicelib.holds.verdict import split_token
from sandbox import eventbridge
from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ExecutionStatus, PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.codepipeline.triggers import PullRequestEvent
from sandbox.inprocess import DrivenWorld
from tests.support.connections import REPOSITORY

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import PipelineExecutionSummaryTypeDef

GATE = "pipeline-gate-dev-gate"
EXECUTION = "#{codepipeline.PipelineExecutionId}"


class Scene:
    """A person with an AWS account: makes pipelines, starts them, waits, looks. Times are in
    seconds or minutes of driven time.
    """

    def __init__(self, world: DrivenWorld, region: str = REGION) -> None:
        self.world = world
        self.codepipeline = boto3.client("codepipeline", region_name=region)
        self.events = boto3.client("events")
        self.awslambda = boto3.client("lambda")

    def pipeline(
        self,
        name: str,
        *,
        seconds: float = 600,
        outcome: str = "Succeeded",
        mode: str = "SUPERSEDED",
        **more: Any,
    ) -> None:
        """A pipeline without a gate: Source, then a Deploy that takes `seconds` and ends with
        `outcome`.
        """
        self._create(name, [_source(), _deploy(seconds, outcome)], mode, more)

    def gated(
        self,
        name: str,
        asked: object,
        *,
        seconds: float = 60,
        outcome: str = "Succeeded",
        mode: str = "SUPERSEDED",
        **more: Any,
    ) -> None:
        """A pipeline with a gate stage between its source and its work. `asked`: UserParameters, as
        text or to become JSON.
        """
        self._create(name, [_source(), gate_stage(asked), _deploy(seconds, outcome)], mode, more)

    def k8s(
        self,
        *depends_on: str,
        seconds: float = 60,
        outcome: str = "Succeeded",
        mode: str = "SUPERSEDED",
        **more: Any,
    ) -> None:
        """The article's dependent pipeline, with every key that the documents write."""
        asked = {"depends_on": depends_on or ["infra"], "pipeline": "k8s", "execution": EXECUTION}
        self.gated("k8s", asked, seconds=seconds, outcome=outcome, mode=mode, **more)

    def start(self, name: str, **more: Any) -> str:
        """Start a pipeline, wait until its first stages are through, and return the execution's
        id.
        """
        id_ = self.codepipeline.start_pipeline_execution(name=name, **more)["pipelineExecutionId"]
        self.wait(seconds=10)
        return id_

    def wait(self, *, minutes: float = 0, seconds: float = 0) -> None:
        self.world.clock.advance(timedelta(minutes=minutes, seconds=seconds))

    def executions(self, name: str = "k8s") -> list[PipelineExecutionSummaryTypeDef]:
        """Newest first."""
        return self.codepipeline.list_pipeline_executions(pipelineName=name)[
            "pipelineExecutionSummaries"
        ]

    def statuses(self, name: str = "k8s") -> list[str]:
        """Newest first."""
        return [execution["status"] for execution in self.executions(name)]

    def rules(self) -> list[str]:
        return [rule["Name"] for rule in self.events.list_rules()["Rules"]]

    def gate_action(self, name: str = "k8s") -> dict[str, Any]:
        """What the console shows of the gate action: its latest execution."""
        stages = self.codepipeline.get_pipeline_state(name=name)["stageStates"]
        return next(
            dict(stage["actionStates"][0]["latestExecution"])
            for stage in stages
            if stage["stageName"] == "Gate"
        )

    def gate_message(self, name: str = "k8s") -> str:
        """What the console shows of the gate action, without the token behind the sentences."""
        action = self.gate_action(name)
        message = action["errorDetails"]["message"] if "errorDetails" in action else ""
        return split_token(message)[0] if message else str(action["summary"])

    def outputs(self, name: str = "k8s") -> dict[str, str]:
        """The output variables of the gate action's latest execution."""
        actions = self.codepipeline.list_action_executions(pipelineName=name)[
            "actionExecutionDetails"
        ]
        return next(
            action["output"].get("outputVariables", {})
            for action in actions
            if action["stageName"] == "Gate"
        )

    def staged(self, name: str, *stages: tuple[str, float], mode: str = "SUPERSEDED") -> None:
        """A pipeline of a Source and these stages, each with the seconds that it takes; "Approve"
        stands for an approval.
        """
        self._create(
            name,
            [
                _source(),
                *(
                    _approval() if stage == "Approve" else _work(stage, seconds)
                    for stage, seconds in stages
                ),
            ],
            mode,
            {},
        )

    def refusal(self, asked: object, name: str = "k8s", **more: Any) -> tuple[str, str]:
        """Start a pipeline whose gate asks that: its failure's type and message."""
        self.gated(name, asked, **more)
        self.start(name)
        return self.gate_action(name)["errorDetails"]["code"], self.gate_message(name)

    def quick_from_now_on(self) -> None:
        """Actions that begin from now on take a second; running actions continue as before."""
        self._backend.outcome = lambda *_: (1.0, "Succeeded")

    def ends_from_now_on(self, name: str, outcome: Literal["Succeeded", "Failed"]) -> None:
        """What this pipeline deploys from now on takes 5 seconds and ends with `outcome`. Other
        actions take a minute.
        """
        self._backend.outcome = lambda execution, stage, _: (
            (5.0, outcome)
            if execution.pipeline_name == name and stage == "Deploy"
            else (1.0 if stage == "Source" else 60.0, "Succeeded")
        )

    def has_run(self, name: str, *past: tuple[timedelta, ExecutionStatus]) -> None:
        """Give the pipeline a history: for each of its executions how long ago it began, and its
        status, oldest first.
        """
        pipeline = self._backend.pipelines[name]
        for number, (ago, status) in enumerate(past):
            execution = PipelineExecution(
                name, 1, number, pipeline.mode, "Webhook", "", {}, [], status=status
            )
            execution.started = utcnow() - ago
            execution.updated = execution.started + timedelta(minutes=5)
            pipeline.history.append(execution)

    def push(self, name: str, commit: str) -> None:
        """A person pushes: the next execution's source uses this commit."""
        self._backend.push(name, "Source", commit)

    def push_commit(self, branch: str, commit: str, **details: Any) -> list[str]:
        """A person pushes to a branch of REPOSITORY. The ids of the executions that this starts,
        whose first stages are through.
        """
        started = self._backend.push_commit(REPOSITORY, branch, commit, **details)
        self.wait(seconds=10)
        return started

    def push_tag(self, tag: str, commit: str, **details: Any) -> list[str]:
        """The same with a tag."""
        started = self._backend.push_tag(REPOSITORY, tag, commit, **details)
        self.wait(seconds=10)
        return started

    def change_pull_request(
        self, branch: str, target: str, commit: str, event: PullRequestEvent = "OPEN"
    ) -> list[str]:
        """The same with a pull request from `branch` into `target`."""
        started = self._backend.change_pull_request(REPOSITORY, branch, target, commit, event)
        self.wait(seconds=10)
        return started

    def start_from_rule(self, name: str, source_revisions: list[dict[str, str]]) -> str:
        """An EventBridge rule starts the pipeline at these revisions, and its first stages end."""
        id_ = self._backend.start_from_rule(name, source_revisions)
        self.wait(seconds=10)
        return id_

    def only_room_for(self, rules: int) -> None:
        """EventBridge's quota of rules."""
        eventbridge.backend(ACCOUNT, REGION).rules_per_bus = rules

    @property
    def _backend(self) -> CodePipelineBackend:
        return cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])

    def _create(
        self, name: str, stages: list[dict[str, Any]], mode: str, more: dict[str, Any]
    ) -> None:
        """`more` may have `sources`, the actions of the first stage, and any other member."""
        if "sources" in more:
            stages[0]["actions"] = more.pop("sources")
        declaration = {
            "name": name,
            "roleArn": PIPELINE_ROLE,
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": stages,
            "pipelineType": "V2",
            "executionMode": mode,
            **more,
        }
        self.codepipeline.create_pipeline(pipeline=declaration)  # type: ignore[arg-type]


def gate_stage(asked: object, name: str = "Gate") -> dict[str, Any]:
    configuration = {"FunctionName": GATE}
    if asked is not None:
        configuration["UserParameters"] = asked if isinstance(asked, str) else json.dumps(asked)
    return {"name": name, "actions": [_action("Wait", "Invoke", "Lambda", configuration)]}


def _source() -> dict[str, Any]:
    action = _action(
        "Source", "Source", "CodeCommit", {"RepositoryName": "code", "BranchName": "main"}
    )
    return {"name": "Source", "actions": [{**action, "outputArtifacts": [{"name": "source"}]}]}


def _deploy(seconds: float, outcome: str) -> dict[str, Any]:
    configuration = {
        "ProjectName": "deploy",
        "SandboxSeconds": str(seconds),
        "SandboxOutcome": outcome,
    }
    return {
        "name": "Deploy",
        "actions": [
            {
                **_action("Deploy", "Build", "CodeBuild", configuration),
                "inputArtifacts": [{"name": "source"}],
            }
        ],
    }


def _work(name: str, seconds: float) -> dict[str, Any]:
    stage = _deploy(seconds, "Succeeded")
    return {"name": name, "actions": [{**stage["actions"][0], "name": name}]}


def _approval() -> dict[str, Any]:
    return {"name": "Approve", "actions": [_action("Ask", "Approval", "Manual", {})]}


def _action(
    name: str, category: str, provider: str, configuration: dict[str, str]
) -> dict[str, Any]:
    type_id = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": configuration}
