"""`gatectl release`: a person lets a held pipeline go on now."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.ask import ask
from tests.support.cli import run
from tests.support.explaining import deny
from tests.support.held import (
    RULE_MODES,
    create_two_gates,
    edit,
    hold_k8s,
    start_all,
    take_out_gate,
)
from tests.support.scene import Scene


def held(scene: Scene, **parameters: Any) -> str:
    """infra runs for an hour, and k8s waits for it; returns k8s' execution."""
    return hold_k8s(scene, seconds=3600, minutes=2, **parameters)


def logged(function: str) -> list[dict[str, Any]]:
    group = f"/aws/lambda/pipeline-gate-dev-{function}"
    if not boto3.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []  # it has not run
    events = boto3.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]


@pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
def test_the_same_execution_goes_on_at_once(scene: Scene, mode: str) -> None:
    execution = held(scene, hold=mode)
    said = run("release", "k8s", typed="y\n")
    assert said.status == 0, said.err
    assert f"Execution {execution[:8]} of k8s waits for infra since" in said.words
    infra = scene.executions("infra")[0]["pipelineExecutionId"][:8]
    risk = (
        f"infra runs: execution {infra} is InProgress since 12:00 UTC. k8s will go on on "
        "top of that. That you let it go (arn:aws:sts::"
    )
    assert said.words.index(risk) < said.words.index("Let k8s go on now?")
    assert "k8s goes on" in said.words
    scene.wait(minutes=2)
    assert [(one["pipelineExecutionId"], one["status"]) for one in scene.executions()] == [
        (execution, "Succeeded")
    ]
    assert scene.statuses("infra") == ["InProgress"]
    summary = scene.gate_action()["summary"]
    assert summary.startswith(
        "Goes on in spite of infra: waited since 12:00 UTC, and arn:aws:sts::123456789012:"
    )
    assert "infra runs: execution " in summary
    assert scene.outputs()["Decision"] == "let go"
    scene.wait(minutes=10)
    assert scene.rules() == []


@pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
def test_who_did_it_stands_in_the_log_and_it_is_counted(scene: Scene, mode: str) -> None:
    held(scene, hold=mode)
    run("release", "k8s", "--yes")
    scene.wait(minutes=2)
    passed = logged("gate")[-1]
    assert passed["Passed"] == 1
    (end,) = [record for record in [*logged("gate"), *logged("retry")] if "LetGo" in record]
    assert end["decision"] == "let go"
    for record in (passed, end):
        assert record["released_by"].startswith("arn:aws:sts::123456789012:")
    counted = [record for record in [*logged("gate"), *logged("retry")] if "WaitTime" in record]
    assert counted == [end], "the end is counted once"
    assert 120 <= end["WaitTime"] < 180


@pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
def test_the_next_execution_waits_again(scene: Scene, mode: str) -> None:
    held(scene, hold=mode)
    run("release", "k8s", "--yes")
    scene.wait(minutes=2)
    scene.start("k8s")
    scene.wait(minutes=2)
    assert scene.statuses()[0] == ("InProgress" if mode == "wait" else "Failed")
    assert "k8s waits for infra" in json.dumps(scene.gate_action(), default=str)


