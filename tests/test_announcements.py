"""What people can wire chat, paging and dashboards to: metrics in the log, and an event where
EVENT_BUS names a bus.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from chalicelib import runtime
from chalicelib.records import report
from tests.support.ask import ask
from tests.support.calls import Calls, timed_out
from tests.support.cli import run
from tests.support.held import hold_k8s, retry_stage, start_all
from tests.support.scene import Scene

BYPASS = [{"name": "bypass", "defaultValue": "false"}]


@pytest.fixture
def bus(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bus of one's own, whose events all go to a queue; returns what has come since one last
    asked.
    """
    # Chalice's test client sets EVENT_BUS as .chalice/config.json has it, at each invocation
    monkeypatch.setattr(report, "os", SimpleNamespace(environ={"EVENT_BUS": "deployments"}))
    scene.events.create_event_bus(Name="deployments")
    queues = boto3.client("sqs")
    queue = queues.create_queue(QueueName="chat")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    scene.events.put_rule(
        Name="chat", EventBusName="deployments", EventPattern='{"source": ["pipeline-gate"]}'
    )
    scene.events.put_targets(
        Rule="chat", EventBusName="deployments", Targets=[{"Id": "chat", "Arn": arn}]
    )

    def come() -> list[dict[str, Any]]:
        messages = queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages", []
        )
        for message in messages:
            queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return come


def lines(function: str) -> list[dict[str, Any]]:
    logs, group = boto3.client("logs"), f"/aws/lambda/pipeline-gate-dev-{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []  # it was never invoked
    events = logs.filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]


def metrics(function: str) -> list[dict[str, Any]]:
    """The metrics that CloudWatch takes out of each line of a function's log, with their values,
    but for Waiting.

    The line is as its schema wants it (guide: CloudWatch_Embedded_Metric_Format_Specification).
    """
    found = []
    for line in lines(function):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"] == "PipelineGate"
            assert isinstance(line["_aws"]["Timestamp"], int)
            assert all(
                isinstance(line[name], str) and line[name]
                for names in directive["Dimensions"]
                for name in names
            )
            assert all(0 < len(names) <= 30 for names in directive["Dimensions"])
            assert all(
                set(metric) <= {"Name", "Unit", "StorageResolution"}
                for metric in directive["Metrics"]
            )
            assert all(metric["Unit"] in ("Count", "Seconds") for metric in directive["Metrics"])
            assert all(
                isinstance(line[metric["Name"]], (int, float)) for metric in directive["Metrics"]
            )
            found.append({metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]})
    counted = [{name: one[name] for name in one if name != "Waiting"} for one in found]
    return [one for one in counted if one]


def waiting_seconds(function: str) -> list[int]:
    """The values of the metric Waiting."""
    return [line["Waiting"] for line in lines(function) if "Waiting" in line]


def test_a_hold_and_its_release_are_announced_and_counted(scene: Scene, bus: Any) -> None:
    held = hold_k8s(scene, seconds=600, minutes=0)
    (event,) = bus()
    assert (event["source"], event["detail-type"]) == (
        "pipeline-gate",
        "Pipeline Gate State Change",
    )
    assert (
        event["detail"]["state"],
        event["detail"]["pipeline"],
        event["detail"]["execution-id"],
    ) == ("HELD", "k8s", held)
    assert event["detail"]["reason"].startswith("infra ")
    scene.wait(minutes=12)
    assert [event["detail"]["state"] for event in bus()] == ["RELEASED", "PASSED"]
    assert metrics("gate") == [{"Held": 1}, {"Passed": 1}]
    (released,) = metrics("retry")
    assert released["Released"] == 1
    assert 585 <= released["WaitTime"] <= 600


