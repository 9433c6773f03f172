"""Pipelines' structures, as GetPipeline has them (model: PipelineDeclaration)."""

from __future__ import annotations

import json
from typing import Any

from gatectl.structure import Declaration, format_parameters
from sandbox.account import PIPELINE_ROLE

GATE = "pipeline-gate-dev-gate"
TEXT = format_parameters("k8s", {"depends_on": ["infra"]})
CONDITION_TEXT = json.dumps({**json.loads(TEXT), "condition": True})
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


def rule(name: str, function: str = GATE, text: str = CONDITION_TEXT) -> dict[str, Any]:
    type_id = {"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}
    return {
        "name": name,
        "ruleTypeId": type_id,
        "configuration": {"FunctionName": function, "UserParameters": text},
    }


def entry(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": [{"result": "FAIL", "rules": list(rules)}]}


def stage(name: str, *actions: dict[str, Any], **more: Any) -> Stage:
    return {"name": name, "actions": list(actions) or [action(name)], **more}


def approve(name: str = "Ask", **more: Any) -> dict[str, Any]:
    type_id = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": {}, **more}


def approval() -> Stage:
    """A stage in which a person approves."""
    return stage("Approve", approve())


def source() -> Stage:
    type_id = {
        "category": "Source",
        "owner": "AWS",
        "provider": "CodeStarSourceConnection",
        "version": "1",
    }
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