@pytest.mark.parametrize("mode", RULE_MODES)
def test_should_the_command_die_after_its_mark_the_rule_does_the_rest(
    scene: Scene, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = held(scene, hold=mode)
    monkeypatch.setattr("gatectl.session.Place.client", _without_invoke)
    with pytest.raises(SystemError):
        run("release", "k8s", "--yes")
    scene.wait(minutes=7)
    assert [(one["pipelineExecutionId"], one["status"]) for one in scene.executions()] == [
        (execution, "Succeeded")
    ]


def _without_invoke(place: Any, service: str) -> Any:
    client: Any = place._session.create_client(service, region_name=place.region)

    def die(**_: object) -> None:
        raise SystemError

    if service == "lambda":
        client.invoke = die
    return client


def test_a_no_changes_nothing(scene: Scene) -> None:
    held(scene)
    said = run("release", "k8s", typed="n\n")
    assert (said.status, "Nothing was changed." in said.out) == (1, True)
    scene.wait(minutes=10)
    assert scene.statuses() == ["Failed"]


def test_json_needs_a_yes_and_names_what_it_did(scene: Scene) -> None:
    execution = held(scene)
    refused = run("release", "k8s", "--json")
    assert (refused.status, "add --yes" in refused.complaint) == (252, True)
    said = run("release", "k8s", "--json", "--yes").json()
    assert said["released"] == [
        {"execution": execution, "rule": f"pipeline-gate-dev-{execution}", "hold": "restart"}
    ]
    assert said["released_by"].startswith("arn:aws:sts::123456789012:")


def test_one_of_several_that_are_held(scene: Scene) -> None:
    scene.pipeline("infra", seconds=3600)
    scene.k8s(mode="PARALLEL")
    scene.start("infra")
    first, second = scene.start("k8s"), scene.start("k8s")
    unknown = run("release", "k8s", "--execution", "ffffffff", "--yes")
    assert (unknown.status, first[:8] in unknown.complaint, second[:8] in unknown.complaint) == (
        252,
        True,
        True,
    )
    assert run("release", "k8s", "--execution", second[:8], "--yes").status == 0
    scene.wait(minutes=3)
    statuses = {one["pipelineExecutionId"]: one["status"] for one in scene.executions()}
    assert statuses == {first: "Failed", second: "Succeeded"}
    scene.wait(minutes=6)
    assert scene.rules() == [f"pipeline-gate-dev-{first}"]


@pytest.fixture
def parallel(scene: Scene) -> tuple[Scene, str, str]:
    """Two executions of k8s wait in place; of its stage AWS shows the second only."""
    scene.pipeline("infra", seconds=7200)
    scene.gated("k8s", ask("infra", hold="wait"), mode="PARALLEL")
    scene.start("infra")
    first = scene.start("k8s")
    scene.wait(minutes=5)
    second = scene.start("k8s")
    scene.wait(minutes=5)
    return scene, first, second


def test_in_parallel_mode_one_that_the_state_does_not_show(
    parallel: tuple[Scene, str, str],
) -> None:
    scene, first, second = parallel
    assert f"gatectl release k8s --execution {first[:8]}" in run("explain", "k8s").out
    assert run("release", "k8s", "--execution", first, "--yes").status == 0
    scene.wait(minutes=5)
    assert {one["pipelineExecutionId"]: one["status"] for one in scene.executions()} == {
        first: "Succeeded",
        second: "InProgress",
    }


def test_in_parallel_mode_all_that_wait(parallel: tuple[Scene, str, str]) -> None:
    scene, first, second = parallel
    released = run("release", "k8s", "--yes", "--json").json()["released"]
    assert {one["execution"] for one in released} == {first, second}
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded", "Succeeded"]


def test_an_execution_with_two_gates_in_one_stage_is_let_go_once(scene: Scene) -> None:
    for name in ("infra", "network"):
        scene.pipeline(name, seconds=3600)
    create_two_gates(scene)
    execution = start_all(scene, "infra", "network", "k8s")
    said = run("release", "k8s", typed="y\n")
    assert (
        said.words.count(f"Execution {execution[:8]} of k8s waits for infra and network since") == 1
    )
    assert said.words.count("k8s goes on as soon as") == 1
    (rule,) = scene.rules()
    kept = json.loads(scene.events.list_targets_by_rule(Rule=rule)["Targets"][0]["Input"])
    assert kept["depends_on"] == ["infra", "network"]
    assert [
        one["execution"] for one in run("release", "k8s", "--yes", "--json").json()["released"]
    ] == [execution]
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]


def test_a_newer_execution_does_not_take_the_mark_away(scene: Scene) -> None:
    """The rule that keeps it fires, and finds the newer one that waits behind, before CodePipeline
    asks the gate again.
    """
    scene.world.dials.continuation_seconds = 900.0
    scene.pipeline("infra", seconds=7200)
    scene.gated("k8s", ask("infra", hold="wait"), mode="QUEUED")
    scene.start("infra")
    first = scene.start("k8s")
    scene.start("k8s")
    assert run("release", "k8s", "--execution", first[:8], "--yes").status == 0
    scene.wait(minutes=18)
    assert [(one["pipelineExecutionId"] == first, one["status"]) for one in scene.executions()] == [
        (False, "InProgress"),
        (True, "Succeeded"),
    ]
    scene.wait(minutes=10)
    assert scene.rules() == []


def test_a_deadlock_is_let_go_too(scene: Scene) -> None:
    scene.gated("a", ask("b", pipeline="a", require="succeeded"))
    scene.gated("b", ask("a", pipeline="b"))
    scene.start("a")
    assert run("release", "a", "--yes").status == 0
    scene.wait(minutes=2)
    assert scene.statuses("a") == ["Succeeded"]


def test_where_the_retry_may_not_be_invoked_the_rule_does_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(scene, hold="retry")
    monkeypatch.setattr("gatectl.session.Place.client", _denied_to_invoke)
    said = run("release", "k8s", "--yes")
    assert said.status == 0
    assert "k8s is let go, and goes on when its rule is looked at next at 12:05 UTC." in said.words
    assert "AWS denied lambda:InvokeFunction (ann may not)" in said.words
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]


def test_stopped_on_the_way_it_does_not_say_that_nothing_was_changed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(scene)
    monkeypatch.setattr("gatectl.release._let_go", _ctrl_c)
    said = run("release", "k8s", "--yes")
    assert (said.status, said.complaint) == (
        130,
        "Error: Stopped on the way: gatectl holds shows who was let go by then.",
    )


