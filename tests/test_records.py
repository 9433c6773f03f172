"""The result of a function, which is also its line in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import runtime
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import NoAnswer
from chalicelib.gate import answer_job
from chalicelib.job import JobOwner
from chalicelib.retry import check_hold
from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.support.calls import Calls
from tests.support.held import hold_k8s, retry_stage
from tests.support.logs import read_retry_log
from tests.support.scene import Scene

JOB = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(params=[True, False], ids=["taken", "known already"])
def answered(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, world: DrivenWorld
) -> bool:
    """Whether CodePipeline accepts a result. It refuses the result of a job that already has one or
    no longer exists.
    """
    taken: bool = request.param
    if taken:
        for name in ("put_job_success_result", "put_job_failure_result"):
            monkeypatch.setattr(runtime.aws.codepipeline._client, name, lambda **_: {})
    return taken


@pytest.fixture(autouse=True)
def job_of_k8s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs of these tests are made up. AWS says that they are jobs of k8s."""
    monkeypatch.setattr(CodePipeline, "read_job_owner", lambda *_: JobOwner(pipeline="k8s"))


def new_job(scene: Scene, upstream: str = "infra") -> tuple[str, dict[str, Any]]:
    """A new execution of k8s, and a job of it."""
    scene.pipeline("k8s")
    execution = scene.codepipeline.start_pipeline_execution(name="k8s")["pipelineExecutionId"]
    asked = json.dumps({"depends_on": upstream, "pipeline": "k8s", "execution": execution})
    data = {"actionConfiguration": {"configuration": {"UserParameters": asked}}}
    return execution, {"CodePipeline.job": {"id": JOB, "accountId": ACCOUNT, "data": data}}


def ask(scene: Scene, upstream: str = "infra") -> tuple[dict[str, Any], Any]:
    """The fields of every record of the gate, and its record of a new execution of k8s."""
    execution, job = new_job(scene, upstream)
    always = {"function": "gate", "job": JOB, "pipeline": "k8s", "execution": execution}
    record = Client(app.app).lambda_.invoke("gate", job).payload
    return always, record


def test_passed(scene: Scene, answered: bool) -> None:
    scene.pipeline("infra")
    always, record = ask(scene)
    summary = record.pop("summary")
    assert record == {**always, "decision": "passed", "answered": answered}
    assert summary.startswith("infra is idle")


def test_held(scene: Scene, answered: bool) -> None:
    scene.pipeline("infra")
    infra = scene.start("infra")
    always, record = ask(scene)
    reason = record.pop("reason")
    assert record == {
        **always,
        "decision": "held",
        "rule": f"pipeline-gate-dev-{always['execution']}",
        "waiting": {"infra": [f"{infra} InProgress"]},
        "waiting_seconds": 0,
        "answered": answered,
    }
    assert reason.startswith(f"infra is running: execution {infra[:8]}")


def test_held_by_the_deployment_whose_function_runs(scene: Scene) -> None:
    """Lambda's context names the deployment: here, a stage named prod."""
    scene.pipeline("infra")
    scene.start("infra")
    scene.awslambda.create_function(
        FunctionName="pipeline-gate-prod-retry",
        Role=PIPELINE_ROLE,
        Code={"ZipFile": b""},
        Handler="app.retry",
        Runtime="python3.11",
    )
    context = SimpleNamespace(
        invoked_function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pipeline-gate-prod-gate"
    )
    execution, job = new_job(scene)
    said = answer_job(job, context, runtime.aws, utcnow())
    assert said["rule"] == f"pipeline-gate-prod-{execution}"
    (target,) = scene.events.list_targets_by_rule(Rule=f"pipeline-gate-prod-{execution}")["Targets"]
    assert target["Arn"].endswith(":function:pipeline-gate-prod-retry")
    assert (
        check_hold(json.loads(target["Input"]), context, runtime.aws, utcnow())["decision"]
        == "waiting"
    )


