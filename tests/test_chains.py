"""infra -> k8s -> apps: a pipeline whose upstream is held waits until that upstream has run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import runtime
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene


@pytest.fixture
def chain(scene: Scene) -> Scene:
    """k8s is held by infra until 12:10:02; apps comes after k8s."""
    scene.pipeline("infra")
    scene.k8s(seconds=120)
    scene.gated("apps", ask("k8s", pipeline="apps"))
    scene.start("infra")
    scene.start("k8s")
    return scene


def test_the_last_does_not_slip_through_while_the_one_before_it_is_held(chain: Scene) -> None:
    chain.start("apps")
    assert chain.statuses("k8s") == ["Failed"]
    assert chain.statuses("apps") == ["Failed"]
    message = chain.gate_message("apps")
    assert (
        "k8s is held too, and will run again: it has been waiting for infra since 12:00 UTC"
        in message
    )
    chain.wait(minutes=11)
    assert chain.statuses("k8s") == ["InProgress", "Failed"]
    assert chain.statuses("apps") == ["Failed"]
    chain.wait(minutes=5)
    assert chain.statuses("k8s") == ["Succeeded", "Failed"]
    assert chain.statuses("apps") == ["Succeeded", "Failed"]
    apps, k8s = chain.executions("apps")[0], chain.executions("k8s")[0]
    assert apps["startTime"] >= k8s["lastUpdateTime"]
    assert chain.rules() == []


@pytest.mark.parametrize("mode", ["retry", "wait"])
def test_so_it_is_in_every_mode(scene: Scene, mode: str) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask(hold=mode), seconds=120)
    scene.gated("apps", ask("k8s", pipeline="apps", hold=mode))
    for name in ("infra", "k8s", "apps"):
        scene.start(name)
    scene.wait(minutes=11)
    assert scene.statuses("apps") == ["InProgress" if mode == "wait" else "Failed"]
    scene.wait(minutes=6)
    assert (scene.statuses("k8s"), scene.statuses("apps")) == (["Succeeded"], ["Succeeded"])


def test_a_hold_that_a_person_removes_holds_nobody_behind_it_any_longer(chain: Scene) -> None:
    chain.start("apps")
    (rule,) = [
        name for name in chain.rules() if chain.executions("k8s")[0]["pipelineExecutionId"] in name
    ]
    chain.events.remove_targets(Rule=rule, Ids=["retry"])
    chain.events.delete_rule(Name=rule)
    chain.wait(minutes=6)
    assert chain.statuses("apps")[0] == "Succeeded"


def test_an_upstream_that_failed_by_itself_is_idle(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra", seconds=5, outcome="Failed")
    scene.start("infra")
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]
    assert calls.made == [
        "ListPipelineExecutions",
        "ListTargetsByRule",
        "ListPipelineExecutions",
        "PutJobSuccessResult",
    ]


def test_a_restart_between_the_two_readings_is_noticed(
    chain: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens after the gate read the executions and before it reads the rule, so only a second
    reading of the executions shows it.
    """
    chain.world.dials.events_on = False
    events = runtime.aws.eventbridge._client
    real = events.list_targets_by_rule

    def just_then(**request: Any) -> Any:
        chain.codepipeline.start_pipeline_execution(name="k8s")
        chain.events.remove_targets(Rule=request["Rule"], Ids=["retry"])
        return real(**request)

    for execution in chain.executions("infra"):
        chain.codepipeline.stop_pipeline_execution(
            pipelineName="infra", pipelineExecutionId=execution["pipelineExecutionId"], abandon=True
        )
    monkeypatch.setattr(events, "list_targets_by_rule", just_then)
    chain.start("apps")
    assert chain.statuses("apps") == ["Failed"]
    assert "k8s is running: execution" in chain.gate_message("apps")


@pytest.mark.parametrize(
    "more", [{"stage": "Deploy"}, {"parked": "pass"}, {"require": "succeeded"}]
)
def test_a_held_upstream_has_yet_to_run_whatever_is_required_of_it(
    chain: Scene, more: dict[str, str]
) -> None:
    """Its last stage is idle, no person is needed, and its last success was before the hold."""
    chain.has_run("k8s", (timedelta(hours=1), "Succeeded"))
    chain.gated("web", ask({"pipeline": "k8s", **more}, pipeline="web"))
    chain.start("web")
    assert chain.statuses("web") == ["Failed"]
    chain.wait(minutes=11)
    assert (chain.statuses("k8s")[0], chain.statuses("web")) == ("InProgress", ["Failed"])
    chain.wait(minutes=5)
    assert chain.statuses("web")[0] == "Succeeded"


def test_a_rule_without_a_target_left_by_a_killed_gate_holds_nothing(chain: Scene) -> None:
    """Nothing would ever end such a wait, because the rule invokes nothing."""
    (rule,) = chain.rules()
    chain.events.remove_targets(Rule=rule, Ids=["retry"])
    chain.start("apps")
    assert chain.statuses("apps") == ["InProgress"]
