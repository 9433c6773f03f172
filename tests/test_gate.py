"""The gate as its users meet it: a pipeline whose action asks, and what CodePipeline then shows."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from chalice.test import Client

import app
from chalicelib import runtime
from chalicelib.errors import NoAnswer, RefusedInput
from sandbox.account import ACCOUNT, REGION
from tests.support.calls import Calls, timed_out
from tests.support.scene import EXECUTION, Scene


def test_an_idle_upstream_lets_the_pipeline_pass_and_says_why(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra", seconds=60)
    infra = scene.start("infra")
    scene.wait(minutes=2)
    scene.k8s()
    scene.start("k8s")
    assert scene.gate_action()["status"] == "Succeeded"
    assert (
        scene.gate_action()["summary"]
        == f"infra is idle: last execution {infra[:8]} Succeeded at 12:01 UTC"
    )
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
    assert error["message"].startswith(
        f"k8s waits for infra since 12:02 UTC. infra runs: execution {infra[:8]} is InProgress "
        "since 12:00 UTC."
    )
    assert "next at 12:07 UTC" in error["message"]

    rule = scene.events.describe_rule(Name=f"pipeline-gate-dev-{held}")
    assert rule["ScheduleExpression"] == "cron(2/5 * * * ? *)"
    assert json.loads(rule["EventPattern"])["detail"]["pipeline"] == ["infra"]
    assert rule["Description"].startswith(
        f"Since 2026-11-23 12:02 UTC k8s (execution {held[:8]}) waits for infra."
    )
    (target,) = scene.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pipeline-gate-dev-retry"
    kept = json.loads(target["Input"])
    assert (kept["pipeline"], kept["execution"], kept["depends_on"]) == ("k8s", held, ["infra"])


def test_an_older_execution_that_still_runs_counts(scene: Scene) -> None:
    scene.pipeline("infra", mode="PARALLEL")
    scene.start("infra")
    scene.quick_from_now_on()
    scene.start("infra")
    scene.wait(minutes=1)
    assert scene.statuses("infra") == ["Succeeded", "InProgress"]
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["Failed"]


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


def test_a_stopping_execution_still_runs(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="infra", pipelineExecutionId=scene.start("infra")
    )
    assert scene.statuses("infra") == ["Stopping"]
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["Failed"]


def test_one_running_upstream_of_several_is_enough_to_hold(scene: Scene) -> None:
    scene.pipeline("infra", seconds=60)
    scene.pipeline("network")
    scene.start("network")
    scene.k8s("infra", "network")
    scene.start("k8s")
    assert "waits for network since" in scene.gate_action()["errorDetails"]["message"]


def test_events_may_invoke_the_retry_and_nobody_else_may(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    scene.k8s()
    scene.start("k8s")
    scene.start("k8s")  # a second hold finds the statement there
    (statement,) = json.loads(
        scene.awslambda.get_policy(FunctionName="pipeline-gate-dev-retry")["Policy"]
    )["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnLike": {"AWS:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pipeline-gate-*"}
    }


class TestWithoutRoomForARule:
    """EventBridge has a quota of rules; a pipeline must not be lost because it is used up."""

    def test_the_action_stays_in_progress_until_there_is_room(self, scene: Scene) -> None:
        scene.only_room_for(0)
        scene.pipeline("infra")
        scene.start("infra")
        scene.k8s()
        held = scene.start("k8s")
        assert scene.statuses() == ["InProgress"]
        assert "All of EventBridge's rules are taken" in scene.gate_action()["summary"]
        scene.wait(minutes=3)
        assert scene.statuses() == ["InProgress"]
        scene.only_room_for(1)
        scene.wait(minutes=1)
        assert scene.statuses() == ["Failed"]
        assert scene.rules() == [f"pipeline-gate-dev-{held}"]

    def test_it_passes_when_the_upstream_ends_first(self, scene: Scene) -> None:
        scene.only_room_for(0)
        scene.pipeline("infra", seconds=60)
        scene.start("infra")
        scene.k8s()
        scene.start("k8s")
        scene.wait(minutes=5)
        assert scene.statuses() == ["Succeeded"]


class TestWhoseJob:
    """The event does not say whose job it is."""

    def test_codepipeline_is_asked_where_the_action_does_not_say(
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

    def test_nobody_is_asked_while_the_gate_is_open(self, scene: Scene, calls: Calls) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", "infra")
        scene.start("k8s")
        assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]

    def test_a_pipeline_that_depends_on_itself_unnamed_is_found_out(self, scene: Scene) -> None:
        scene.world.dials.job_details = "execution"
        kind, message = scene.refusal("k8s")
        assert (kind, scene.rules()) == ("ConfigurationError", [])
        assert "depends on itself" in message

    def test_a_mistyped_own_name_is_refused_while_somebody_looks(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        scene.pipeline("k9s")
        kind, message = scene.refusal(
            {"depends_on": "infra", "pipeline": "k9s", "execution": EXECUTION}
        )
        assert (kind, scene.rules()) == ("ConfigurationError", [])
        assert "k9s has no execution" in message


class TestBadInput:
    """A failed job at once, with a message to act on, and never a rule."""

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            (None, "no UserParameters"),
            ('{"depends_on": "infra"', "not valid JSON"),
            ({"depend_on": "infra"}, "did you mean depends_on?"),
            ({"depends_on": []}, "empty list"),
            ({"depends_on": "infra", "retry_minutes": 7}, "must divide 60"),
            ({"depends_on": ["infra", "k8s"], "pipeline": "k8s"}, "depends on itself"),
        ],
    )
    def test_it_is_refused_though_an_upstream_runs(
        self, scene: Scene, asked: object, said: str
    ) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        kind, message = scene.refusal(asked)
        assert kind == "ConfigurationError"
        assert said in message
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
        ],
    )
    def test_a_denied_call_is_named(self, scene: Scene, calls: Calls, operation: str) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        calls.fail(operation, "AccessDeniedException")
        scene.k8s()
        scene.start("k8s")
        error = scene.gate_action()["errorDetails"]
        assert error["code"] == "PermissionError"
        assert f":{operation} (so it was told)" in error["message"]

    @pytest.mark.parametrize("event", [{}, {"rule": "x"}, {"CodePipeline.job": {}}])
    def test_an_event_that_is_no_job_raises(self, scene: Scene, event: dict[str, Any]) -> None:
        with pytest.raises(RefusedInput, match="no CodePipeline job"):
            Client(app.app).lambda_.invoke("gate", event)


class TestWhenAwsDoesNotAnswer:
    @pytest.mark.parametrize("error", ["ThrottlingException", "InternalFailure", timed_out()])
    def test_an_upstream_that_is_not_known_to_be_idle_holds(
        self, scene: Scene, calls: Calls, error: str | Exception
    ) -> None:
        scene.pipeline("infra", seconds=60)
        calls.fail("ListPipelineExecutions", error)
        scene.k8s()
        held = scene.start("k8s")
        assert "Whether infra runs is not known" in scene.gate_action()["errorDetails"]["message"]
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

    def test_a_success_that_cannot_be_delivered_raises(self, scene: Scene, calls: Calls) -> None:
        scene.pipeline("infra")
        calls.fail("PutJobSuccessResult", "ThrottlingException")
        with pytest.raises(NoAnswer):
            Client(app.app).lambda_.invoke("gate", job_event("infra"))

    def test_a_rule_that_is_removed_while_it_is_made_is_made_anew(
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

    def test_entries_that_fail_in_part_are_seen(
        self, scene: Scene, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        failed = {
            "FailedEntryCount": 1,
            "FailedEntries": [
                {"TargetId": "retry", "ErrorCode": "ConcurrentModificationException"}
            ],
        }
        events = runtime.aws.eventbridge._client
        monkeypatch.setattr(events, "put_targets", lambda **_: failed)
        scene.k8s()
        scene.start("k8s")
        assert scene.statuses() == ["InProgress"]


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
    assert "so it was told" not in message


@pytest.mark.parametrize(
    "error", ["AccessDeniedException", "ThrottlingException", "ValidationException"]
)
def test_a_hold_does_not_depend_on_where_the_upstream_stands(
    scene: Scene, calls: Calls, error: str
) -> None:
    calls.fail("GetPipelineState", error)
    scene.pipeline("infra")
    scene.start("infra")
    scene.k8s()
    scene.start("k8s")
    assert scene.gate_action()["errorDetails"]["message"].startswith(
        "k8s waits for infra since 12:00 UTC. infra runs: execution "
    )
    assert len(scene.rules()) == 1


def test_credentials_never_reach_a_log(
    scene: Scene, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the event's artifactCredentials nor GetJobDetails', whatever the gate decides or
    trips over.
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


def job_event(parameters: str, job: str = "11111111-2222-4333-8444-555555555555") -> dict[str, Any]:
    configuration = {"FunctionName": "pipeline-gate-dev-gate", "UserParameters": parameters}
    return {
        "CodePipeline.job": {
            "id": job,
            "accountId": ACCOUNT,
            "data": {"actionConfiguration": {"configuration": configuration}},
        }
    }
