"""The gate as a rule of a stage's entry condition (beforeEntry, LambdaInvoke), without a stage of
its own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.condition import conditioned
from tests.support.scene import Scene


def the_rule(scene: Scene) -> Any:
    """The latest run of the condition's rule, as the console shows it."""
    state: Any = scene.codepipeline.get_pipeline_state(name="k8s")["stageStates"][1]
    return state["beforeEntryConditionState"]["conditionStates"][0]["ruleStates"][0][
        "latestExecution"
    ]


@pytest.fixture
def infra(scene: Scene) -> Scene:
    scene.pipeline("infra")
    return scene


def test_an_idle_upstream_lets_the_stage_begin(infra: Scene) -> None:
    conditioned(infra)
    infra.start("k8s")
    assert the_rule(infra)["status"] == "Succeeded"
    infra.wait(minutes=2)
    assert infra.statuses() == ["Succeeded"]


@pytest.mark.parametrize(
    ("mode", "statuses"), [("restart", ["Succeeded", "Failed"]), ("retry", ["Succeeded"])]
)
def test_a_running_upstream_holds_the_pipeline_until_its_end(
    infra: Scene, mode: str, statuses: list[str]
) -> None:
    conditioned(infra, hold=mode)
    infra.start("infra")
    infra.start("k8s")
    assert infra.statuses() == ["Failed"]
    assert the_rule(infra)["errorDetails"]["message"].endswith("[pipeline-gate/1 held]")
    infra.wait(minutes=16)
    assert infra.statuses() == statuses
    assert infra.rules() == []


def test_the_mode_wait_holds_the_stage_before_its_entry(infra: Scene) -> None:
    conditioned(infra, hold="wait")
    infra.start("infra")
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]
    infra.wait(minutes=12)
    assert infra.statuses() == ["Succeeded"]


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_what_fails_after_the_condition_let_it_in_stays_failed(infra: Scene, mode: str) -> None:
    conditioned(infra, outcome="Failed", hold=mode)
    infra.start("infra")
    infra.start("k8s")
    infra.wait(minutes=40)
    assert infra.statuses() == (["Failed", "Failed"] if mode == "restart" else ["Failed"])
    assert infra.rules() == []


def test_what_a_person_let_in_and_failed_then_is_not_started_again(infra: Scene) -> None:
    conditioned(infra, outcome="Failed")
    infra.start("infra")
    held = infra.start("k8s")
    infra.codepipeline.override_stage_condition(
        pipelineName="k8s",
        stageName="Deploy",
        pipelineExecutionId=held,
        conditionType="BEFORE_ENTRY",
    )
    infra.wait(minutes=30)
    assert infra.statuses() == ["Failed"]
    assert infra.rules() == []


def test_two_gates_that_wait_before_their_stages_see_their_deadlock(scene: Scene) -> None:
    """A gate that waits leaves its mark at the condition's rule, too."""
    conditioned(scene, hold="wait")
    scene.gated("infra", ask("k8s", pipeline="infra", hold="wait"))
    scene.codepipeline.start_pipeline_execution(name="k8s")
    scene.codepipeline.start_pipeline_execution(name="infra")
    scene.wait(minutes=2)
    assert "Failed" in (scene.statuses("k8s")[0], scene.statuses("infra")[0])
    scene.wait(minutes=5)
    assert "InProgress" not in (scene.statuses("k8s")[0], scene.statuses("infra")[0])
