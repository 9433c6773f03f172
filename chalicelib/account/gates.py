"""Finds the gates in a pipeline's structure (GetPipeline)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib import parameters
from chalicelib.deployment import APP
from chalicelib.errors import Misconfigured
from chalicelib.parameters import Parameters
from chalicelib.pipelines.dependency import Dependency

FUNCTION = re.compile(
    r"(?:arn:[\w-]+:lambda:[\w-]+:\d{12}:function:)?"
    rf"(?P<name>{APP}-(?P<stage>[\w-]+)-gate)(?::[\w$-]+)?",
    re.ASCII,
)
"""How an action names the gate's function: its name or ARN, optionally with an alias or version
(guide: action-reference-Lambda).
"""

_ANY_EXECUTION = "00000000-0000-0000-0000-000000000000"
_PLACEHOLDERS = (
    (re.compile(r"#\{codepipeline\.PipelineExecutionId\}"), _ANY_EXECUTION),
    (re.compile(r"#\{variables\.[^}]*\}"), "false"),
)
"""The placeholders that CodePipeline replaces when an action begins, and a valid value for each."""


@dataclass(frozen=True)
class Gate:
    """An action or a rule of a stage's entry condition that invokes the gate.

    `action`: its name.
    `function`: its FunctionName, and `deployed_as` the Chalice stage in that.
    `text`: its UserParameters.
    `condition`: whether it is a rule of an entry condition.
    `role`: the ARN of its own role, which CodePipeline uses instead of the pipeline's.
    `parameters`: what it asks for. None if the gate would refuse it: `problem` then says why.
    """

    stage: str
    action: str
    function: str
    deployed_as: str
    text: str
    condition: bool = False
    role: str | None = None
    parameters: Parameters | None = None
    problem: str = ""


def find_gates(pipeline: Mapping[str, Any]) -> tuple[Gate, ...]:
    """Return the gates of a pipeline (model: PipelineDeclaration), in the pipeline's order."""
    return tuple(gate for stage in pipeline["stages"] for gate in _find_stage_gates(stage))


def _find_stage_gates(stage: Mapping[str, Any]) -> Iterator[Gate]:
    for condition in stage.get("beforeEntry", {}).get("conditions", []):
        for rule in condition.get("rules", []):
            yield from _find_gate(stage["name"], rule, condition=True)
    for action in stage["actions"]:
        yield from _find_gate(stage["name"], action, condition=False)


def _find_gate(stage: str, declared: Mapping[str, Any], *, condition: bool) -> Iterator[Gate]:
    """Yield the gate that an action or a rule is, if it is one."""
    configuration = declared.get("configuration") or {}
    function = FUNCTION.fullmatch(configuration.get("FunctionName", ""))
    if not function:
        return
    gate = Gate(
        stage=stage,
        action=declared["name"],
        function=configuration["FunctionName"],
        deployed_as=function["stage"],
        text=configuration.get("UserParameters", ""),
        condition=condition,
        role=declared.get("roleArn"),
    )
    try:
        yield replace(gate, parameters=parse_declared_parameters(gate.text))
    except Misconfigured as error:
        yield replace(gate, problem=str(error))


def is_local(entry: Dependency, region: str) -> bool:
    """Return whether an upstream is in the region and account of its gate.

    `region`: the gate's.
    """
    return entry.role_arn is None and entry.region in (None, region)


def parse_declared_parameters(text: str) -> Parameters:
    """Read UserParameters from a structure, with its placeholders. Raises Misconfigured."""
    for placeholder, filled_in in _PLACEHOLDERS:
        text = placeholder.sub(filled_in, text)
    return parameters.parse_parameters(text, "5")