@pytest.mark.parametrize(("environment", "minutes"), [({}, 5), ({"RETRY_MINUTES": "15"}, 15)])
def test_held_with_the_environments_interval_or_the_documented_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], minutes: int
) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    monkeypatch.delenv("RETRY_MINUTES", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    execution, job = new_job(scene)
    answer_job(job, None, runtime.aws, utcnow())
    rule = scene.events.describe_rule(Name=f"pipeline-gate-dev-{execution}")
    assert f"/{minutes} " in rule["ScheduleExpression"]


@pytest.mark.parametrize(
    ("context", "request_"), [(SimpleNamespace(aws_request_id="req-7"), "req-7"), (None, "?")]
)
def test_a_defect_points_to_the_log_of_its_invocation(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, context: object, request_: str
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("chalicelib.gate.find_unsatisfied", lambda _: 1 / 0)
    monkeypatch.setattr(
        runtime.aws.codepipeline._client,
        "put_job_failure_result",
        lambda **result: told.append(result),
    )
    scene.pipeline("infra")
    _, job = new_job(scene)
    answer_job(job, context, runtime.aws, utcnow())
    (result,) = told
    assert f"log says about request {request_}." in result["failureDetails"]["message"]


def test_kept_open(scene: Scene, answered: bool) -> None:
    scene.only_room_for(0)
    scene.pipeline("infra")
    scene.start("infra")
    always, record = ask(scene)
    assert {"waiting", "reason"} < set(record)
    del record["waiting"], record["reason"]
    expected = {"decision": "kept open", "waiting_seconds": 0, "answered": answered}
    assert record == {**always, **expected}


def test_refused(scene: Scene, answered: bool) -> None:
    always, record = ask(scene, "infra and more")
    reason = record.pop("reason")
    assert record == {**always, "decision": "refused", "answered": answered}
    assert "not a pipeline's name" in reason


def test_a_defect(scene: Scene, answered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.gate.find_unsatisfied", lambda _: 1 / 0)
    scene.pipeline("infra")
    _, said = ask(scene)
    places = said.pop("places")
    assert said == {
        "function": "gate",
        "decision": "defect",
        "error": "ZeroDivisionError",
        "job": JOB,
        "answered": answered,
    }
    assert "gate.py" in places[0]


def test_an_upstream_that_aws_does_not_tell_of(scene: Scene, calls: Calls) -> None:
    calls.fail("ListPipelineExecutions", "ThrottlingException")
    _, said = ask(scene)
    assert said["waiting"] == {
        "infra": "codepipeline:ListPipelineExecutions was not answered (ThrottlingException)"
    }


def test_a_result_that_cannot_be_delivered(
    scene: Scene, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.pipeline("infra")
    calls.fail("PutJobSuccessResult", "ThrottlingException")
    with pytest.raises(NoAnswer):
        ask(scene)
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "function": "gate",
        "decision": "unanswered",
        "job": JOB,
        "reason": "codepipeline:PutJobSuccessResult was not answered (ThrottlingException)",
    }


class TestRetry:
    @pytest.fixture
    def held(self, scene: Scene) -> str:
        execution = hold_k8s(scene, seconds=600, minutes=0)
        scene.world.dials.events_on = False
        return execution

    def look(self, scene: Scene, held: str) -> Any:
        """The record of the retry function when the rule of a hold fires."""
        (target,) = scene.events.list_targets_by_rule(Rule=f"pipeline-gate-dev-{held}")["Targets"]
        said = Client(app.app).lambda_.invoke("retry", json.loads(target["Input"])).payload
        always = {
            "function": "retry",
            "rule": f"pipeline-gate-dev-{held}",
            "pipeline": "k8s",
            "execution": held,
            "since": "2026-11-23T12:00:12+00:00",
        }
        assert always.items() <= said.items()
        assert ("waited_seconds" in said) == (said["decision"] != "waiting")
        return {key: value for key, value in said.items() if key not in (*always, "waited_seconds")}

    def stop(self, scene: Scene, pipeline: str) -> None:
        for execution in scene.executions(pipeline):
            scene.codepipeline.stop_pipeline_execution(
                pipelineName=pipeline,
                pipelineExecutionId=execution["pipelineExecutionId"],
                abandon=True,
            )
        scene.wait(seconds=1)

    def test_waiting(self, scene: Scene, held: str) -> None:
        assert self.look(scene, held) == {
            "decision": "waiting",
            "reason": "still waiting for infra",
            "waiting_seconds": 10,
        }

    def test_started(self, scene: Scene, held: str) -> None:
        self.stop(scene, "infra")
        said = self.look(scene, held)
        assert said == {
            "decision": "started",
            "reason": "the upstreams are idle",
            "started": scene.executions()[0]["pipelineExecutionId"],
        }
        assert scene.executions()[0]["pipelineExecutionId"] != held

    def test_dropped(self, scene: Scene, held: str) -> None:
        self.stop(scene, "infra")
        scene.codepipeline.delete_pipeline(name="k8s")
        assert self.look(scene, held) == {
            "decision": "dropped",
            "reason": "the pipeline k8s no longer exists",
        }

    def test_waiting_for_the_held_execution_itself(self, scene: Scene, held: str) -> None:
        self.stop(scene, "infra")
        retry_stage(scene, held)
        assert self.look(scene, held) == {
            "decision": "waiting",
            "reason": "the held execution is still in progress",
        }

    def test_dropped_because_the_pipeline_goes_just_before_its_start(
        self, scene: Scene, held: str, calls: Calls
    ) -> None:
        self.stop(scene, "infra")
        calls.fail("StartPipelineExecution", "PipelineNotFoundException")
        assert self.look(scene, held) == {
            "decision": "dropped",
            "reason": "the pipeline k8s no longer exists",
        }
        assert scene.rules() == []

    def test_dropped_for_a_newer_execution(self, scene: Scene, held: str) -> None:
        newer = scene.start("k8s")
        self.stop(scene, "infra")
        assert self.look(scene, held) == {
            "decision": "dropped",
            "reason": f"a newer execution exists: {newer} is Failed",
            "replaced_by": newer,
        }

    def test_dropped_for_an_execution_that_passed_later_and_then_failed(
        self, scene: Scene, calls: Calls
    ) -> None:
        scene.world.dials.events_on = False
        scene.pipeline("infra", seconds=60)
        scene.k8s(outcome="Failed")
        scene.start("infra")
        held = scene.start("k8s")
        scene.wait(seconds=60)
        retry_stage(scene, held)
        scene.wait(seconds=70)
        assert scene.statuses() == ["Failed"]
        assert self.look(scene, held) == {
            "decision": "dropped",
            "reason": f"execution {held} passed the gate in a later attempt",
        }

    def test_waiting_for_two(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.pipeline("network")
        scene.k8s("infra", "network")
        scene.start("infra")
        scene.start("network")
        scene.start("k8s")
        (rule,) = scene.rules()
        assert (
            Client(app.app).lambda_.invoke("retry", {"rule": rule}).payload["reason"]
            == "still waiting for infra, network"
        )

    def test_a_sweep(self, scene: Scene, held: str) -> None:
        """A rule without a target is removed when it is older than half an hour. A rule whose
        description has no time stays.
        """
        names = [f"pipeline-gate-dev-5e6f7a8b-0000-4000-8000-00000000000{n}" for n in range(3)]
        since = ["Since 2026-11-23 11:29 UTC x", "Since 2026-11-23 11:35 UTC x"]
        for name, description in zip(names, since, strict=False):
            scene.events.put_rule(
                Name=name, ScheduleExpression="rate(1 day)", Description=description
            )
        scene.events.put_rule(Name=names[2], ScheduleExpression="rate(1 day)")
        self.stop(scene, "infra")
        scene.world.clock.advance(
            datetime(2026, 11, 23, 12, 5, tzinfo=UTC) - utcnow()
        )  # the hold's schedule fires
        scene.wait(seconds=1)
        assert set(scene.rules()) == set(names[1:])
        assert read_retry_log("swept") == [
            {
                "function": "retry",
                "decision": "swept",
                "rule": names[0],
                "reason": "a rule without a target, left by an earlier invocation",
            }
        ]

    def test_a_sweep_that_fails(self, scene: Scene, held: str, calls: Calls) -> None:
        calls.fail("ListRules", "ThrottlingException")
        self.stop(scene, "infra")
        scene.wait(minutes=5)
        assert scene.statuses() == ["InProgress", "Failed"]
        assert read_retry_log("not swept") == [
            {
                "function": "retry",
                "decision": "not swept",
                "reason": "events:ListRules was not answered (ThrottlingException)",
            }
        ]

    def test_over(self, scene: Scene, held: str) -> None:
        scene.wait(minutes=20)
        rule = f"pipeline-gate-dev-{held}"
        said = Client(app.app).lambda_.invoke("retry", {"rule": rule}).payload
        assert said == {
            "function": "retry",
            "decision": "over",
            "rule": rule,
            "reason": "the hold had already ended",
        }
