"""A pipeline's structure with a gate, and without: pure functions from declaration to declaration
(model: PipelineDeclaration).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from chalicelib.account.gates import Gate, find_gates, parse_declared_parameters
from chalicelib.errors import Misconfigured
from chalicelib.phrases import join_names
from gatectl.names import case_counts

Declaration = dict[str, Any]

EXECUTION = "#{codepipeline.PipelineExecutionId}"
BYPASS = "#{variables.bypass}"
STAGE, ACTION, NAMESPACE = "Gate", "Wait", "gate"
MOST_STAGES = 50  # guide: limits
MOST_VARIABLES = 50  # model: PipelineVariableDeclarationList
PARAMETERS_LENGTH = (
    1000  # guide: limits, "Maximum length of the UserParameters"; model: ActionConfigurationValue
)


class Impossible(Exception):
    """What was asked for cannot be; the message says what is wrong and what would be right."""


def parameters(pipeline: str, asked: Mapping[str, object]) -> str:
    """UserParameters for a gate in `pipeline`. Raises Impossible where the gate or CodePipeline
    would refuse them.
    """
    text = json.dumps({**asked, "pipeline": pipeline, "execution": EXECUTION})
    try:
        parse_declared_parameters(text)
    except Misconfigured as error:
        raise Impossible(str(error)) from None
    if len(text) > PARAMETERS_LENGTH:
        raise Impossible(
            f"UserParameters would have {len(text)} characters, and CodePipeline takes "
            f"{PARAMETERS_LENGTH}: let this gate wait for fewer "
            "pipelines, and attach a second one by hand."
        )
    return text


def with_gate(
    declared: Declaration, function: str, text: str, after: str | None = None
) -> Declaration:
    """The structure whose one gate invokes `function` with UserParameters `text`; everything else
    is as it was.

    A gate that is there is changed where it stands, and its stage moved only where `after` names
    one that it does not follow. A new one becomes a stage of its own, after the stage `after` or
    else the first, which takes the sources. Raises Impossible.
    """
    name, stages, present = declared["name"], _names(declared), find_gates(declared)
    if len(present) > 1:
        raise Impossible(
            f"{name} has several gates "
            f"({join_names([f'{gate.stage}/{gate.action}' for gate in present])}), and which one is "
            "meant cannot be "
            "told: change them by hand."
        )
    if after is not None and after not in stages:
        raise Impossible(
            f"{name} has no stage {after}; it has {join_names(stages)}.{case_counts(after, stages)}"
        )
    changed = copy.deepcopy(declared)
    if present:
        _configure(changed, function, text)
        if after is not None:
            _move(changed, present[0], after)
    else:
        _insert(changed, function, text, after or stages[0])
    if BYPASS in text:
        _declare_bypass(changed)
    return changed


def without_gates(declared: Declaration) -> Declaration:
    """The structure without any gate; a stage or condition of which nothing else is left goes with
    it. Raises Impossible.
    """
    changed = copy.deepcopy(declared)
    for stage in changed["stages"]:
        own = {(gate.action, gate.condition) for gate in find_gates({"stages": [stage]})}
        stage["actions"] = [
            action for action in stage["actions"] if (action["name"], False) not in own
        ]
        if any(condition for _, condition in own):
            entry = stage["beforeEntry"]
            for condition in entry["conditions"]:
                condition["rules"] = [
                    rule for rule in condition["rules"] if (rule["name"], True) not in own
                ]
            entry["conditions"] = [
                condition for condition in entry["conditions"] if condition["rules"]
            ]
            if not entry["conditions"]:
                del stage["beforeEntry"]
    for stage in changed["stages"]:
        if not stage["actions"]:
            _refuse_conditions(
                stage,
                f"Without its gate the stage {stage['name']} of {declared['name']} has nothing to "
                "do, and would go",
            )
    changed["stages"] = [stage for stage in changed["stages"] if stage["actions"]]
    _refuse_used(
        changed["stages"], _namespaces(declared) - _namespaces(changed), declared["name"], "goes"
    )
    if len(changed["stages"]) < 2:  # guide: reference-pipeline-structure
        raise Impossible(
            f"Without its gate {declared['name']} would have one stage, and CodePipeline wants "
            "two: add the stage that does the work first."
        )
    return changed


def _configure(changed: Declaration, function: str, text: str) -> None:
    for gate in _declared(changed):
        configuration = gate["configuration"]
        configuration["FunctionName"] = function
        if not _same(configuration.get("UserParameters", ""), text):
            configuration["UserParameters"] = text


def _same(text: str, other: str) -> bool:
    """Whether both say the same, however their JSON is written."""
    try:
        return bool(json.loads(text) == json.loads(other))
    except ValueError:
        return False


def _declared(changed: Declaration) -> Iterator[dict[str, Any]]:
    """The declarations of its gates themselves."""
    own = {(gate.stage, gate.action, gate.condition) for gate in find_gates(changed)}
    for stage in changed["stages"]:
        yield from (
            action for action in stage["actions"] if (stage["name"], action["name"], False) in own
        )
        for condition in stage.get("beforeEntry", {}).get("conditions", []):
            yield from (
                rule
                for rule in condition.get("rules", [])
                if (stage["name"], rule["name"], True) in own
            )


def _move(changed: Declaration, gate: Gate, after: str) -> None:
    name, names = changed["name"], _names(changed)
    if gate.stage == after:
        raise Impossible(
            f"{after} is the gate's own stage: name the stage that the gate shall come after."
        )
    position = names.index(gate.stage)
    if names.index(after) == position - 1:
        return
    stage = changed["stages"][position]
    if gate.condition or len(stage["actions"]) > 1:
        raise Impossible(
            f"The gate of {name} stands in the stage {gate.stage} among others, so it cannot be "
            f"moved after {after}: detach it first."
        )
    _refuse_conditions(stage, f"The gate's stage {gate.stage} of {name} would come after {after}")
    changed["stages"].remove(stage)
    new = _names(changed).index(after) + 1
    _refuse_used(
        changed["stages"][:new],
        _namespaces({"stages": [stage]}),
        name,
        f"would come only after {after}",
    )
    changed["stages"].insert(new, stage)


def _insert(changed: Declaration, function: str, text: str, after: str) -> None:
    names = _names(changed)
    if len(names) >= MOST_STAGES:
        raise Impossible(
            f"{changed['name']} has {len(names)} stages, and CodePipeline allows {MOST_STAGES}: "
            "there is no room for the gate's."
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
        "namespace": _free(NAMESPACE, _namespaces(changed)),  # for the gate's output variables
    }
    changed["stages"].insert(
        names.index(after) + 1, {"name": _free(STAGE, names), "actions": [action]}
    )


def _free(name: str, taken: Container[str]) -> str:
    """The name, or with a number where that is taken."""
    return next(
        one
        for one in (name, *(f"{name}-{number}" for number in range(2, 1002)))
        if one not in taken
    )


def _declare_bypass(changed: Declaration) -> None:
    """Declare the pipeline variable of `bypass`, where it is not there."""
    name, variables = changed["name"], changed.get("variables", [])
    if changed.get("pipelineType", "V1") != "V2":
        raise Impossible(
            f"{name} is a V1 pipeline, and only V2 has variables: change its type first, or leave "
            "--bypass out."
        )
    for variable in variables:
        if variable["name"] == "bypass":
            if variable.get("defaultValue") not in ("true", "false"):
                raise Impossible(
                    f'{name} has a variable bypass already, whose default is not the "false" that '
                    "the gate needs: change that first, or "
                    "leave --bypass out."
                )
            return
    if len(variables) >= MOST_VARIABLES:
        raise Impossible(
            f"{name} has {len(variables)} variables, and CodePipeline allows {MOST_VARIABLES}: "
            "leave --bypass out."
        )
    about = "true lets an urgent fix pass the gate without a look"
    changed["variables"] = [
        *variables,
        {"name": "bypass", "defaultValue": "false", "description": about},
    ]


def _refuse_conditions(stage: Declaration, why: str) -> None:
    """Raise Impossible where somebody has put a condition at this stage: an alarm, a time window
    (model: StageDeclaration).
    """
    for at in ("beforeEntry", "onSuccess", "onFailure"):
        rules = [
            rule["name"]
            for condition in stage.get(at, {}).get("conditions", [])
            for rule in condition.get("rules", [])
        ]
        if rules:
            raise Impossible(
                f"{why} with its condition {at} ({join_names(rules)}): move that to another stage first."
            )


def _refuse_used(
    stages: Iterable[Declaration], namespaces: set[str], pipeline: str, why: str
) -> None:
    """Raise Impossible where one of the stages uses an output variable of these: it would fail
    (guide: reference-variables).
    """
    for stage in stages:
        for namespace in namespaces:
            used = re.search(rf"#\{{{re.escape(namespace)}\.[^}}]+\}}", json.dumps(stage))
            if used:
                raise Impossible(
                    f"The stage {stage['name']} of {pipeline} uses {used[0]}, which the gate sets "
                    f"that {why}: take that out first."
                )


def _namespaces(declared: Declaration) -> set[str]:
    return {
        action["namespace"]
        for stage in declared["stages"]
        for action in stage["actions"]
        if action.get("namespace")
    }


def _names(declared: Declaration) -> list[str]:
    return [stage["name"] for stage in declared["stages"]]
