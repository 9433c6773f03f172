"""The pipelines of a run: upstreams and dependents, in chains and fans, in every execution mode."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.account import PIPELINE_ROLE
from tests.simulation.settings import parse_keys

GATE = "pipeline-gate-dev-gate"
UPSTREAMS = ("infra", "network", "cluster")
DEPENDENTS = ("k8s", "apps", "web")
FURTHER_KEYS_SHARE = 0.35
"""The share of gates that ask for more than the article has."""
MODES = ("SUPERSEDED", "SUPERSEDED", "SUPERSEDED", "QUEUED", "PARALLEL", "PARALLEL")


@dataclass(frozen=True)
class Cast:
    """The pipelines by name, upstreams first; `dependents` have a gate."""

    declarations: dict[str, dict[str, Any]]
    dependents: tuple[str, ...]


def draw(random: Random) -> Cast:
    upstreams = UPSTREAMS[: random.choice((1, 1, 1, 2, 3))]
    dependents = DEPENDENTS[: random.choice((1, 1, 1, 2, 3))]
    declarations = {name: declaration(random, name, []) for name in upstreams}
    for name in dependents:
        others = [*declarations]
        count = random.choice((1, 1, 1, 1, 2))
        drawn = [_draw_gate(random, name, others) for _ in range(count)]
        declarations[name] = declaration(random, name, drawn)
    return Cast(declarations, dependents)


def edit_gate(random: Random, name: str, declaration: dict[str, Any], others: list[str]) -> None:
    """Let a pipeline's first gate ask for something else."""
    for gate in gates(declaration)[:1]:
        gate.update(_draw_gate(random, name, others))


def gates(declaration: dict[str, Any]) -> list[dict[str, Any]]:
    """The configurations of a pipeline's gates, be they rules or actions."""
    declared = []
    for stage in declaration["stages"]:
        for condition in stage.get("beforeEntry", {}).get("conditions", []):
            declared += condition["rules"]
        declared += [one for one in stage["actions"] if one["actionTypeId"]["provider"] == "Lambda"]
    return [gate["configuration"] for gate in declared]


def configure(keys: dict[str, Any]) -> dict[str, str]:
    """The configuration of a gate action that asks for that."""
    return {"FunctionName": GATE, "UserParameters": json.dumps(keys)}


def _draw_gate(random: Random, name: str, others: list[str]) -> dict[str, str]:
    """The configuration of a gate action."""
    depends_on = random.sample(others, min(len(others), random.choice((1, 1, 1, 2, 3))))
    keys: dict[str, Any] = {
        "depends_on": depends_on,
        "pipeline": name,
        "execution": "#{codepipeline.PipelineExecutionId}",
    }
    if random.random() < 0.7:
        keys["retry_minutes"] = random.choice((1, 2, 5, 5, 10, 15, 60))
    if random.random() < FURTHER_KEYS_SHARE:
        keys |= _draw_further_keys(random, depends_on)
    elif random.random() >= 0.9:
        return {"FunctionName": GATE, "UserParameters": ", ".join(depends_on)}
    return configure(keys)


def _draw_further_keys(random: Random, depends_on: list[str]) -> dict[str, Any]:
    """Some of the keys that are not in the article."""
    keys: dict[str, Any] = {"hold": random.choice(("restart", "retry", "retry", "wait", "wait"))}
    if random.random() < 0.3:
        keys["require"] = "succeeded"
    elif random.random() < 0.3:
        keys["depends_on"] = [{"pipeline": depends_on[0], "stage": "Deploy"}, *depends_on[1:]]
    if random.random() < 0.2:
        keys["parked"] = "pass"
    keys |= deadline(random, 0.3, (3, 10, 30))
    if random.random() < 0.2:
        keys["revisions"] = "held"
    if random.random() < 0.1:
        keys |= random.choice(({"bypass": "true"}, {"bypass": "false"}, {"observe": True}))
    return keys


def deadline(random: Random, share: float, minutes: tuple[int, ...]) -> dict[str, Any]:
    """The keys of a deadline, for that share of gates."""
    if random.random() >= share:
        return {}
    on_give_up = ("stop", "continue")
    return {"give_up_minutes": random.choice(minutes), "on_give_up": random.choice(on_give_up)}


def declaration(
    random: Random, name: str, configurations: list[dict[str, str]], place: str | None = None
) -> dict[str, Any]:
    """A pipeline with gates of these configurations; `place` is drawn where None."""
    waits = [
        _action(f"Wait{number}", "Invoke", "Lambda", configuration)
        for number, configuration in enumerate(configurations)
    ]
    side_by_side = random.random() < 0.5
    stages = [_stage("Source", [_source(random)])]
    drawn = random.choice((*["own stage"] * 4, "condition", "first action"))
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
        rules = [_rule(wait) for wait in waits]
        work[-1]["beforeEntry"] = {"conditions": [{"result": "FAIL", "rules": rules}]}
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


def with_approval(declaration: dict[str, Any]) -> dict[str, Any]:
    """The same pipeline with an approval right after its source, one execution at a time in it."""
    source, *later = [stage for stage in declaration["stages"] if stage["name"] != "Approve"]
    stages = [source, _stage("Approve", [_action("Approve", "Approval", "Manual", {})]), *later]
    return {**declaration, "stages": stages, "executionMode": "SUPERSEDED"}


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
    """A gate as a rule of a stage's entry condition. Its UserParameters say so, except in the mode
    wait, which such a gate refuses.
    """
    kind = {"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}
    configuration = gate["configuration"]
    keys = parse_keys(configuration["UserParameters"])
    if keys.get("hold") != "wait":
        text = json.dumps({**keys, "condition": True})
        configuration = {**configuration, "UserParameters": text}
    return {"name": gate["name"], "ruleTypeId": kind, "configuration": configuration}


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
