"""The article's pipelines, made in the sandbox's backend, so that setting the scene takes no AWS
call.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.account import PIPELINE_ROLE
from sandbox.codepipeline.models import CodePipelineBackend


def create_pipeline(backend: CodePipelineBackend, name: str, stages: list[dict[str, Any]]) -> None:
    """A new pipeline: Source, `stages`, Deploy. It starts at once."""
    artifacts = [{"name": "source"}]
    source = _make_stage(
        "Source",
        "Source",
        "CodeCommit",
        {"RepositoryName": name, "BranchName": "main"},
        outputArtifacts=artifacts,
    )
    deploy = _make_stage(
        "Deploy", "Build", "CodeBuild", {"ProjectName": name}, inputArtifacts=artifacts
    )
    backend.create_pipeline(
        {
            "name": name,
            "roleArn": PIPELINE_ROLE,
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "pipelineType": "V2",
            "executionMode": "SUPERSEDED",
            "stages": [source, *stages, deploy],
        },
        [],
    )
    backend.start_pipeline_execution({"name": name})


def make_gate_stage(
    pipeline: str, *upstreams: str, function: str = "pipeline-gate-dev-gate", **options: object
) -> dict[str, Any]:
    """The stage in which `pipeline` waits for `upstreams`. `function` is the gate, `options` are
    further parameters of it.
    """
    parameters = {
        "depends_on": upstreams,
        "pipeline": pipeline,
        "execution": "#{codepipeline.PipelineExecutionId}",
        **options,
    }
    return _make_stage(
        "Gate",
        "Invoke",
        "Lambda",
        {"FunctionName": function, "UserParameters": json.dumps(parameters)},
    )


def _make_stage(
    name: str, category: str, provider: str, configuration: dict[str, str], **artifacts: Any
) -> dict[str, Any]:
    """A stage with one action of the same name."""
    action_type = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    action = {"name": name, "actionTypeId": action_type, "configuration": configuration}
    return {"name": name, "actions": [action | artifacts]}
