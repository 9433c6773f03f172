"""How the two functions end a wait that a person canceled (`gatectl cancel`)."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.holds.hold import Hold
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.deployment import configure
from tests.support.held import (
    RULE_MODES,
    create_two_gates,
    forge_hold,
    hold_k8s,
    retry_stage,
    start_all,
)
from tests.support.logs import read_log, read_retry_log
from tests.support.scene import Scene

MODES = [*RULE_MODES, "wait"]


def hold(scene: Scene, mode: str, **parameters: Any) -> str:
    """infra runs for an hour, and k8s is waiting for it. Return k8s' execution."""
    return hold_k8s(scene, seconds=3600, minutes=2, hold=mode, **parameters)


def cancel(*options: str) -> None:
    assert run("cancel", "k8s", "--yes", *options).status == 0


def count(*metrics: str) -> int:
    records = [*read_log("gate"), *read_log("retry")]
    return sum(record.get(metric, 0) for record in records for metric in metrics)


def test_a_wait_in_progress_ends_although_its_upstream_has_ended_meanwhile(scene: Scene) -> None:
    """CodePipeline invokes the gate again only after infra has ended."""
    scene.world.dials.continuation_seconds = 900.0
    hold_k8s(scene, seconds=600, minutes=2, hold="wait")
    cancel()
    scene.wait(minutes=20)
    assert scene.statuses("infra") == ["Succeeded"]
    assert scene.statuses() == ["Failed"]
    assert scene.gate_message().startswith("Canceled by arn:")
    assert "infra is" not in scene.gate_message()
    assert (count("Held"), count("Canceled"), count("Passed")) == (1, 1, 0)


def test_if_eventbridge_does_not_answer_an_open_gate_lets_pass(scene: Scene, calls: Calls) -> None:
    scene.world.dials.continuation_seconds = 900.0
    hold_k8s(scene, seconds=600, minutes=2, hold="wait", give_up_minutes=480)
    calls.fail("ListTargetsByRule", "ThrottlingException")
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded"]


@pytest.mark.parametrize("mode", RULE_MODES)
def test_the_retry_function_reads_no_upstream(scene: Scene, calls: Calls, mode: str) -> None:
    hold(scene, mode)
    calls.made.clear()
    cancel()
    scene.wait(seconds=30)
    assert calls.made.count("ListPipelineExecutions") == 1, "those of k8s, and not those of infra"
    assert scene.rules() == []


def test_a_new_wait_after_the_stage_was_retried_is_not_canceled(scene: Scene) -> None:
    """The rule with the mark still exists, because it has not fired since."""
    execution = hold(scene, "wait")
    cancel()
    scene.wait(seconds=40)
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == [f"pipeline-gate-dev-{execution}"]
    retry_stage(scene, execution)
    scene.wait(minutes=2)
    assert scene.statuses() == ["InProgress"]
    (row,) = run("holds", "--json").json()["holds"]
    assert (row["waits"], row["canceled_by"]) == (True, None)
    scene.wait(minutes=60)
    assert scene.statuses() == ["Succeeded"]
    assert scene.rules() == []
    assert (count("Held"), count("Canceled"), count("Released")) == (2, 1, 1)


def test_a_new_wait_can_be_canceled_too(scene: Scene) -> None:
    execution = hold(scene, "wait")
    for _ in range(2):
        cancel()
        scene.wait(seconds=40)
        assert scene.statuses() == ["Failed"]
        retry_stage(scene, execution)
        assert scene.statuses() == ["InProgress"]
    scene.wait(minutes=1)
    assert (count("Held"), count("Canceled")) == (3, 2)


@pytest.mark.parametrize("mode", RULE_MODES)
def test_a_stage_that_a_person_retries_before_the_retry_function_runs_waits_again(
    scene: Scene, mode: str
) -> None:
    execution = hold(scene, mode, give_up_minutes=480)
    cancel()
    retry_stage(scene, execution)
    scene.wait(seconds=30)
    assert "k8s has been waiting for infra since 12:02" in scene.gate_message()
    scene.wait(minutes=61)
    assert scene.statuses()[0] == "Succeeded"
    assert (count("Held"), count("Canceled"), count("Released")) == (1, 0, 1)


