"""A stage rollback is held as it is: a plain start in its place would deploy the latest, which is
just what it is to undo.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.scene import Scene, gate_stage


@pytest.fixture
def rolled_back(scene: Scene, request: pytest.FixtureRequest) -> str:
    """k8s, whose gate is the first action of its Deploy stage, is rolled back while infra runs; the
    rollback's id.
    """
    scene.pipeline("infra")
    scene.gated("k8s", ask(hold=request.param))
    declared: Any = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    source, _, deploy = declared["stages"]
    gate = gate_stage(ask(hold=request.param))["actions"][0]
    declared["stages"] = [
        source,
        {**deploy, "name": "Gate", "actions": [gate, {**deploy["actions"][0], "runOrder": 2}]},
    ]
    scene.codepipeline.update_pipeline(pipeline=declared)
    good = scene.start("k8s")
    scene.wait(minutes=3)
    scene.start("infra")
    rollback = scene.codepipeline.rollback_stage(
        pipelineName="k8s", stageName="Gate", targetPipelineExecutionId=good
    )
    scene.wait(seconds=10)
    return rollback["pipelineExecutionId"]


@pytest.mark.parametrize("rolled_back", ["restart", "retry"], indirect=True)
def test_a_rollback_goes_on_itself_when_the_upstream_ends(scene: Scene, rolled_back: str) -> None:
    assert scene.statuses() == ["Failed", "Succeeded"]
    scene.wait(minutes=20)
    assert (scene.executions()[0]["pipelineExecutionId"], scene.statuses()[0]) == (
        rolled_back,
        "Succeeded",
    )
    assert len(scene.executions()) == 2
    assert scene.rules() == []


@pytest.mark.parametrize("rolled_back", ["wait"], indirect=True)
def test_a_rollback_waits_in_place(scene: Scene, rolled_back: str) -> None:
    assert scene.statuses() == ["InProgress", "Succeeded"]
    scene.wait(minutes=20)
    assert (scene.executions()[0]["pipelineExecutionId"], scene.statuses()[0]) == (
        rolled_back,
        "Succeeded",
    )


@pytest.mark.parametrize("rolled_back", ["restart", "retry"], indirect=True)
def test_a_rollback_that_cannot_be_retried_any_more_is_not_replaced(
    scene: Scene, rolled_back: str
) -> None:
    scene.codepipeline.update_pipeline(
        pipeline=scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    )
    scene.wait(minutes=20)
    assert scene.statuses() == ["Failed", "Succeeded"]
    assert scene.rules() == []
