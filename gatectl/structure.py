"""A pipeline's structure with a gate, and without: pure functions from declaration to declaration (model: PipelineDeclaration)."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.errors import Misconfigured
from chalicelib.landscape.gates import Gate, gates, read

Declaration = dict[str, Any]

EXECUTION = "#{codepipeline.PipelineExecutionId}"
BYPASS = "#{variables.bypass}"
STAGE, ACTION = "Gate", "Wait"
MOST_STAGES = 50  # guide: limits
PARAMETERS_LENGTH = 1000  # guide: limits, "Maximum length of the UserParameters"; model: ActionConfigurationValue


class Impossible(Exception):
    """What was asked for cannot be; the message says what is wrong and what would be right."""


def parameters(pipeline: str, asked: Mapping[str, object]) -> str:
    """UserParameters for a gate in `pipeline`. Raises Impossible where the gate or CodePipeline would refuse them."""
    text = json.dumps({**asked, "pipeline": pipeline, "execution": EXECUTION})
    try:
        read(text)
    except Misconfigured as error:
        raise Impossible(str(error)) from None
    if len(text) > PARAMETERS_LENGTH:
        raise Impossible(
            f"UserParameters would have {len(text)} characters, and CodePipeline takes {PARAMETERS_LENGTH}: wait for fewer pipelines "
            "in one gate, and attach a second one by hand."
        )
    return text


def with_gate(declared: Declaration, function: str, text: str, after: str | None = None) -> Declaration:
    """The structure whose one gate invokes `function` with UserParameters `text`; everything else is as it was.

    A gate that is there already is changed where it stands, unless `after` names a stage that it does not follow. A new one
    becomes a stage of its own, after the stage `after` or else the first, which takes the sources. Raises Impossible.
    """
    present = gates(declared)
    if len(present) > 1:
        places = " and ".join(f"{gate.stage}/{gate.action}" for gate in present)
        raise Impossible(f"{declared['name']} has several gates ({places}). Which one is meant cannot be told: change them by hand.")
    stages = [stage["name"] for stage in declared["stages"]]
    if after is not None and after not in stages:
        raise Impossible(f"{declared['name']} has no stage {after}; it has {', '.join(stages)}. Upper and lower case count.")
    if present and not (after and _moves(declared, present[0], after)):
        changed = copy.deepcopy(declared)
        for gate in _declared(changed):
            gate["configuration"] = {**gate["configuration"], "FunctionName": function, "UserParameters": text}
    elif present:
        changed = _with_stage(without_gates(declared), function, text, after)
    else:
        changed = _with_stage(copy.deepcopy(declared), function, text, after)
    return _with_bypass(changed, text)


def without_gates(declared: Declaration) -> Declaration:
    """The structure without any gate; a stage or condition of which nothing else is left goes with it. Raises Impossible."""
    changed = copy.deepcopy(declared)
    own = {(gate.stage, gate.action, gate.condition) for gate in gates(declared)}
    for stage in changed["stages"]:
        stage["actions"] = [action for action in stage["actions"] if (stage["name"], action["name"], False) not in own]
        for condition in stage.get("beforeEntry", {}).get("conditions", []):
            condition["rules"] = [rule for rule in condition["rules"] if (stage["name"], rule["name"], True) not in own]
        if "beforeEntry" in stage:
            stage["beforeEntry"]["conditions"] = [one for one in stage["beforeEntry"]["conditions"] if one["rules"]]
            if not stage["beforeEntry"]["conditions"]:
                del stage["beforeEntry"]
    changed["stages"] = [stage for stage in changed["stages"] if stage["actions"]]
    _refuse_used(declared, changed)
    if len(changed["stages"]) < 2:  # guide: reference-pipeline-structure
        raise Impossible(
            f"Without its gate {declared['name']} would have one stage, and CodePipeline wants two: add the stage that does the work first."
        )
    return changed


def _refuse_used(declared: Declaration, changed: Declaration) -> None:
    """Raise Impossible where the rest uses an output variable of the gate that goes: CodePipeline would refuse it (guide: variables)."""
    kept = {action.get("namespace") for stage in changed["stages"] for action in stage["actions"]}
    gone = {action["namespace"] for stage in declared["stages"] for action in stage["actions"] if action.get("namespace")} - kept
    for stage in changed["stages"]:
        for action in stage["actions"]:
            used = re.search(r"#\{(" + "|".join(map(re.escape, gone)) + r")\.\w+\}", json.dumps(action)) if gone else None
            if used:
                raise Impossible(
                    f"The action {action['name']} in the stage {stage['name']} of {declared['name']} uses {used[0]}, which the gate sets: "
                    "take that out first."
                )


def _moves(declared: Declaration, gate: Gate, after: str) -> bool:
    """Whether a gate that stands in a stage of its own has to move so that it follows the stage `after`."""
    names = [stage["name"] for stage in declared["stages"]]
    if gate.condition or len(declared["stages"][names.index(gate.stage)]["actions"]) > 1:
        raise Impossible(
            f"The gate of {declared['name']} stands in the stage {gate.stage} among others: it cannot be moved after {after} from here. "
            "Detach it first."
        )
    if gate.stage == after:
        raise Impossible(f"{after} is the gate's own stage: name the stage that the gate shall come after.")
    return names.index(after) != names.index(gate.stage) - 1


def _with_stage(declared: Declaration, function: str, text: str, after: str | None) -> Declaration:
    names = [stage["name"] for stage in declared["stages"]]
    if STAGE in names:
        raise Impossible(f"{declared['name']} has a stage {STAGE} already, which is no gate of ours. Rename that one first.")
    if len(names) >= MOST_STAGES:
        raise Impossible(
            f"{declared['name']} has {len(names)} stages, and CodePipeline allows {MOST_STAGES}: there is no room for the gate's."
        )
    action = {
        "name": ACTION,
        "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
        "runOrder": 1,
        "configuration": {"FunctionName": function, "UserParameters": text},
        "namespace": _namespace(declared),
    }
    position = names.index(after) + 1 if after else 1
    declared["stages"].insert(position, {"name": STAGE, "actions": [action]})
    return declared


def _namespace(declared: Declaration) -> str:
    """For the gate's output variables: "gate", if no other action has taken that (model: ActionNamespace; unique in a pipeline)."""
    taken = {action.get("namespace") for stage in declared["stages"] for action in stage["actions"]}
    return next(name for name in ("gate", "pipeline-gate", "pipeline-gate-2") if name not in taken)


def _with_bypass(declared: Declaration, text: str) -> Declaration:
    """Declare the pipeline variable of `bypass` where the gate asks for it and it is not there."""
    if BYPASS not in text:
        return declared
    if declared.get("pipelineType", "V1") != "V2":
        raise Impossible(f"{declared['name']} is a V1 pipeline, and only V2 has variables: change its type first, or leave --bypass out.")
    variables = declared.get("variables", [])
    if not any(variable["name"] == "bypass" for variable in variables):
        about = "true lets an urgent fix pass the gate without a look"
        declared["variables"] = [*variables, {"name": "bypass", "defaultValue": "false", "description": about}]
    return declared


def _declared(declared: Declaration) -> Iterator[dict[str, Any]]:
    """The declarations of its gates themselves, to be changed."""
    own = {(gate.stage, gate.action, gate.condition) for gate in gates(declared)}
    for stage in declared["stages"]:
        yield from (action for action in stage["actions"] if (stage["name"], action["name"], False) in own)
        for condition in stage.get("beforeEntry", {}).get("conditions", []):
            yield from (rule for rule in condition["rules"] if (stage["name"], rule["name"], True) in own)
