"""A person answers an approval."""

from __future__ import annotations

from typing import Any, Literal

from tests.support.scene import Scene


def approve(
    scene: Scene, status: Literal["Approved", "Rejected"] = "Approved", pipeline: str = "infra"
) -> None:
    """Answer the approval in the stage Approve."""
    stages: Any = scene.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]
    (state,) = [stage["actionStates"][0] for stage in stages if stage["stageName"] == "Approve"]
    scene.codepipeline.put_approval_result(
        pipelineName=pipeline,
        stageName="Approve",
        actionName="Ask",
        token=state["latestExecution"]["token"],
        result={"summary": "", "status": status},
    )
