"""Adds gates to structures and removes them: pure functions (model: PipelineDeclaration)."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from chalicelib.account.gates import Gate, find_gates, parse_declared_parameters
from chalicelib.errors import Misconfigured
from chalicelib.phrases import join_names
from gatectl.arguments import describe_missing_stage

Declaration = dict[str, Any]

EXECUTION = "#{codepipeline.PipelineExecutionId}"
BYPASS = "#{variables.bypass}"
STAGE, ACTION, NAMESPACE = "Gate", "Wait", "gate"
"""The names of a new gate's stage and action, and of its action's namespace."""
MAX_STAGES = 50  # guide: limits
MAX_VARIABLES = 50  # model: PipelineVariableDeclarationList
MAX_PARAMETERS_LENGTH = 1000
"""Characters (guide: limits; model: ActionConfigurationValue)."""


class Impossible(Exception):
    """The change is impossible. The message says why, and what to do instead."""


def format_parameters(pipeline: str, settings: Mapping[str, object]) -> str:
    """Return UserParameters for a gate. Raises Impossible if the gate or AWS refuses them."""
    text = json.dumps({**settings, "pipeline": pipeline, "execution": EXECUTION})
    try:
        parse_declared_parameters(text)
    except Misconfigured as error:
        raise Impossible(str(error)) from None
    if len(text) > MAX_PARAMETERS_LENGTH:
        raise Impossible(
            f"UserParameters would have {len(text)} characters, but CodePipeline allows "
            f"{MAX_PARAMETERS_LENGTH}. Name fewer pipelines in this gate, and the others in a "
            "second gate after it (--after)."
        )
    return text


def add_gate(
    declared: Declaration,
    function: str,
    text: str,
    after: str | None = None,
    move: str | None = None,
) -> Declaration:
    """Return the structure with a gate that invokes `function` with UserParameters `text`.

    That is the gate right after the stage `after`, which gets its own stage if it is new. Without
    `after`, it is the only gate of the pipeline, wherever that is; a new one comes after the first
    stage, which reads the sources. `move`: the stage whose gate moves after `after`. Other gates
    stay as they are. A stage condition also gets "condition": true. Raises Impossible.
    """
    gate = find_gate_to_change(declared, after, move)
    changed = copy.deepcopy(declared)
    if gate is None:
        _insert(changed, function, text, after or _list_stages(declared)[0])
    else:
        _configure(changed, gate, function, text)
        if move is not None and after is not None:
            _move(changed, gate, after)
    if BYPASS in text:
        _declare_bypass(changed)
    return changed


def find_gate_to_change(
    declared: Declaration, after: str | None, move: str | None = None
) -> Gate | None:
    """Return the gate that add_gate changes or moves; None if it adds one. Raises Impossible."""
    name = declared["name"]
    _refuse_missing_stages(declared, after, move)
    if move is not None:
        gates = [gate for gate in find_gates(declared) if gate.stage == move]
        if not gates:
            raise Impossible(f"The stage {move} of {name} has no gate to move.")
        if len(gates) > 1:
            raise Impossible(
                f"The stage {move} of {name} has several gates ({_name_gates(gates)}), so it is "
                "unclear which one to move. Edit the structure yourself."
            )
        return gates[0]
    gates = find_gates_after(declared, after) if after else list(find_gates(declared))
    if len(gates) <= 1:
        return next(iter(gates), None)
    if after:
        raise Impossible(
            f"{name} has several gates after {after} ({_name_gates(gates)}), so --after does not "
            "say which one to change. Edit the structure yourself."
        )
    places = [stage for stage in _list_stages(declared) if find_gates_after(declared, stage)]
    how = (
        f"To say which one, add --after and the stage before it: {' or '.join(places)}."
        if places
        else "Edit the structure yourself."
    )
    raise Impossible(f"{name} has several gates ({_name_gates(gates)}). {how}")


def find_gates_after(declared: Declaration, after: str) -> list[Gate]:
    """Return the gates right after the stage `after`: those of the next stage in which no action
    comes before them.
    """
    position = _list_stages(declared).index(after) + 1
    following = declared["stages"][position : position + 1]
    orders = {
        action["name"]: action.get("runOrder", 1)
        for stage in following
        for action in stage["actions"]
    }
    return [
        gate
        for gate in find_gates({"stages": following})
        if gate.condition or orders[gate.action] == min(orders.values())
    ]


def remove_gates(declared: Declaration, after: str | None = None) -> Declaration:
    """Return the structure without the gates right after the stage `after`, or without any; and
    without stages and conditions of only such gates. Raises Impossible.
    """
    _refuse_missing_stages(declared, after)
    removed = {
        (gate.stage, gate.action, gate.condition)
        for gate in (find_gates_after(declared, after) if after else find_gates(declared))
    }
    changed = copy.deepcopy(declared)
    for stage in changed["stages"]:
        gates = {
            (action, condition) for name, action, condition in removed if name == stage["name"]
        }
        stage["actions"] = [
            action for action in stage["actions"] if (action["name"], False) not in gates
        ]
        if any(condition for _, condition in gates):
            entry = stage["beforeEntry"]
            for condition in entry["conditions"]:
                condition["rules"] = [
                    rule for rule in condition["rules"] if (rule["name"], True) not in gates
                ]
            entry["conditions"] = [
                condition for condition in entry["conditions"] if condition["rules"]
            ]
            if not entry["conditions"]:
                del stage["beforeEntry"]
        if not stage["actions"]:
            reason = f"The stage {stage['name']} of {declared['name']} would be removed"
            _refuse_conditions(stage, reason)
    changed["stages"] = [stage for stage in changed["stages"] if stage["actions"]]
    gone = _list_namespaces(declared) - _list_namespaces(changed)
    _refuse_used_variables(changed["stages"], gone, declared["name"], "would be removed")
    if len(changed["stages"]) < 2:  # guide: reference-pipeline-structure
        raise Impossible(
            f"Without its gate, {declared['name']} would have one stage, but CodePipeline needs "
            "two. First add the stage that does the work."
        )
    return changed


def _refuse_missing_stages(declared: Declaration, *names: str | None) -> None:
    stages = _list_stages(declared)
    for name in names:
        if name is not None and name not in stages:
            raise Impossible(describe_missing_stage(declared["name"], name, stages))


def _name_gates(gates: Iterable[Gate]) -> str:
    return join_names([f"{gate.stage}/{gate.action}" for gate in gates])


def _configure(changed: Declaration, gate: Gate, function: str, text: str) -> None:
    stage = next(stage for stage in changed["stages"] if stage["name"] == gate.stage)
    conditions = stage["beforeEntry"]["conditions"] if gate.condition else ()
    rules = [rule for condition in conditions for rule in condition.get("rules", [])]
    declarations = rules if gate.condition else stage["actions"]
    configuration = next(each for each in declarations if each["name"] == gate.action)[
        "configuration"
    ]
    if gate.condition:
        text = format_parameters(changed["name"], {**json.loads(text), "condition": True})
    configuration["FunctionName"] = function
    if not _is_same_json(configuration.get("UserParameters", ""), text):
        configuration["UserParameters"] = text


def _is_same_json(text: str, other: str) -> bool:
    """Return whether two texts are the same JSON, apart from spacing and the order of keys."""
    try:
        return bool(json.loads(text) == json.loads(other))
    except ValueError:
        return False


def _move(changed: Declaration, gate: Gate, after: str) -> None:
    name, names = changed["name"], _list_stages(changed)
    if gate.stage == after:
        raise Impossible(
            f"{after} is the gate's own stage. Name the stage that the gate should come after."
        )
    position = names.index(gate.stage)
    if names.index(after) == position - 1:
        return
    if gates := find_gates_after(changed, after):
        raise Impossible(
            f"{name} already has a gate after {after}, in the stage {gates[0].stage}. Change that "
            "one instead: omit --move."
        )
    stage = changed["stages"][position]
    if gate.condition or len(stage["actions"]) > 1:
        raise Impossible(
            f"The gate of {name} is not alone in its stage {gate.stage}, so it cannot be moved "
            f"after {after}. Detach it first."
        )
    _refuse_conditions(stage, f"The gate's stage {gate.stage} of {name} would move after {after}")
    changed["stages"].remove(stage)
    new = _list_stages(changed).index(after) + 1
    namespaces = _list_namespaces({"stages": [stage]})
    reason = f"would move after {after}"
    _refuse_used_variables(changed["stages"][:new], namespaces, name, reason)
    changed["stages"].insert(new, stage)


def _insert(changed: Declaration, function: str, text: str, after: str) -> None:
    names = _list_stages(changed)
    if len(names) >= MAX_STAGES:
        raise Impossible(
            f"{changed['name']} has {len(names)} stages, and CodePipeline allows {MAX_STAGES}, so "
            "no stage can be added for the gate."
        )
    action = {
        "name": ACTION,
        "actionTypeId": {
            "category": "Invoke",
            "owner": "AWS",
            "provider": "Lambda",
            "version": "1",
        },
        "runOrder": 1,
        "configuration": {"FunctionName": function, "UserParameters": text},
        "namespace": _find_free_name(
            NAMESPACE, _list_namespaces(changed)
        ),  # for the gate's output variables
    }
    changed["stages"].insert(
        names.index(after) + 1, {"name": _find_free_name(STAGE, names), "actions": [action]}
    )


def _find_free_name(name: str, taken: Container[str]) -> str:
    """Return the name, with a number if it is taken."""
    candidates = (name, *(f"{name}-{number}" for number in range(2, 1002)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _declare_bypass(changed: Declaration) -> None:
    """Declare the pipeline variable `bypass` unless it is already declared."""
    name, variables = changed["name"], changed.get("variables", [])
    if changed.get("pipelineType", "V1") != "V2":
        raise Impossible(
            f"{name} is a V1 pipeline, and only V2 has variables. Change its type first, or omit "
            "--bypass."
        )
    defaults = {variable["name"]: variable.get("defaultValue") for variable in variables}
    if defaults.get("bypass") in ("true", "false"):
        return
    if "bypass" in defaults:
        raise Impossible(
            f'{name} already has a variable bypass, but its default is not "false", as the gate '
            "needs. Change that first, or omit --bypass."
        )
    if len(variables) >= MAX_VARIABLES:
        raise Impossible(
            f"{name} has {len(variables)} variables, and CodePipeline allows {MAX_VARIABLES}. "
            "Omit --bypass."
        )
    description = "true lets an urgent fix pass the gate without a check"
    changed["variables"] = [
        *variables,
        {"name": "bypass", "defaultValue": "false", "description": description},
    ]


def _refuse_conditions(stage: Declaration, why: str) -> None:
    """Raise Impossible if this stage has a condition without a gate (model: StageDeclaration)."""
    for condition_type in ("beforeEntry", "onSuccess", "onFailure"):
        rules = [
            rule["name"]
            for condition in stage.get(condition_type, {}).get("conditions", [])
            for rule in condition.get("rules", [])
        ]
        if rules:
            raise Impossible(
                f"{why} with its condition {condition_type} ({join_names(rules)}). Move the "
                "condition to another stage first."
            )


def _refuse_used_variables(
    stages: Iterable[Declaration], namespaces: set[str], pipeline: str, why: str
) -> None:
    """Raise Impossible if a stage uses an output variable of these namespaces, because it would
    fail (guide: reference-variables).
    """
    for stage in stages:
        for namespace in namespaces:
            used = re.search(rf"#\{{{re.escape(namespace)}\.[^}}]+\}}", json.dumps(stage))
            if used:
                raise Impossible(
                    f"The stage {stage['name']} of {pipeline} uses {used[0]}, but the gate that "
                    f"sets it {why}. Remove the variable from that stage first."
                )


def _list_namespaces(declared: Declaration) -> set[str]:
    return {
        action["namespace"]
        for stage in declared["stages"]
        for action in stage["actions"]
        if action.get("namespace")
    }


def _list_stages(declared: Declaration) -> list[str]:
    return [stage["name"] for stage in declared["stages"]]
