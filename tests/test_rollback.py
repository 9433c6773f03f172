"""A held rollback stays a rollback: a new execution would deploy the latest revision, which the
rollback is meant to undo.
"""

from __future__ import annotations

import pytest

from tests.support.held import edit, retry_stage, roll_back_k8s
from tests.support.scene import Scene


@pytest.fixture
def rolled_back(scene: Scene, request: pytest.FixtureRequest) -> str:
    return roll_back_k8s(scene, request.param)


@pytest.mark.parametrize("rolled_back", ["restart", "retry"], indirect=True)
def test_a_rollback_itself_continues_when_the_upstream_ends(scene: Scene, rolled_back: str) -> None:
    assert scene.statuses() == ["Failed", "Succeeded"]
    scene.wait(minutes=20)
    assert (scene.executions()[0]["pipelineExecutionId"], scene.statuses()[0]) == (
        rolled_back,
        "Succeeded",
    )
    assert len(scene.executions()) == 2
    assert scene.rules() == []


@pytest.mark.parametrize("rolled_back", ["wait"], indirect=True)
def test_a_rollback_waits_in_progress(scene: Scene, rolled_back: str) -> None:
    assert scene.statuses() == ["InProgress", "Succeeded"]
    scene.wait(minutes=20)
    assert (scene.executions()[0]["pipelineExecutionId"], scene.statuses()[0]) == (
        rolled_back,
        "Succeeded",
    )


@pytest.mark.parametrize("rolled_back", ["restart", "retry"], indirect=True)
def test_a_rollback_that_can_no_longer_be_retried_is_not_replaced(
    scene: Scene, rolled_back: str
) -> None:
    edit(scene)
    scene.wait(minutes=20)
    assert scene.statuses() == ["Failed", "Succeeded"]
    assert scene.rules() == []


@pytest.mark.parametrize("again", ["retry", "rollback"])
def test_a_retry_or_rollback_of_a_later_stage_does_not_ask_the_gate(
    scene: Scene, again: str
) -> None:
    """docs/where-to-put-the-gate.md says so."""
    scene.pipeline("infra", seconds=3600)
    scene.k8s(outcome="Failed" if again == "retry" else "Succeeded")
    execution = scene.start("k8s")
    scene.wait(minutes=3)
    scene.start("infra")
    if again == "retry":
        retry_stage(scene, execution, "Deploy")
    else:
        scene.codepipeline.rollback_stage(
            pipelineName="k8s", stageName="Deploy", targetPipelineExecutionId=execution
        )
    scene.wait(seconds=10)
    newest = scene.executions()[0]["pipelineExecutionId"]
    attempts = scene.codepipeline.list_action_executions(
        pipelineName="k8s", filter={"pipelineExecutionId": newest}
    )["actionExecutionDetails"]
    assert (attempts[0]["actionName"], attempts[0]["status"]) == ("Deploy", "InProgress")
    gates = [attempt for attempt in attempts if attempt["actionName"] == "Wait"]
    assert len(gates) == (1 if again == "retry" else 0)
