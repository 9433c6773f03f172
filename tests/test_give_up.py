"""`give_up_minutes` and `on_give_up`: one deadline, whatever the mode and however often the hold
checks.
"""

from __future__ import annotations

import pytest

from tests.support.held import edit, hold_k8s, retry_stage
from tests.support.logs import read_retry_log
from tests.support.scene import Scene

MODES = ("restart", "retry", "wait")
each_mode = pytest.mark.parametrize("mode", MODES)


def waits(scene: Scene, mode: str, then: str, minutes: int = 12) -> str:
    """infra runs for an hour; k8s waits at most 12 minutes of it."""
    return hold_k8s(
        scene, seconds=3600, minutes=0, hold=mode, give_up_minutes=minutes, on_give_up=then
    )


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
def test_continue_lets_the_same_execution_pass_while_the_upstream_runs(
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
    assert "Continued without waiting any longer for infra" in scene.gate_action()["summary"]
    assert scene.rules() == []


def test_a_stage_that_a_person_retries_meanwhile_keeps_its_deadline(scene: Scene) -> None:
    held = waits(scene, "restart", "stop")
    scene.wait(minutes=8)
    retry_stage(scene, held)
    scene.wait(seconds=5)
    assert "by 12:13 UTC" in scene.gate_message()
    scene.wait(minutes=10)
    assert scene.rules() == []


def test_an_edited_pipeline_that_cannot_continue_is_started_and_waits_again(
    scene: Scene,
) -> None:
    waits(scene, "restart", "continue")
    edit(scene)
    scene.wait(minutes=16)
    assert scene.statuses() == ["Failed", "Failed"]
    assert len(scene.rules()) == 1
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded", "Failed"]


def test_a_wait_for_an_upstream_that_aws_never_answers_about_is_given_up_too(scene: Scene) -> None:
    """A wait that ends only when AWS answers could last forever."""
    waits(scene, "restart", "stop")
    scene.world.dials.rates = {"codepipeline:ListPipelineExecutions": 0.0001}
    scene.wait(minutes=60)
    scene.world.dials.rates = {}
    scene.wait(minutes=10)
    assert scene.rules() == []


@pytest.mark.parametrize("shows_mark", [True, False])
@pytest.mark.usefixtures("sessions")
def test_a_restart_that_is_held_again_goes_on_with_its_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, shows_mark: bool
) -> None:
    """infra ends, and begins again before the gate of the restart checks, twice."""
    if not shows_mark:
        monkeypatch.setattr("chalicelib.holds.reader.read_mark", lambda _: None)
    hold_k8s(scene, seconds=300, minutes=0, give_up_minutes=12)
    for executions in (2, 3):
        while scene.statuses("infra")[0] == "InProgress":
            scene.wait(seconds=0.5)
        scene.start("infra")
        scene.wait(seconds=20)
        assert scene.statuses() == ["Failed"] * executions
        assert "since 12:00 UTC" in scene.gate_message()
    scene.wait(minutes=4)
    assert scene.rules() == []
    assert [line["waited_seconds"] // 60 for line in read_retry_log("gave up")] == [14]
