"""What a function says of itself: its result, which is also its line in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import runtime
from chalicelib.errors import NoAnswer
from chalicelib.gate import answer_job
from chalicelib.retry import check_hold
from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.support.calls import Calls
from tests.support.logs import read_retry_log
from tests.support.scene import EXECUTION, Scene

JOB = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(params=[True, False], ids=["taken", "known already"])
def answered(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, world: DrivenWorld
) -> bool:
    """Whether CodePipeline takes a result; it refuses one for a job that has its result or is
    gone.
    """
    taken: bool = request.param
    if taken:
        for name in ("put_job_success_result", "put_job_failure_result"):
            monkeypatch.setattr(runtime.aws.codepipeline._client, name, lambda **_: {})
    return taken


def new_job(scene: Scene, upstream: str = "infra") -> tuple[str, dict[str, Any]]:
    """A new execution of k8s, and a job of it."""
    scene.pipeline("k8s")
    execution = scene.codepipeline.start_pipeline_execution(name="k8s")["pipelineExecutionId"]
    asked = json.dumps({"depends_on": upstream, "pipeline": "k8s", "execution": execution})
    data = {"actionConfiguration": {"configuration": {"UserParameters": asked}}}
    return execution, {"CodePipeline.job": {"id": JOB, "accountId": ACCOUNT, "data": data}}


def ask(scene: Scene, upstream: str = "infra") -> tuple[str, Any]:
    """A new execution of k8s, and what the gate says to a job of it."""
    execution, job = new_job(scene, upstream)
    return execution, Client(app.app).lambda_.invoke("gate", job).payload


def test_passed(scene: Scene, answered: bool) -> None:
    scene.pipeline("infra")
    execution, said = ask(scene)
    assert said == {
        "function": "gate",
        "decision": "passed",
        "job": JOB,
        "pipeline": "k8s",
        "execution": execution,
        "summary": "infra is idle: it has not run in the last 14 days",
        "answered": answered,
    }


def test_held(scene: Scene, answered: bool) -> None:
    scene.pipeline("infra")
    infra = scene.start("infra")
    execution, said = ask(scene)
    assert said == {
        "function": "gate",
        "decision": "held",
        "job": JOB,
        "pipeline": "k8s",
        "execution": execution,
        "rule": f"pipeline-gate-dev-{execution}",
        "waiting": {"infra": [f"{infra} InProgress"]},
        "reason": f"infra runs: execution {infra[:8]} is InProgress since 12:00 UTC.",
        "answered": answered,
    }


def test_held_by_the_deployment_whose_function_runs(scene: Scene) -> None:
    """Lambda's context tells it; here, of a stage named prod."""
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


def test_held_with_the_documented_interval_where_the_environment_says_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    monkeypatch.delenv("RETRY_MINUTES", raising=False)
    execution, job = new_job(scene)
    answer_job(job, None, runtime.aws, utcnow())
    assert (
        "/5 "
        in scene.events.describe_rule(Name=f"pipeline-gate-dev-{execution}")["ScheduleExpression"]
    )


