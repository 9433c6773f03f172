"""When an upstream should finish: estimated from its own last successes, or not at all."""

from __future__ import annotations

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
    assert "12:23 UTC" in practised.gate_message()
    assert (
        "Expected to end at about 12:23 UTC."
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
