"""Pipelines as the article has them, made in the backend itself: setting the scene costs no AWS
call.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.account import PIPELINE_ROLE
from sandbox.codepipeline.models import CodePipelineBackend


def start(backend: CodePipelineBackend, name: str, stages: list[dict[str, Any]]) -> None:
    """A new pipeline: Source, `stages`, Deploy; it starts at once."""
    artifacts = [{"name": "source"}]
    backend.create_pipeline(
        {
            "name": name,
            "roleArn": PIPELINE_ROLE,
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "pipelineType": "V2",
            "executionMode": "SUPERSEDED",
            "stages": [
                _stage(
                    "Source",
                    "Source",
                    "CodeCommit",
                    {"RepositoryName": name, "BranchName": "main"},
                    outputArtifacts=artifacts,
                ),
                *stages,
                _stage(
                    "Deploy", "Build", "CodeBuild", {"ProjectName": name}, inputArtifacts=artifacts
                ),
            ],
        },
        [],
    )
    backend.start_pipeline_execution({"name": name})


def gate(
    name: str, upstream: str, function: str = "pipeline-gate-dev-gate", **more: object
) -> dict[str, Any]:
    """The stage with which pipeline `name` waits for `upstream`; `function` is the gate, `more` are
    its further parameters.
    """
    asked = {
        "depends_on": [upstream],
        "pipeline": name,
        "execution": "#{codepipeline.PipelineExecutionId}",
        **more,
    }
    return _stage(
        "Gate", "Invoke", "Lambda", {"FunctionName": function, "UserParameters": json.dumps(asked)}
    )


def approval() -> dict[str, Any]:
    """A stage that a person ends."""
    return _stage("Approve", "Approval", "Manual", {})


def _stage(
    name: str, category: str, provider: str, configuration: dict[str, str], **more: Any
) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {
        "name": name,
        "actions": [{"name": name, "actionTypeId": kind, "configuration": configuration, **more}],
    }
