"""`{"pipeline": "infra", "stage": "Network"}`: the gate does not wait for what comes after that
stage.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.scene import Scene

NETWORK = {"pipeline": "infra", "stage": "Network"}


@pytest.fixture
def infra(scene: Scene) -> Scene:
    """infra has a Source, two minutes of Build, two of Network and twenty of Cluster. k8s waits
    only for Network.
    """
    scene.staged("infra", ("Build", 120), ("Network", 120), ("Cluster", 1200))
    scene.gated("k8s", ask(NETWORK))
    return scene


def test_the_end_of_the_stage_releases_the_hold_within_seconds(infra: Scene) -> None:
    infra.start("infra")
    infra.start("k8s")
    assert infra.statuses() == ["Failed"]
    assert "infra's stage Network" in infra.gate_message()
    infra.wait(minutes=3.6)
    assert infra.statuses() == ["Failed"]
    infra.wait(minutes=0.2)
    assert infra.statuses() == ["InProgress", "Failed"]
    assert infra.statuses("infra") == ["InProgress"]
    infra.wait(minutes=1)
    assert "has already left it" in infra.gate_action()["summary"]
    assert infra.rules() == []


def test_require_succeeded_asks_for_the_stages_own_success(infra: Scene) -> None:
    infra.gated("web", ask({**NETWORK, "require": "succeeded"}, pipeline="web"))
    infra.start("web")
    assert "it has never run" in infra.gate_message("web")
    upstream = infra.start("infra")
    infra.wait(minutes=6)
    assert infra.statuses("web") == ["Succeeded", "Failed"]
    infra.codepipeline.stop_pipeline_execution(
        pipelineName="infra", pipelineExecutionId=upstream, abandon=True
    )
    infra.start("web")
    assert (
        infra.statuses("web")[0] == "InProgress"
    )  # infra's newest execution was stopped, but later than in that stage


def test_a_mistyped_stage_is_named_even_while_the_upstream_is_idle(infra: Scene) -> None:
    kind, message = infra.refusal(
        ask({"pipeline": "infra", "stage": "Netwerk"}, pipeline="web"), name="web"
    )
    assert kind == "ConfigurationError"
    assert "Source, Build, Network and Cluster" in message


def test_the_rule_wakes_up_at_the_stages_own_events(infra: Scene) -> None:
    infra.start("infra")
    infra.start("k8s")
    pattern = json.loads(infra.events.describe_rule(Name=infra.rules()[0])["EventPattern"])
    assert pattern["$or"][1]["detail"] == {
        "pipeline": ["infra"],
        "stage": ["Network"],
        "state": ["SUCCEEDED", "FAILED", "STOPPED", "CANCELED"],
    }


def test_an_execution_that_fails_before_it_comes_to_the_stage_releases_the_hold(
    infra: Scene,
) -> None:
    declared: Any = infra.codepipeline.get_pipeline(name="infra")["pipeline"]
    declared["stages"][1]["actions"][0]["configuration"]["SandboxOutcome"] = "Failed"
    infra.codepipeline.update_pipeline(pipeline=declared)
    infra.start("infra")
    infra.start("k8s")
    infra.wait(minutes=1.6)
    assert infra.statuses() == ["Failed"]
    infra.wait(minutes=0.4)
    assert (infra.statuses("infra"), infra.statuses()) == (["Failed"], ["InProgress", "Failed"])


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_an_execution_before_the_stage_counts(infra: Scene, mode: str) -> None:
    """The stage itself is idle, but the execution has yet to run it."""
    infra.codepipeline.disable_stage_transition(
        pipelineName="infra", stageName="Network", transitionType="Inbound", reason="holidays"
    )
    infra.gated("web", ask(NETWORK, pipeline="web", hold=mode))
    infra.start("infra")
    infra.wait(minutes=5)
    infra.start("web")
    infra.wait(minutes=30)
    assert infra.statuses("web") == ["InProgress" if mode == "wait" else "Failed"]
    infra.codepipeline.enable_stage_transition(
        pipelineName="infra", stageName="Network", transitionType="Inbound"
    )
    infra.wait(minutes=5)
    assert (infra.statuses("web")[0], infra.statuses("infra")) == ("Succeeded", ["InProgress"])