def test_held_with_the_environments_interval(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    monkeypatch.setenv("RETRY_MINUTES", "15")
    execution, job = new_job(scene)
    answer_job(job, None, runtime.aws, utcnow())
    assert (
        "/15 "
        in scene.events.describe_rule(Name=f"pipeline-gate-dev-{execution}")["ScheduleExpression"]
    )


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
    assert f"log at request {request_} and" in result["failureDetails"]["message"]


def test_what_the_console_shows_of_a_hold(scene: Scene) -> None:
    scene.pipeline("infra")
    infra = scene.start("infra")
    scene.gated(
        "k8s",
        {"depends_on": "infra", "retry_minutes": 15, "pipeline": "k8s", "execution": EXECUTION},
    )
    held = scene.start("k8s")
    assert scene.gate_action()["errorDetails"]["message"] == (
        f"k8s waits for infra since 12:00 UTC. infra runs: execution {infra[:8]} is InProgress "
        "since 12:00 UTC. "
        "This execution ends here, and that is as planned: k8s starts again by itself within "
        "seconds of the end of infra, "
        "successful or not (looked at again every 15 minutes too, next at 12:15 UTC). There is "
        "nothing to do. "
        "To go on now all the same: gatectl release k8s. "
        f"To stop waiting: remove the EventBridge rule pipeline-gate-dev-{held} with its target. "
        "[pipeline-gate/1 held]"
    )


def test_what_the_console_shows_of_a_mistyped_pipeline(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    scene.gated("k8s", {"depends_on": "infra", "pipeline": "k9s", "execution": EXECUTION})
    execution = scene.start("k8s")
    assert scene.gate_action()["errorDetails"]["message"].startswith(
        f"k9s has no execution {execution}. In UserParameters"
    )


def test_kept_open(scene: Scene, answered: bool) -> None:
    scene.only_room_for(0)
    scene.pipeline("infra")
    scene.start("infra")
    execution, said = ask(scene)
    assert said == {
        "function": "gate",
        "decision": "kept open",
        "job": JOB,
        "pipeline": "k8s",
        "execution": execution,
        "waiting": said["waiting"],
        "reason": said["reason"],
        "answered": answered,
    }


def test_refused(scene: Scene, answered: bool) -> None:
    _, said = ask(scene, "infra and more")
    reason = said.pop("reason")
    assert said == {"function": "gate", "decision": "refused", "job": JOB, "answered": answered}
    assert "no pipeline's name" in reason


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
        scene.pipeline("infra")
        scene.k8s()
        scene.start("infra")
        execution = scene.start("k8s")
        scene.world.dials.events_on = False
        return execution

    def look(self, scene: Scene, held: str) -> Any:
        """What the retry says when the rule of a hold fires."""
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
        }

    def test_waiting_where_only_the_rule_is_named(self, scene: Scene, held: str) -> None:
        said = (
            Client(app.app).lambda_.invoke("retry", {"rule": f"pipeline-gate-dev-{held}"}).payload
        )
        assert (said["decision"], said["reason"], said["execution"]) == (
            "waiting",
            "still waiting for infra",
            held,
        )

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
            "reason": "the pipeline k8s is gone",
        }

    def test_waiting_for_the_held_execution_itself(self, scene: Scene, held: str) -> None:
        self.stop(scene, "infra")
        scene.codepipeline.retry_stage_execution(
            pipelineName="k8s",
            stageName="Gate",
            pipelineExecutionId=held,
            retryMode="FAILED_ACTIONS",
        )
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
            "reason": "the pipeline k8s is gone",
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

    def test_dropped_for_an_execution_that_passed_later(self, scene: Scene, held: str) -> None:
        self.stop(scene, "infra")
        scene.codepipeline.retry_stage_execution(
            pipelineName="k8s",
            stageName="Gate",
            pipelineExecutionId=held,
            retryMode="FAILED_ACTIONS",
        )
        scene.wait(seconds=70)
        assert self.look(scene, held) == {
            "decision": "dropped",
            "reason": f"execution {held} is Succeeded",
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
        scene.codepipeline.retry_stage_execution(
            pipelineName="k8s",
            stageName="Gate",
            pipelineExecutionId=held,
            retryMode="FAILED_ACTIONS",
        )
        scene.wait(seconds=70)
        assert scene.statuses() == ["Failed"]
        assert self.look(scene, held) == {
            "decision": "dropped",
            "reason": f"execution {held} passed the gate at a later attempt",
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
        """A rule without a target goes when it is older than half an hour; one that tells no time
        stays.
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
                "reason": "a rule without a target, left by a gate that died",
            }
        ]

    def test_a_sweep_that_fails(self, scene: Scene, held: str, calls: Calls) -> None:
        calls.fail("ListRules", "ThrottlingException")
        self.stop(scene, "infra")
        scene.wait(minutes=5)
        assert read_retry_log("not swept") == [
            {
                "function": "retry",
                "decision": "not swept",
                "reason": "events:ListRules or ListRuleNamesByTarget was not answered "
                "(ThrottlingException)",
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
            "reason": "the hold ended before",
        }
