"""Gates in a pipeline's structure, as GetPipeline has it."""

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
    rf"(?:arn:[\w-]+:lambda:[\w-]+:\d{{12}}:function:)?(?P<name>{APP}-(?P<stage>[\w-]+)-gate)(?::[\w$-]+)?"
)
"""How an action names the gate: its function's name or ARN, either with an alias or version (guide:
action-reference-Lambda).
"""

_ANY_EXECUTION = "00000000-0000-0000-0000-000000000000"
_PLACEHOLDERS = (
    (re.compile(r"#\{codepipeline\.PipelineExecutionId\}"), _ANY_EXECUTION),
    (re.compile(r"#\{variables\.[^}]*\}"), "false"),
)
"""What CodePipeline fills in when an action begins; in the structure they are not filled in yet."""


@dataclass(frozen=True)
class Gate:
    """A gate action, or (`condition`) a gate as a rule of a stage's entry condition.

    `deployed_as`: the Chalice stage of the function that it names. `role`: the action's own, which
    CodePipeline takes in place of the pipeline's. `asked` is None where the gate would refuse what
    the action asks, and `problem` then says why.
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
    """Every gate of a pipeline's declaration (model: PipelineDeclaration), in the pipeline's
    order.
    """
    return tuple(gate for stage in pipeline["stages"] for gate in _find_stage_gates(stage))


def _find_stage_gates(stage: Mapping[str, Any]) -> Iterator[Gate]:
    for condition in stage.get("beforeEntry", {}).get("conditions", []):
        for rule in condition.get("rules", []):
            yield from _parse_gate(stage["name"], rule, condition=True)
    for action in stage["actions"]:
        yield from _parse_gate(stage["name"], action, condition=False)


def _parse_gate(stage: str, declared: Mapping[str, Any], *, condition: bool) -> Iterator[Gate]:
    configuration = declared.get("configuration") or {}
    named = FUNCTION.fullmatch(configuration.get("FunctionName", ""))
    if not named:
        return
    text = configuration.get("UserParameters", "")
    gate = Gate(
        stage,
        declared["name"],
        configuration["FunctionName"],
        named["stage"],
        text,
        condition,
        declared.get("roleArn"),
    )
    try:
        yield replace(gate, parameters=parse_declared_parameters(text))
    except Misconfigured as error:
        yield replace(gate, problem=str(error))


def is_local(entry: Dependency, region: str) -> bool:
    """Whether the pipeline that a gate in `region` waits for is one of its own region and
    account.
    """
    return entry.role_arn is None and entry.region in (None, region)


def parse_declared_parameters(text: str) -> Parameters:
    """UserParameters as they stand in the structure. Raises Misconfigured."""
    for placeholder, filled_in in _PLACEHOLDERS:
        text = placeholder.sub(filled_in, text)
    return parameters.parse_parameters(text, "5")
