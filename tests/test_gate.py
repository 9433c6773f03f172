"""The gate as its users see it: a pipeline with a gate action, and what CodePipeline then shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from chalicelib import runtime
from chalicelib.holds.rule import read_date
from sandbox.account import ACCOUNT, REGION
from tests.support.ask import ask
from tests.support.calls import Calls, timed_out
from tests.support.held import hold_k8s
from tests.support.scene import Scene


def test_an_idle_upstream_lets_the_pipeline_pass_and_says_why(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra", seconds=60)
    infra = scene.start("infra")
    scene.wait(minutes=2)
    scene.k8s()
    scene.start("k8s")
    assert scene.gate_action()["status"] == "Succeeded"
    assert f"last execution {infra[:8]}" in scene.gate_action()["summary"]
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]
    assert scene.rules() == []


def test_a_running_upstream_holds_the_pipeline_with_a_rule_and_says_what_happens_next(
    scene: Scene,
) -> None:
    scene.pipeline("infra")
    infra = scene.start("infra")
    scene.wait(minutes=2)
    scene.k8s()
    held = scene.start("k8s")

    assert scene.statuses() == ["Failed"]
    error = scene.gate_action()["errorDetails"]
    assert error["code"] == "JobFailed"
    assert error["message"].endswith(" [pipeline-gate/1 held]")
    for phrase in ("12:02 UTC", infra[:8], "next at 12:07 UTC"):
        assert phrase in error["message"]

    rule = scene.events.describe_rule(Name=f"pipeline-gate-dev-{held}")
    assert rule["ScheduleExpression"] == "cron(2/5 * * * ? *)"
    assert json.loads(rule["EventPattern"])["detail"]["pipeline"] == ["infra"]
    assert read_date(rule["Description"]) == datetime(2026, 11, 23, 12, 2, tzinfo=UTC)
    (target,) = scene.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pipeline-gate-dev-retry"
    kept = json.loads(target["Input"])
    assert (kept["pipeline"], kept["execution"], kept["depends_on"]) == ("k8s", held, ["infra"])


@pytest.mark.parametrize(("mode", "is_replaceable"), [("QUEUED", True), ("PARALLEL", False)])
def test_the_message_of_a_hold_says_whether_a_newer_execution_would_end_it(
    scene: Scene, mode: str, is_replaceable: bool
) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    scene.k8s(mode=mode)
    scene.start("k8s")
    clause = "unless a newer execution of k8s starts first"
    assert (clause in scene.gate_message()) is is_replaceable


def test_an_execution_that_is_far_back_in_the_history_but_runs_counts(scene: Scene) -> None:
    scene.pipeline("infra", mode="PARALLEL")
    scene.start("infra")
    scene.quick_from_now_on()
    for _ in range(120):
        scene.codepipeline.start_pipeline_execution(name="infra")
        scene.wait(seconds=4)
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["Failed"]


def test_only_events_may_invoke_the_retry(scene: Scene) -> None:
    hold_k8s(scene, seconds=600, minutes=0)
    scene.start("k8s")  # a second hold finds the statement there
    (statement,) = json.loads(
        scene.awslambda.get_policy(FunctionName="pipeline-gate-dev-retry")["Policy"]
    )["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "lambda:InvokeFunction")
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnLike": {"AWS:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pipeline-gate-*"}
    }


class TestWithoutRoomForARule:
    """EventBridge has a quota of rules. No pipeline may be lost when it is used up."""

    def test_the_action_stays_in_progress_until_there_is_room(self, scene: Scene) -> None:
        scene.only_room_for(0)
        held = hold_k8s(scene, seconds=600, minutes=0)
        assert scene.statuses() == ["InProgress"]
        assert "No EventBridge rule is available" in scene.gate_action()["summary"]
        scene.wait(minutes=3)
        assert scene.statuses() == ["InProgress"]
        scene.only_room_for(1)
        scene.wait(minutes=1)
        assert scene.statuses() == ["Failed"]
        assert scene.rules() == [f"pipeline-gate-dev-{held}"]

    def test_it_passes_when_the_upstream_ends_first(self, scene: Scene) -> None:
        scene.only_room_for(0)
        hold_k8s(scene, seconds=60, minutes=0)
        scene.wait(minutes=5)
        assert scene.statuses() == ["Succeeded"]


class TestWhoseJob:
    """The event does not say which pipeline and execution the job belongs to."""

    def test_codepipeline_is_asked_if_the_action_does_not_say(
        self, scene: Scene, calls: Calls
    ) -> None:
        scene.world.dials.job_details = "execution"
        scene.pipeline("infra")
        scene.start("infra")
        scene.gated("k8s", "infra")
        held = scene.start("k8s")
        assert scene.rules() == [f"pipeline-gate-dev-{held}"]
        assert "GetJobDetails" in calls.made

    @pytest.mark.parametrize(
        ("told", "missing"), [("nothing", "pipeline"), ("pipeline", "execution")]
    )
    def test_what_codepipeline_does_not_tell_is_asked_of_the_user(
        self, scene: Scene, told: str, missing: str
    ) -> None:
        scene.world.dials.job_details = told
        scene.pipeline("infra")
        scene.start("infra")
        kind, message = scene.refusal("infra")
        assert kind == "ConfigurationError"
        assert f'Add "{missing}":' in message
        assert scene.rules() == []

    def test_a_pipeline_that_depends_on_itself_unnamed_is_found_out(self, scene: Scene) -> None:
        scene.world.dials.job_details = "execution"
        kind, message = scene.refusal("k8s")
        assert (kind, scene.rules()) == ("ConfigurationError", [])
        assert "depends on itself" in message

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_a_mistyped_own_name_is_refused_while_somebody_looks(
        self, scene: Scene, mode: str
    ) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        scene.pipeline("k9s")
        kind, message = scene.refusal(ask(pipeline="k9s", hold=mode))
        assert (kind, scene.rules()) == ("ConfigurationError", [])
        assert "in the pipeline k8s, but its UserParameters name the pipeline k9s" in message


class TestBadInput:
    """Bad input fails the job immediately, with a message to act on, and never creates a rule."""

    @pytest.mark.parametrize(
        "asked",
        [None, {"depends_on": "infra", "retry_minutes": 7}, {"depends_on": ["infra", "k8s"]}],
    )
    def test_it_is_refused_though_an_upstream_runs(self, scene: Scene, asked: object) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        assert scene.refusal(asked)[0] == "ConfigurationError"
        assert scene.rules() == []

    def test_an_upstream_that_does_not_exist_is_named_with_its_place(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        kind, message = scene.refusal({"depends_on": ["infra", "Infra"]})
        assert (kind, scene.rules()) == ("ConfigurationError", [])
        assert f"no pipeline Infra in account {ACCOUNT}, region {REGION}" in message

    @pytest.mark.parametrize(
        "operation",
        [
            "ListPipelineExecutions",
            "AddPermission",
            "PutRule",
            "PutTargets",
            "GetPipelineExecution",
            "ListActionExecutions",
        ],
    )
    def test_a_denied_call_is_named(self, scene: Scene, calls: Calls, operation: str) -> None:
        scene.world.dials.job_details = "nothing"
        scene.pipeline("infra")
        scene.start("infra")
        calls.fail(operation, "AccessDeniedException")
        scene.k8s()
        scene.start("k8s")
        error = scene.gate_action()["errorDetails"]
        assert error["code"] == "PermissionError"
        assert f":{operation} (not authorized)" in error["message"]


class TestWhenAwsDoesNotAnswer:
    @pytest.mark.parametrize("error", ["ThrottlingException", "InternalFailure", timed_out()])
    def test_an_upstream_that_is_not_known_to_be_idle_holds(
        self, scene: Scene, calls: Calls, error: str | Exception
    ) -> None:
        scene.pipeline("infra", seconds=60)
        calls.fail("ListPipelineExecutions", error)
        scene.k8s()
        held = scene.start("k8s")
        assert "The gate could not check infra" in scene.gate_action()["errorDetails"]["message"]
        assert scene.rules() == [f"pipeline-gate-dev-{held}"]

        calls.mend()
        scene.wait(minutes=5)
        assert scene.statuses() == ["InProgress", "Failed"]

    @pytest.mark.parametrize(
        "operation", ["AddPermission", "PutRule", "PutTargets", "PutJobFailureResult"]
    )
    @pytest.mark.parametrize("after", [False, True])
    def test_what_cannot_be_left_with_aws_is_tried_again(
        self, scene: Scene, calls: Calls, operation: str, after: bool
    ) -> None:
        scene.pipeline("infra", seconds=600)
        scene.start("infra")
        scene.k8s()
        calls.fail(operation, timed_out(), after=after)
        held = scene.start("k8s")
        calls.mend()
        scene.wait(minutes=2)  # Lambda's own second attempt
        assert scene.statuses() == ["Failed"]
        assert scene.rules() == [f"pipeline-gate-dev-{held}"]
        assert len(scene.events.list_targets_by_rule(Rule=scene.rules()[0])["Targets"]) == 1

    def test_a_rule_that_is_removed_while_it_is_created_is_created_again(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        scene.k8s()
        real = runtime.aws.eventbridge._client.put_targets
        removed: list[str] = []

        def put_targets(**request: Any) -> Any:
            if not removed:
                removed.append(request["Rule"])
                scene.events.delete_rule(Name=request["Rule"])
            return real(**request)

        monkeypatch.setattr(runtime.aws.eventbridge._client, "put_targets", put_targets)
        held = scene.start("k8s")
        assert removed == scene.rules() == [f"pipeline-gate-dev-{held}"]
        assert scene.statuses() == ["Failed"]


def test_a_defect_of_the_gate_fails_the_job_rather_than_let_it_hang(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("secret detail")

    monkeypatch.setattr("chalicelib.gate.find_unsatisfied", broken)
    scene.pipeline("infra")
    kind, message = scene.refusal("infra")
    assert kind == "SystemUnavailable"
    assert "The gate itself failed (KeyError)" in message
    assert "secret detail" not in message


def test_a_call_that_aws_refuses_unexpectedly_is_named_without_its_words(
    scene: Scene, calls: Calls
) -> None:
    calls.fail("ListPipelineExecutions", "ValidationException")
    scene.pipeline("infra")
    kind, message = scene.refusal("infra")
    assert kind == "SystemUnavailable"
    assert "codepipeline:ListPipelineExecutions answered ValidationException" in message
    assert "not authorized" not in message


@pytest.mark.parametrize(
    "error", ["AccessDeniedException", "ThrottlingException", "ValidationException"]
)
def test_a_hold_does_not_depend_on_the_upstreams_stage(
    scene: Scene, calls: Calls, error: str
) -> None:
    calls.fail("GetPipelineState", error)
    hold_k8s(scene, seconds=600, minutes=0)
    assert len(scene.rules()) == 1


def test_credentials_never_reach_a_log(
    scene: Scene, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the event's artifactCredentials nor those of GetJobDetails, whatever the gate decides
    and whatever fails.
    """
    caplog.set_level("INFO")
    scene.world.dials.job_details = "execution"
    scene.pipeline("infra", seconds=60)
    scene.gated("k8s", "infra")
    logs = boto3.client("logs")
    scene.start("infra")
    scene.start("k8s")  # held
    scene.wait(minutes=5)  # started again, passed
    lines = [
        event["message"]
        for function in ("gate", "retry")
        for event in logs.filter_log_events(
            logGroupName=f"/aws/lambda/pipeline-gate-dev-{function}"
        )["events"]
    ]
    decisions = [json.loads(line) for line in lines if line.startswith("{")]
    assert [one["decision"] for one in decisions if one["function"] == "gate"] == ["held", "passed"]
    everything = "\n".join([*lines, *capfd.readouterr(), caplog.text])
    for secret in ("never-to-be-logged", "secretAccessKey", "sessionToken", "artifactCredentials"):
        assert secret not in everything