@pytest.mark.parametrize("mode", MODES)
def test_two_gates_in_one_stage(scene: Scene, mode: str) -> None:
    for name in ("infra", "network"):
        scene.pipeline(name, seconds=3600)
    create_two_gates(scene, mode)
    start_all(scene, "infra", "network", "k8s")
    scene.wait(minutes=1)
    cancel()
    scene.wait(minutes=6)
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == []
    assert (count("Held"), count("Canceled"), count("Dropped")) == (2, 2, 0)


def test_the_rule_of_a_gate_with_another_mode_keeps_its_wait(scene: Scene) -> None:
    """A gate of the same stage holds the execution by a rule, while this one stays in progress."""
    execution = hold(scene, "wait")
    forge_hold(scene, "k8s", execution, gate=["Gate", "Other"])
    cancel()
    (target,) = scene.events.list_targets_by_rule(Rule=scene.rules()[0])["Targets"]
    marked = json.loads(target["Input"])
    waits = [marked, *marked["neighbors"]]
    assert [wait["gate"] for wait in waits] == [["Gate", "Wait"], ["Gate", "Other"]]
    assert all(wait["canceled_by"] for wait in waits)


@pytest.mark.parametrize(
    ("command", "participle"), [("cancel", "canceled"), ("release", "released")]
)
def test_a_hold_whose_pipeline_was_just_started_again(
    scene: Scene, command: str, participle: str
) -> None:
    """Its rule stays until AWS lists the new execution."""
    hold_k8s(scene, seconds=120, minutes=1)
    held = run("holds", "--json").json()["holds"][0]
    target = scene.events.list_targets_by_rule(Rule=held["rule"])["Targets"][0]
    fields = {**json.loads(target["Input"]), "restart": [held["execution"], "started"]}
    with patch("chalicelib.aws.eventbridge.EventBridge.read_hold", return_value=Hold.parse(fields)):
        said = run(command, "k8s", "--yes", "--json")
    assert said.json()[participle] == []


def test_the_end_of_a_hold_that_was_reported_before_is_not_counted(scene: Scene) -> None:
    hold(scene, "retry")
    (rule,) = scene.rules()
    (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    fields = {**json.loads(target["Input"]), "canceled_by": "ann", "end_reported": True}
    scene.events.put_targets(Rule=rule, Targets=[{**target, "Input": json.dumps(fields)}])
    scene.wait(minutes=5)
    assert scene.rules() == []
    assert (count("Canceled"), len(read_retry_log("over"))) == (0, 1)


@pytest.mark.parametrize("mode", MODES)
def test_a_hold_that_a_newer_execution_replaces_at_that_moment_is_dropped(
    scene: Scene, mode: str
) -> None:
    hold(scene, mode)
    cancel()
    scene.world.dials.continuation_seconds = 900.0
    scene.start("k8s")
    scene.wait(minutes=20)
    assert count("Canceled", "Dropped") == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_pipeline_that_waits_for_a_canceled_one_no_longer_waits(scene: Scene, mode: str) -> None:
    """The rule of a wait in the mode wait stays for minutes. Nothing will start k8s again."""
    hold(scene, mode)
    cancel()
    scene.wait(seconds=40)
    scene.gated("apps", ask("k8s", pipeline="apps"))
    scene.start("apps")
    scene.wait(minutes=2)
    assert scene.statuses("apps") == ["Succeeded"]


@pytest.mark.parametrize("canceled_by", ["", " ", 5, ["ann"], True])
def test_only_a_name_cancels(scene: Scene, canceled_by: object) -> None:
    hold_k8s(scene, seconds=600, minutes=1)
    (rule,) = scene.rules()
    (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    fields = {**json.loads(target["Input"]), "canceled_by": canceled_by}
    scene.events.put_targets(Rule=rule, Targets=[{**target, "Input": json.dumps(fields)}])
    scene.wait(minutes=12)
    assert scene.statuses()[0] == "Succeeded"


@pytest.mark.parametrize("mode", MODES)
def test_the_policies_of_the_functions_are_enough(scene: Scene, mode: str) -> None:
    configure("dev")
    hold(scene, mode)
    cancel()
    scene.wait(minutes=6)
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == []
