"""Pipelines' structures, as GetPipeline has them (model: PipelineDeclaration)."""

from __future__ import annotations

from typing import Any

from gatectl.structure import Declaration, format_parameters
from sandbox.account import PIPELINE_ROLE

GATE = "pipeline-gate-dev-gate"
TEXT = format_parameters("k8s", {"depends_on": ["infra"]})
Stage = dict[str, Any]


def action(name: str, **more: Any) -> dict[str, Any]:
    type_id = {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": {"ProjectName": name}, **more}


def gate(name: str = "Wait", text: str = TEXT, **more: Any) -> dict[str, Any]:
    type_id = {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"}
    return {
        "name": name,
        "actionTypeId": type_id,
        "configuration": {"FunctionName": GATE, "UserParameters": text},
        **more,
    }


def rule(name: str, function: str = GATE) -> dict[str, Any]:
    type_id = {"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}
    return {
        "name": name,
        "ruleTypeId": type_id,
        "configuration": {"FunctionName": function, "UserParameters": TEXT},
    }


def entry(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": [{"result": "FAIL", "rules": list(rules)}]}


def stage(name: str, *actions: dict[str, Any], **more: Any) -> Stage:
    return {"name": name, "actions": list(actions) or [action(name)], **more}


def source() -> Stage:
    type_id = {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}
    return stage(
        "Source",
        {**action("Source"), "actionTypeId": type_id, "outputArtifacts": [{"name": "source"}]},
    )


def pipeline(*stages: Stage, **more: Any) -> Declaration:
    return {
        "name": "k8s",
        "roleArn": PIPELINE_ROLE,
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [source(), *(stages or [stage("Deploy")])],
        "version": 7,
        "pipelineType": "V2",
        **more,
    }
