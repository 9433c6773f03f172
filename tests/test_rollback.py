"""A held rollback stays a rollback: a new execution would deploy the latest revision, which the
rollback is meant to undo.
"""

from __future__ import annotations

import pytest

from tests.support.held import edit, roll_back_k8s
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
