"""A gate as a rule of a stage's entry condition."""

from __future__ import annotations

import json
from typing import Any

from tests.support.ask import ask
from tests.support.scene import GATE, Scene

CONDITION = {"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}


def conditioned(
    scene: Scene, outcome: str = "Succeeded", *, condition: bool = True, **parameters: Any
) -> None:
    """k8s, whose Deploy stage has the gate as its entry condition."""
    asked = ask(**parameters) | ({"condition": True} if condition else {})
    scene.pipeline("k8s", seconds=60, outcome=outcome)
    declared: Any = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    rule = {
        "name": "Wait",
        "ruleTypeId": CONDITION,
        "configuration": {"FunctionName": GATE, "UserParameters": json.dumps(asked)},
    }
    declared["stages"][1]["beforeEntry"] = {"conditions": [{"result": "FAIL", "rules": [rule]}]}
    scene.codepipeline.update_pipeline(pipeline=declared)


def rule_state(scene: Scene) -> Any:
    """The latest run of the condition's rule, as the console shows it."""
    state: Any = scene.codepipeline.get_pipeline_state(name="k8s")["stageStates"][1]
    return state["beforeEntryConditionState"]["conditionStates"][0]["ruleStates"][0][
        "latestExecution"
    ]
