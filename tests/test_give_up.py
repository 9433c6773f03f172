"""`give_up_minutes` and `on_give_up`: one deadline, whatever the mode and however often is
looked.
"""

from __future__ import annotations

import pytest

from tests.support.ask import ask
from tests.support.logs import read_retry_log
from tests.support.scene import Scene

MODES = ("restart", "retry", "wait")
each_mode = pytest.mark.parametrize("mode", MODES)


def waits(scene: Scene, mode: str, then: str, minutes: int = 12) -> str:
    """infra runs for an hour; k8s waits at the most 12 minutes of it."""
    scene.pipeline("infra", seconds=3600)
    scene.gated("k8s", ask(hold=mode, give_up_minutes=minutes, on_give_up=then))
    scene.start("infra")
    return scene.start("k8s")


@each_mode
def test_stop_ends_the_wait_and_starts_nothing(scene: Scene, mode: str) -> None:
    waits(scene, mode, "stop")
    scene.wait(minutes=11)
    assert bool(scene.rules()) == (mode != "wait")
    scene.wait(minutes=10)
    assert scene.rules() == []
    scene.wait(minutes=120)
    assert scene.statuses("infra") == ["Succeeded"]
    assert scene.statuses() == ["Failed"]


@each_mode
def test_continue_lets_the_same_execution_go_on_in_spite_of_the_upstream(
    scene: Scene, mode: str
) -> None:
    execution = waits(scene, mode, "continue")
    scene.wait(minutes=11)
    assert scene.statuses() == ["InProgress" if mode == "wait" else "Failed"]
    scene.wait(minutes=10)
    assert [(one["pipelineExecutionId"], one["status"]) for one in scene.executions()] == [
        (execution, "Succeeded")
    ]
    assert scene.statuses("infra") == ["InProgress"]
    assert scene.gate_action()["summary"].startswith(
        "Goes on in spite of infra: waited since 12:00 UTC"
    )
    assert scene.rules() == []


@each_mode
def test_an_upstream_that_ends_in_time_lets_it_go_on_as_ever(scene: Scene, mode: str) -> None:
    waits(scene, mode, "stop", minutes=90)
    scene.wait(minutes=75)
    assert scene.statuses()[0] == "Succeeded"
    assert scene.rules() == []


def test_where_the_wait_is_in_place_the_console_says_that_it_gave_up(scene: Scene) -> None:
    waits(scene, "wait", "stop")
    scene.wait(minutes=15)
    assert scene.gate_action()["errorDetails"]["message"].startswith(
        "Gave up: waited for infra since 12:00 UTC"
    )


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_where_a_rule_holds_the_log_says_that_it_gave_up(scene: Scene, mode: str) -> None:
    waits(scene, mode, "stop")
    scene.wait(minutes=20)
    (line,) = read_retry_log("gave up")
    assert (line["pipeline"], line["reason"], line["GaveUp"]) == (
        "k8s",
        "still waiting for infra",
        1,
    )
    assert 12 * 60 <= line["waited_seconds"] <= 17 * 60


def test_a_stage_that_a_person_retries_meanwhile_keeps_its_deadline(scene: Scene) -> None:
    held = waits(scene, "restart", "stop")
    scene.wait(minutes=8)
    scene.codepipeline.retry_stage_execution(
        pipelineName="k8s", stageName="Gate", pipelineExecutionId=held, retryMode="FAILED_ACTIONS"
    )
    scene.wait(seconds=5)
    assert "by 12:13 UTC" in scene.gate_action()["errorDetails"]["message"]
    scene.wait(minutes=10)
    assert scene.rules() == []


def test_an_edited_pipeline_that_cannot_go_on_itself_is_started_and_waits_anew(
    scene: Scene,
) -> None:
    waits(scene, "restart", "continue")
    scene.codepipeline.update_pipeline(
        pipeline=scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    )
    scene.wait(minutes=16)
    assert scene.statuses() == ["Failed", "Failed"]
    assert len(scene.rules()) == 1
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded", "Failed"]


def test_an_upstream_of_which_aws_never_tells_is_given_up_too(scene: Scene) -> None:
    """A wait that ends only when AWS answers would be one for ever."""
    waits(scene, "restart", "stop")
    scene.world.dials.rates = {"codepipeline:ListPipelineExecutions": 0.0001}
    scene.wait(minutes=60)
    scene.world.dials.rates = {}
    scene.wait(minutes=10)
    assert scene.rules() == []
