"""How long still: from the upstream's own last successes, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.scene import Scene


@pytest.fixture
def practised(scene: Scene) -> Scene:
    """infra has taken 5 minutes three times; it is 12:18:30 now."""
    scene.pipeline("infra", seconds=300)
    for _ in range(3):
        scene.start("infra")
        scene.wait(minutes=6)
    return scene


def test_the_message_and_the_rule_say_until_when(practised: Scene) -> None:
    practised.k8s()
    practised.start("infra")
    practised.start("k8s")
    assert (
        "It usually takes 5 min, so until about 12:23 UTC."
        in practised.gate_action()["errorDetails"]["message"]
    )
    assert (
        "Expected about 12:23 UTC."
        in practised.events.describe_rule(Name=practised.rules()[0])["Description"]
    )


def test_an_action_that_waits_shows_how_far_the_upstream_is(practised: Scene) -> None:
    practised.gated("k8s", ask(hold="wait"))
    practised.start("infra")
    practised.start("k8s")
    shown = [practised.gate_action()["percentComplete"]]
    for _ in range(2):
        practised.wait(minutes=2)
        shown.append(practised.gate_action()["percentComplete"])
    assert shown == [3, 43, 83]


def test_one_that_takes_longer_is_said_to(practised: Scene) -> None:
    practised.staged("net", ("Deploy", 60))
    for _ in range(3):
        practised.start("net")
        practised.wait(minutes=3)
    edited: Any = practised.codepipeline.get_pipeline(name="net")["pipeline"]
    edited["stages"][1]["actions"][0]["configuration"]["SandboxSeconds"] = "3600"
    practised.codepipeline.update_pipeline(pipeline=edited)
    practised.gated("k8s", ask("net"))
    practised.start("net")
    practised.wait(minutes=5)
    practised.start("k8s")
    assert "; this time it takes longer." in practised.gate_action()["errorDetails"]["message"]
    assert (
        "Expected" not in practised.events.describe_rule(Name=practised.rules()[0])["Description"]
    )


@pytest.mark.parametrize("history", [0, 2])
def test_of_too_little_history_nothing_is_concluded(scene: Scene, history: int) -> None:
    scene.pipeline("infra", seconds=300)
    for _ in range(history):
        scene.start("infra")
        scene.wait(minutes=6)
    scene.gated("k8s", ask(hold="wait"))
    scene.start("infra")
    scene.start("k8s")
    assert "usually" not in scene.gate_action()["summary"]
    assert "percentComplete" not in scene.gate_action()


def test_failures_are_no_measure(scene: Scene) -> None:
    scene.pipeline("infra", seconds=300, outcome="Failed")
    for _ in range(4):
        scene.start("infra")
        scene.wait(minutes=6)
    scene.k8s()
    scene.start("infra")
    scene.start("k8s")
    assert "usually" not in scene.gate_action()["errorDetails"]["message"]


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_who_waits_for_a_person_is_given_no_time(scene: Scene, mode: str) -> None:
    scene.pipeline("infra", seconds=60)
    for _ in range(3):
        scene.start("infra")
        scene.wait(minutes=2)
    scene.codepipeline.disable_stage_transition(
        pipelineName="infra", stageName="Deploy", transitionType="Inbound", reason="x"
    )
    scene.gated("k8s", ask(hold=mode))
    scene.start("infra")
    scene.start("k8s")
    action = scene.gate_action()
    said = action.get("summary") or action["errorDetails"]["message"]
    assert "waits for a person" in said
    assert "usually" not in said
    assert "percentComplete" not in action
    assert not [
        rule
        for rule in scene.rules()
        if "Expected" in scene.events.describe_rule(Name=rule)["Description"]
    ]


@pytest.mark.parametrize("mode", ["restart", "wait"])
def test_how_long_the_whole_pipeline_takes_says_nothing_about_one_stage(
    practised: Scene, mode: str
) -> None:
    practised.gated("k8s", ask({"pipeline": "infra", "stage": "Deploy"}, hold=mode))
    practised.start("infra")
    practised.start("k8s")
    action = practised.gate_action()
    assert "usually" not in str(action)
    assert "percentComplete" not in action
