"""A person answers an approval."""

from __future__ import annotations

from typing import Any, Literal

from tests.support.scene import Scene


def approve(scene: Scene, status: Literal["Approved", "Rejected"] = "Approved") -> None:
    """Answer the approval of infra, its second stage."""
    state: Any = scene.codepipeline.get_pipeline_state(name="infra")["stageStates"][1][
        "actionStates"
    ][0]
    scene.codepipeline.put_approval_result(
        pipelineName="infra",
        stageName="Approve",
        actionName="Ask",
        token=state["latestExecution"]["token"],
        result={"summary": "", "status": status},
    )
