"""The pipelines of a run: upstreams and dependents, in chains and fans, in every execution mode."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.account import PIPELINE_ROLE

GATE = "pipeline-gate-dev-gate"
UPSTREAMS = ("infra", "network", "cluster")
DEPENDENTS = ("k8s", "apps", "web")
BEYOND = 0.35
"""The share of gates that ask for more than the article has."""
MODES = ("SUPERSEDED", "SUPERSEDED", "SUPERSEDED", "QUEUED", "PARALLEL", "PARALLEL")


@dataclass(frozen=True)
class Cast:
    """`declarations` by name, in the order in which the pipelines depend on each other;
    `dependents` have a gate.
    """

    declarations: dict[str, dict[str, Any]]
    dependents: tuple[str, ...]


def draw(random: Random) -> Cast:
    upstreams = UPSTREAMS[: random.choice((1, 1, 1, 2, 3))]
    dependents = DEPENDENTS[: random.choice((1, 1, 1, 2, 3))]
    declarations = {name: declaration(random, name, []) for name in upstreams}
    for name in dependents:
        others = [*declarations]
        asking = [_gate(random, name, others) for _ in range(random.choice((1, 1, 1, 1, 2)))]
        declarations[name] = declaration(random, name, asking)
    return Cast(declarations, dependents)


def edit_gate(random: Random, name: str, declaration: dict[str, Any], others: list[str]) -> None:
    """Edit a gated pipeline's first gate: it may wait for others from now on, or look at other
    intervals.
    """
    for gate in gates(declaration)[:1]:
        gate.update(_gate(random, name, others))


def gates(declaration: dict[str, Any]) -> list[dict[str, Any]]:
    """The configurations of a pipeline's gates, be they rules or actions."""
    found = []
    for stage in declaration["stages"]:
        for condition in stage.get("beforeEntry", {}).get("conditions", []):
            found += condition["rules"]
        found += [one for one in stage["actions"] if one["actionTypeId"]["provider"] == "Lambda"]
    return [gate["configuration"] for gate in found]


def configured(asked: dict[str, Any]) -> dict[str, str]:
    """The configuration of a gate action that asks that."""
    return {"FunctionName": GATE, "UserParameters": json.dumps(asked)}


def _gate(random: Random, name: str, others: list[str]) -> dict[str, str]:
    """The configuration of a gate action."""
    depends_on = random.sample(others, min(len(others), random.choice((1, 1, 1, 2, 3))))
    asked: dict[str, Any] = {
        "depends_on": depends_on,
        "pipeline": name,
        "execution": "#{codepipeline.PipelineExecutionId}",
    }
    if random.random() < 0.7:
        asked["retry_minutes"] = random.choice((1, 2, 5, 5, 10, 15, 60))
    if random.random() < BEYOND:
        asked |= _beyond(random, depends_on)
        return configured(asked)
    text = json.dumps(asked) if random.random() < 0.9 else ", ".join(depends_on)
    return {"FunctionName": GATE, "UserParameters": text}


def _beyond(random: Random, depends_on: list[str]) -> dict[str, Any]:
    """Some of the keys that are not in the article."""
    asked: dict[str, Any] = {"hold": random.choice(("restart", "retry", "retry", "wait", "wait"))}
    if random.random() < 0.3:
        asked["require"] = "succeeded"
    elif random.random() < 0.3:
        asked["depends_on"] = [{"pipeline": depends_on[0], "stage": "Deploy"}, *depends_on[1:]]
    if random.random() < 0.2:
        asked["parked"] = "pass"
    asked |= deadline(random, 0.3, (3, 10, 30))
    if random.random() < 0.2:
        asked["revisions"] = "held"
    if random.random() < 0.1:
        asked |= random.choice(({"bypass": "true"}, {"bypass": "false"}, {"observe": True}))
    return asked


def deadline(random: Random, share: float, minutes: tuple[int, ...]) -> dict[str, Any]:
    """The keys of a deadline, for that share of gates."""
    if random.random() >= share:
        return {}
    on_give_up = ("stop", "continue")
    return {"give_up_minutes": random.choice(minutes), "on_give_up": random.choice(on_give_up)}


def declaration(
    random: Random, name: str, asking: list[dict[str, str]], place: str | None = None
) -> dict[str, Any]:
    """A pipeline; `asking` are the configurations of its gates, `place` where they stand, drawn
    where None.
    """
    waits = [
        _action(f"Wait{number}", "Invoke", "Lambda", configuration)
        for number, configuration in enumerate(asking)
    ]
    side_by_side = random.random() < 0.5
    stages = [_stage("Source", [_source(random)])]
    drawn = random.choice(
        ("own stage", "own stage", "own stage", "own stage", "condition", "first action")
    )
    place = place or drawn
    if waits and place == "own stage":
        stages += (
            [_stage("Gate", waits)]
            if side_by_side
            else [_stage(f"Gate{number}", [wait]) for number, wait in enumerate(waits)]
        )
    if random.random() < 0.2:
        stages.append(_stage("Approve", [_action("Approve", "Approval", "Manual", {})]))
    work = [
        _stage(stage, [_work(action) for action in actions])
        for stage, actions in random.choice(WORK).items()
    ]
    if waits and place == "condition":
        work[-1]["beforeEntry"] = {
            "conditions": [{"result": "FAIL", "rules": [_rule(wait) for wait in waits]}]
        }
    if waits and place == "first action":
        later = [{**action, "runOrder": 2} for action in work[-1]["actions"]]
        work[-1]["actions"] = [*waits, *later]
    stages += work
    return {
        "name": name,
        "roleArn": PIPELINE_ROLE,
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": stages,
        "pipelineType": "V2",
        "executionMode": random.choice(MODES),
        "variables": random.choice(VARIABLES),
    }


WORK: tuple[dict[str, list[str]], ...] = (
    {"Deploy": ["Deploy"]},
    {"Deploy": ["Deploy"]},
    {"Deploy": ["Deploy", "Notify"]},
    {"Build": ["Build"], "Deploy": ["Deploy"]},
)
VARIABLES: tuple[list[dict[str, str]], ...] = (
    [],
    [{"name": "image", "defaultValue": "latest"}],
    [{"name": "image", "defaultValue": "latest"}, {"name": "zone"}],
)


def _rule(gate: dict[str, Any]) -> dict[str, Any]:
    """A gate as a rule of a stage's entry condition."""
    kind = {"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}
    return {"name": gate["name"], "ruleTypeId": kind, "configuration": gate["configuration"]}


def _stage(name: str, actions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "actions": actions}


def _source(random: Random) -> dict[str, Any]:
    provider = random.choice(("CodeCommit", "CodeCommit", "S3", "ECR"))
    return {
        **_action("Source", "Source", provider, {"Place": "here"}),
        "outputArtifacts": [{"name": "source"}],
    }


def _work(name: str) -> dict[str, Any]:
    return {
        **_action(name, "Build", "CodeBuild", {"ProjectName": "work"}),
        "inputArtifacts": [{"name": "source"}],
    }


def _action(
    name: str, category: str, provider: str, configuration: dict[str, str]
) -> dict[str, Any]:
    type_id = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": configuration}
