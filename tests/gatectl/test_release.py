"""`gatectl release`: a person lets a held pipeline continue now."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import pytest

from gatectl.session import AWS_REFUSED, INTERRUPTED
from tests.gatectl.conftest import Fail
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.explaining import deny
from tests.support.held import (
    RULE_MODES,
    create_two_gates,
    edit,
    hold_k8s,
    start_all,
)
from tests.support.logs import read_log
from tests.support.parallel import hold_in_parallel
from tests.support.refused import run_refused
from tests.support.scene import Scene


def held(scene: Scene, **parameters: Any) -> str:
    """infra runs for an hour, and k8s is waiting for it. Return k8s' execution."""
    return hold_k8s(scene, seconds=3600, minutes=2, **parameters)


def read_statuses(scene: Scene) -> dict[str, str]:
    """Return the status of each execution of k8s."""
    return {
        execution["pipelineExecutionId"]: execution["status"] for execution in scene.executions()
    }


@pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
def test_the_same_execution_continues_immediately_and_the_next_one_waits_again(
    scene: Scene, mode: str
) -> None:
    execution = held(scene, hold=mode)
    said = run("release", "k8s", typed="y\n")
    assert said.status == 0, said.err
    assert f"Execution {execution[:8]} of k8s has been waiting for infra since" in said.words
    risk = (
        "k8s will continue anyway, with commit 4174a55 of main. The gate action's summary and the "
        "log will say that you released it (arn:aws:sts::"
    )
    assert said.words.index(risk) < said.words.index("Release k8s now? [y/N]")
    scene.wait(minutes=2)
    assert read_statuses(scene) == {execution: "Succeeded"}
    assert scene.statuses("infra") == ["InProgress"]
    assert scene.gate_message().startswith(
        "Released by arn:aws:sts::123456789012:user/moto. It had been waiting for infra since"
    )
    assert scene.outputs()["Decision"] == "let go"

    passed, records = read_log("gate")[-1], [*read_log("gate"), *read_log("retry")]
    assert passed["Passed"] == 1
    (end,) = [record for record in records if "LetGo" in record]
    assert end["decision"] == "let go"
    for record in (passed, end):
        assert record["released_by"].startswith("arn:aws:sts::123456789012:")
    counted = [record for record in records if "WaitTime" in record]
    assert counted == [end], "the end is counted once"
    assert 120 <= end["WaitTime"] < 180

    scene.wait(minutes=10)
    assert scene.rules() == []
    scene.start("k8s")
    scene.wait(minutes=2)
    assert scene.statuses()[0] == ("InProgress" if mode == "wait" else "Failed")
    assert "k8s has been waiting for infra" in json.dumps(scene.gate_action(), default=str)


@pytest.mark.parametrize("mode", RULE_MODES)
def test_if_the_command_crashes_after_its_mark_the_rule_continues_the_pipeline(
    scene: Scene, mode: str, fail: Fail
) -> None:
    execution = held(scene, hold=mode)
    fail("Invoke", SystemError())
    assert run("release", "k8s", "--yes").status == 255
    scene.wait(minutes=7)
    assert read_statuses(scene) == {execution: "Succeeded"}


def test_answering_no_changes_nothing(scene: Scene) -> None:
    held(scene)
    said = run("release", "k8s", typed="n\n")
    assert (said.status, "Nothing was changed." in said.out) == (1, True)
    scene.wait(minutes=10)
    assert scene.statuses() == ["Failed"]


def test_json_needs_yes_and_lists_what_was_released(scene: Scene) -> None:
    execution = held(scene)
    assert "Use --yes." in run_refused("release", "k8s", "--json")
    output = run("release", "k8s", "--json", "--yes").json()
    assert output["released"] == [
        {"execution": execution, "rule": f"pipeline-gate-dev-{execution}", "hold": "restart"}
    ]
    assert output["released_by"].startswith("arn:aws:sts::123456789012:")


def test_one_of_several_held_executions(scene: Scene) -> None:
    first, second = hold_in_parallel(scene)
    unknown = run_refused("release", "k8s", "--execution", "ffffffff", "--yes")
    assert first[:8] in unknown
    assert second[:8] in unknown
    assert run("release", "k8s", "--execution", second[:8], "--yes").status == 0
    scene.wait(minutes=3)
    assert read_statuses(scene) == {first: "Failed", second: "Succeeded"}
    scene.wait(minutes=6)
    assert scene.rules() == [f"pipeline-gate-dev-{first}"]


def test_in_parallel_mode_an_execution_that_is_not_in_the_state(scene: Scene) -> None:
    """The state that AWS returns has only the latest execution of each stage."""
    first, second = hold_in_parallel(scene, hold="wait", pause_minutes=5)
    assert f"gatectl release k8s --execution {first[:8]}" in run("explain", "k8s").out
    assert run("release", "k8s", "--execution", first, "--yes").status == 0
    scene.wait(minutes=5)
    assert read_statuses(scene) == {first: "Succeeded", second: "InProgress"}


def test_in_parallel_mode_all_held_executions(scene: Scene) -> None:
    first, second = hold_in_parallel(scene, hold="wait")
    released = run("release", "k8s", "--yes", "--json").json()["released"]
    assert {hold["execution"] for hold in released} == {first, second}
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded", "Succeeded"]