def test_a_wait_in_progress_is_announced_once_and_its_end_as_both(scene: Scene, bus: Any) -> None:
    hold_k8s(scene, seconds=600, minutes=0, hold="wait")
    scene.wait(minutes=12)
    assert [event["detail"]["state"] for event in bus()] == ["HELD", "RELEASED", "PASSED"]
    assert [set(one) for one in metrics("gate")] == [{"Held"}, {"Released", "Passed", "WaitTime"}]


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_giving_up_is_announced(scene: Scene, bus: Any, mode: str) -> None:
    hold_k8s(scene, seconds=3600, minutes=0, hold=mode, give_up_minutes=3)
    scene.wait(minutes=12)
    assert [event["detail"]["state"] for event in bus()] == ["HELD", "GAVE_UP"]
    (gave_up,) = [
        one for function in ("gate", "retry") for one in metrics(function) if "GaveUp" in one
    ]
    assert gave_up["GaveUp"] == 1
    assert 180 <= gave_up["WaitTime"] <= 300


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
@pytest.mark.parametrize(
    ("command", "state", "key"),
    [("release", "RELEASED", "released_by"), ("cancel", "CANCELED", "canceled_by")],
)
def test_a_persons_command_is_announced_with_its_reason(
    scene: Scene, bus: Any, mode: str, command: str, state: str, key: str
) -> None:
    hold_k8s(scene, seconds=3600, minutes=2, hold=mode)
    bus()
    assert run(command, "k8s", "--yes", "--reason", "fix <b>now</b>").status == 0
    scene.wait(minutes=6)
    (detail,) = [event["detail"] for event in bus() if event["detail"]["state"] == state]
    assert (detail[key], detail["comment"]) == (
        "arn:aws:sts::123456789012:user/moto",
        "fix <b>now</b>",
    )
    assert 120 <= detail["waited_seconds"] < 180
    assert detail["reason"]


def test_a_deadlock_is_reported(scene: Scene, bus: Any) -> None:
    scene.gated("a", ask("b", pipeline="a", require="succeeded"))
    scene.gated("b", ask("a", pipeline="b", require="succeeded"))
    scene.start("a")
    scene.start("b")
    assert [event["detail"]["state"] for event in bus()] == ["HELD", "DEADLOCKED"]


def test_a_wait_in_progress_that_a_refusal_ends_is_reported_as_dropped(
    scene: Scene, bus: Any
) -> None:
    hold_k8s(scene, minutes=1, hold="wait")
    scene.codepipeline.delete_pipeline(name="infra")
    scene.wait(minutes=2)
    assert scene.statuses() == ["Failed"]
    assert [event["detail"]["state"] for event in bus()] == ["HELD", "DROPPED"]
    assert [set(one) for one in metrics("gate")] == [{"Held"}, {"Refused"}, {"Dropped", "WaitTime"}]


def test_an_answer_that_comes_too_late_is_neither_announced_nor_counted(
    scene: Scene, bus: Any
) -> None:
    """The second delivery of a held job reads that infra is idle, but nothing passes because of
    it.
    """
    scene.pipeline("infra", seconds=60)
    scene.k8s()
    scene.start("infra")
    scene.world.dials.invocation_copies = lambda: [0.0, 120.0]
    scene.start("k8s")
    scene.world.dials.invocation_copies = lambda: [0.0]
    scene.wait(minutes=5)
    late = [line for line in lines("gate") if line.get("answered") is False]
    assert [line["decision"] for line in late] == ["passed"]
    assert [event["detail"]["state"] for event in bus()] == ["HELD", "RELEASED", "PASSED"]
    assert metrics("gate") == [{"Held": 1}, {"Passed": 1}]


def test_a_hold_that_the_gate_could_not_report_is_not_counted_when_it_ends(
    scene: Scene, bus: Any, calls: Calls
) -> None:
    """The first attempt creates the rule and cannot fail the job, and the next one lets it pass."""
    scene.pipeline("infra", seconds=60)
    scene.k8s()
    scene.start("infra")
    calls.fail("PutJobFailureResult", timed_out())
    scene.start("k8s")
    scene.wait(seconds=55)
    calls.mend()
    scene.wait(minutes=6)
    assert (scene.statuses(), scene.rules()) == (["Succeeded"], [])
    assert [event["detail"]["state"] for event in bus()] == ["PASSED"]
    assert (metrics("gate"), metrics("retry")) == ([{"Passed": 1}], [])


def test_a_bus_that_cannot_be_reached_changes_nothing(scene: Scene, bus: Any, calls: Calls) -> None:
    calls.fail("PutEvents", "AccessDeniedException")
    hold_k8s(scene, seconds=60, minutes=0)
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert [line["reason"] for line in lines("gate") if line["decision"] == "not announced"] == [
        "NotPermitted",
        "NotPermitted",
    ]


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_without_a_bus_nothing_is_sent(scene: Scene, calls: Calls, mode: str) -> None:
    hold_k8s(scene, seconds=60, minutes=0, hold=mode)
    scene.wait(minutes=7)
    assert scene.statuses()[0] == "Succeeded"
    assert "PutEvents" not in calls.made


def test_an_event_that_the_bus_takes_only_in_part_changes_nothing(
    scene: Scene, bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PutEvents answers so where an entry has failed (model:
    PutEventsResponse.FailedEntryCount).
    """
    scene.pipeline("infra", seconds=5)
    scene.k8s()
    failed = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
    monkeypatch.setattr(runtime.aws.eventbridge._client, "put_events", lambda **_: failed)
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]
    assert [(line["decision"], line.get("bus")) for line in lines("gate")] == [
        ("passed", None),
        ("not announced", "deployments"),
    ]


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_neither_an_event_nor_a_log_line_holds_a_credential_or_a_variables_value(
    scene: Scene, bus: Any, mode: str
) -> None:
    """A job's event carries live credentials (guide: action-reference-Lambda), and a pipeline
    variable may be a password.
    """
    scene.pipeline("infra", seconds=60)
    scene.gated(
        "k8s",
        ask(hold=mode, bypass="#{variables.bypass}"),
        variables=[*BYPASS, {"name": "token", "defaultValue": "hunter2"}],
    )
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=7)
    scene.start("k8s", variables=[{"name": "bypass", "value": "true"}])
    told = bus()
    assert {event["detail"]["state"] for event in told} == {"HELD", "RELEASED", "PASSED"}
    everything = json.dumps([told, lines("gate"), lines("retry")])
    for secret in (
        "never-to-be-logged",
        "ASIA",
        "hunter2",
        "secretAccessKey",
        "sessionToken",
        "artifactCredentials",
    ):
        assert secret not in everything


def test_who_reads_an_event_needs_nothing_else(scene: Scene, bus: Any) -> None:
    """Which pipeline, which execution, in which state and why: in each event of a hold."""
    hold_k8s(scene, seconds=600, minutes=0, give_up_minutes=3)
    scene.wait(minutes=6)
    scene.gated("web", ask(pipeline="web", observe=True))
    scene.start("web")
    told = [event["detail"] for event in bus()]
    assert [(one["pipeline"], one["state"]) for one in told] == [
        ("k8s", "HELD"),
        ("k8s", "GAVE_UP"),
        ("web", "PASSED"),
    ]
    for one in told:
        assert one["execution-id"] == scene.executions(one["pipeline"])[0]["pipelineExecutionId"]
        assert "infra" in one["reason"]


def test_a_firing_without_news_is_neither_announced_nor_counted(scene: Scene, bus: Any) -> None:
    hold_k8s(scene, seconds=3600, minutes=0)
    bus()
    scene.wait(minutes=30)
    assert bus() == metrics("retry") == []
    assert len(lines("retry")) == 6


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_each_check_of_a_hold_reports_how_long_it_has_waited(scene: Scene, mode: str) -> None:
    hold_k8s(scene, seconds=1100, minutes=0, hold=mode)
    scene.wait(minutes=40)
    assert scene.statuses()[0] == "Succeeded"
    assert waiting_seconds("gate") == [0]
    assert waiting_seconds("retry") == pytest.approx([300, 600, 900], abs=15)


def test_each_check_of_a_wait_in_progress_reports_how_long_it_has_waited(scene: Scene) -> None:
    hold_k8s(scene, seconds=600, minutes=30, hold="wait")
    assert scene.statuses() == ["Succeeded"]
    waits = waiting_seconds("gate")
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert 560 <= waits[-1] <= 600
    assert waiting_seconds("retry") == []


def test_a_hold_that_a_person_retried_by_hand_does_not_wait_while_its_execution_works(
    scene: Scene,
) -> None:
    """Its rule stays until the execution has ended, and keeps firing."""
    scene.world.dials.events_on = False
    scene.pipeline("infra", seconds=240)
    scene.gated("k8s", ask(hold="retry"), seconds=3600)
    held = start_all(scene, "infra", "k8s")
    scene.wait(minutes=4, seconds=10)
    retry_stage(scene, held)
    scene.wait(minutes=30)
    assert scene.statuses() == ["InProgress"]
    assert len(lines("retry")) == 6
    assert waiting_seconds("retry") == []


def test_a_stage_that_the_retry_function_retried_waits_no_longer(scene: Scene) -> None:
    """The end of its wait was reported, but its rule stays. In the meantime infra runs again."""
    scene.pipeline("infra", seconds=240)
    scene.gated("k8s", ask(hold="retry"), seconds=3600)
    start_all(scene, "infra", "k8s")
    scene.wait(minutes=6)
    scene.start("infra")
    scene.wait(minutes=30)
    assert scene.statuses() == ["InProgress"]
    assert "waiting" in [line["decision"] for line in lines("retry")]
    assert waiting_seconds("retry") == []