def test_stopped_after_it_was_let_go_neither(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    held(scene)
    monkeypatch.setattr("gatectl.session.Place.show", _ctrl_c)
    said = run("release", "k8s", "--yes", "--json")
    assert (said.status, said.complaint) == (
        130,
        "Error: Stopped. k8s was let go before that: gatectl holds shows which of its executions "
        "were.",
    )


def test_one_that_is_held_for_longer_than_explain_looks_back_can_be_let_go(scene: Scene) -> None:
    scene.pipeline("infra", seconds=86400 * 20)
    scene.gated("k8s", ask("infra", hold="retry", retry_minutes=60))
    start_all(scene, "infra", "k8s")
    scene.wait(minutes=60 * 24 * 14 + 30)
    said = run("release", "k8s", typed="y\n")
    assert (said.status, "k8s goes on within seconds" in said.words) == (0, True), said


def test_where_the_upstream_may_not_be_looked_at_it_says_so_and_asks(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(sound)
    deny(monkeypatch, "codepipeline:ListActionExecutions")
    said = run("release", "k8s", typed="y\n")
    assert (
        "What that does now was not looked at: AWS denied codepipeline:ListActionExecutions"
        in said.words
    )
    assert "k8s will go on whatever it does." in said.words
    assert (said.status, "k8s goes on within seconds" in said.words) == (0, True)


def _ctrl_c(*_: object) -> str:
    raise KeyboardInterrupt


def _denied_to_invoke(place: Any, service: str, region: str | None = None) -> Any:
    client: Any = place._session.create_client(service, region_name=place.region)

    def denied(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "ann may not"}}, "Invoke"
        )

    if service == "lambda":
        client.invoke = denied
    return client


class TestWhatCannotBe:
    def test_a_pipeline_that_is_not_held(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        said = run("release", "k8s", "--yes")
        assert (said.status, said.complaint) == (
            252,
            "Error: k8s is not held now. `gatectl explain k8s` says how it stands.",
        )

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_where_eventbridge_has_no_room_for_a_rule(self, scene: Scene, mode: str) -> None:
        """A hold by a rule that could not be made is kept in place, too."""
        scene.only_room_for(0)
        execution = held(scene, hold=mode)
        said = run("release", "k8s", "--yes")
        assert (said.status, said.out, said.complaint) == (
            254,
            "",
            "Error: EventBridge has no room for another rule, and k8s waits in place, which only a "
            f"rule lets go: execution {execution[:8]} waits on, and nothing was changed for it. "
            "Remove rules that nobody needs (gatectl doctor names the gate's), or raise the quota "
            "'Rules per event bus' of EventBridge in Service Quotas; then release it again.",
        )
        scene.wait(minutes=2)
        assert scene.statuses() == ["InProgress"]

    def test_a_mistyped_name(self, scene: Scene) -> None:
        held(scene)
        said = run("release", "k9s", "--yes")
        assert (said.status, said.complaint) == (
            252,
            f"Error: There is no pipeline k9s in {scene.codepipeline.meta.region_name}; did you "
            "mean k8s?",
        )

    @pytest.mark.parametrize("mode", RULE_MODES)
    def test_a_pipeline_that_was_edited_since(self, scene: Scene, mode: str) -> None:
        held(scene, hold=mode)
        edit(scene)
        said = run("release", "k8s", "--yes")
        assert said.status == 252
        assert "k8s was edited after execution" in said.complaint
        assert "a new execution asks its gate anew, which waits for infra." in said.complaint
        assert "Nothing was changed." in said.complaint
        scene.wait(minutes=10)
        assert scene.statuses() == ["Failed"]

    def test_one_whose_gate_was_taken_out(self, scene: Scene) -> None:
        held(scene)
        run("detach", "k8s", "--yes")
        said = run("release", "k8s", "--yes", "--region", "eu-central-1")
        assert said.status == 252
        assert (
            "k8s has no gate any more: a start goes through: aws codepipeline "
            "start-pipeline-execution --name k8s --region" in said.complaint
        )
        assert "anew" not in said.complaint

    def test_one_that_a_newer_execution_has_made_needless(self, scene: Scene) -> None:
        held(scene)
        take_out_gate(scene)
        scene.start("k8s")
        said = run("release", "k8s", "--yes")
        assert (said.status, "k8s is not held now." in said.complaint) == (252, True)

    def test_one_that_was_let_go_and_runs(self, scene: Scene) -> None:
        held(scene, hold="retry")
        run("release", "k8s", "--yes")
        scene.wait(seconds=10)
        assert "k8s is not held now." in run("release", "k8s", "--yes").complaint

    def test_one_whose_pipeline_is_gone(self, scene: Scene) -> None:
        held(scene)
        scene.codepipeline.delete_pipeline(name="k8s")
        assert "There is no pipeline k8s" in run("release", "k8s", "--yes").complaint