def test_an_execution_with_two_gates_in_one_stage_is_released_once(scene: Scene) -> None:
    for name in ("infra", "network"):
        scene.pipeline(name, seconds=3600)
    create_two_gates(scene)
    execution = start_all(scene, "infra", "network", "k8s")
    said = run("release", "k8s", typed="y\n")
    sentence = f"Execution {execution[:8]} of k8s has been waiting for infra and network since"
    assert said.words.count(sentence) == 1
    (rule,) = scene.rules()
    kept = json.loads(scene.events.list_targets_by_rule(Rule=rule)["Targets"][0]["Input"])
    waits = [kept, *kept["neighbors"]]
    assert [wait["depends_on"] for wait in waits] == [["infra"], ["network"]]
    assert len({wait["released_by"] for wait in waits}) == 1
    (released,) = run("release", "k8s", "--yes", "--json").json()["released"]
    assert released["execution"] == execution
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]


def test_a_newer_execution_does_not_remove_the_mark(scene: Scene) -> None:
    """The rule that has the mark fires while a newer execution is queued, and before CodePipeline
    invokes the gate again.
    """
    scene.world.dials.continuation_seconds = 900.0
    scene.pipeline("infra", seconds=7200)
    scene.gated("k8s", ask("infra", hold="wait"), mode="QUEUED")
    scene.start("infra")
    first = scene.start("k8s")
    second = scene.start("k8s")
    assert run("release", "k8s", "--execution", first[:8], "--yes").status == 0
    scene.wait(minutes=18)
    assert read_statuses(scene) == {first: "Succeeded", second: "InProgress"}
    scene.wait(minutes=10)
    assert scene.rules() == []


def test_a_pipeline_in_a_deadlock_can_be_released(scene: Scene) -> None:
    scene.gated("a", ask("b", pipeline="a", require="succeeded"))
    scene.gated("b", ask("a", pipeline="b"))
    scene.start("a")
    assert run("release", "a", "--yes").status == 0
    scene.wait(minutes=2)
    assert scene.statuses("a") == ["Succeeded"]


def test_if_the_retry_function_may_not_be_invoked_the_rule_continues_the_pipeline(
    scene: Scene, fail: Fail
) -> None:
    held(scene, hold="retry")
    fail("Invoke", "AccessDeniedException")
    said = run("release", "k8s", "--yes")
    assert said.status == 0
    assert "continues at the next check, at 12:05 UTC." in said.words
    assert "AWS denied lambda:InvokeFunction (not authorized)" in said.words
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        ("gatectl.marking.mark_wait", "Stopped in the middle. To see"),
        ("gatectl.session.Place.show", "Stopped. k8s had already been released."),
    ],
)
def test_if_stopped_in_the_middle_it_does_not_say_that_nothing_was_changed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, function: str, complaint: str
) -> None:
    held(scene)
    monkeypatch.setattr(function, Mock(side_effect=KeyboardInterrupt))
    said = run_refused("release", "k8s", "--yes", "--json", status=INTERRUPTED)
    assert said.startswith(f"Error: {complaint}")


def test_an_execution_older_than_explain_reads_can_be_released(scene: Scene) -> None:
    hold_k8s(scene, seconds=86400 * 20, minutes=0, hold="retry", retry_minutes=60)
    scene.wait(minutes=60 * 24 * 14 + 30)
    said = run("release", "k8s", typed="y\n")
    assert (said.status, "k8s continues within seconds" in said.words) == (0, True), said


def test_if_the_upstream_may_not_be_read_it_says_so_before_it_asks(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(sound)
    deny(monkeypatch, "codepipeline:ListActionExecutions")
    said = run("release", "k8s", typed="y\n")
    assert "AWS denied codepipeline:ListActionExecutions" in said.words
    assert "k8s will continue anyway." in said.words
    assert (said.status, "k8s continues within seconds" in said.words) == (0, True)


class TestItRefuses:
    def test_a_pipeline_that_is_not_held(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        complaint = run_refused("release", "k8s", "--yes")
        expected = "Error: k8s is not held. To see what it is doing, run: gatectl explain k8s."
        assert complaint == expected

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_if_eventbridge_has_no_room_for_a_rule(self, scene: Scene, mode: str) -> None:
        """Without room for its rule, a hold in the mode restart also stays in progress."""
        scene.only_room_for(0)
        execution = held(scene, hold=mode)
        complaint = run_refused("release", "k8s", "--yes", status=AWS_REFUSED)
        assert complaint.startswith("Error: EventBridge has no room for another rule")
        assert f"Execution {execution[:8]} is still waiting, and nothing was changed" in complaint
        scene.wait(minutes=2)
        assert scene.statuses() == ["InProgress"]

    @pytest.mark.parametrize("mode", RULE_MODES)
    def test_a_pipeline_that_was_edited(self, scene: Scene, mode: str) -> None:
        held(scene, hold=mode)
        edit(scene)
        complaint = run_refused("release", "k8s", "--yes")
        assert "k8s was edited after execution" in complaint
        assert "A new execution would reach a gate that waits for infra." in complaint
        scene.wait(minutes=10)
        assert scene.statuses() == ["Failed"]

    def test_a_pipeline_whose_gate_was_removed(self, scene: Scene) -> None:
        held(scene)
        run("detach", "k8s", "--yes")
        complaint = run_refused("release", "k8s", "--yes", "--region", "eu-central-1")
        assert "k8s no longer has a gate. To start a new execution, run: aws codepipe" in complaint
        assert "start-pipeline-execution --name k8s --region" in complaint
