"""Held pipelines, and what people do to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.scene import Scene, gate_stage

RULE_MODES = ["restart", "retry"]
"""The modes in which a rule remembers the held execution."""


def start_all(scene: Scene, *pipelines: str) -> str:
    """Start these pipelines in this order; returns the last one's execution."""
    return [scene.start(pipeline) for pipeline in pipelines][-1]


def hold_k8s(scene: Scene, seconds: float = 1200, minutes: float = 7, **parameters: Any) -> str:
    """infra runs from 12:00 for `seconds`, and k8s has been waiting for it for `minutes`. Returns
    k8s' execution.
    """
    scene.pipeline("infra", seconds=seconds)
    scene.gated("k8s", ask("infra", **parameters))
    execution = start_all(scene, "infra", "k8s")
    scene.wait(minutes=minutes)
    return execution


def run_k8s(scene: Scene, minutes: float = 0, **options: Any) -> str:
    """k8s passes its gate because infra is idle, and then `minutes` pass. Returns its execution."""
    scene.pipeline("infra")
    scene.k8s(**options)
    execution = scene.start("k8s")
    scene.wait(minutes=minutes)
    return execution


def edit(scene: Scene, name: str = "k8s", change: Callable[[Any], None] = lambda _: None) -> None:
    """Edit a pipeline: `change` gets its structure. An edit that changes nothing is also an
    edit.
    """
    declared: Any = scene.codepipeline.get_pipeline(name=name)["pipeline"]
    change(declared)
    scene.codepipeline.update_pipeline(pipeline=declared)


def take_out_gate(scene: Scene) -> None:
    edit(scene, change=lambda declared: declared["stages"].pop(1))


def retry_stage(scene: Scene, execution: str, stage: str = "Gate") -> None:
    """Retry the stage of k8s by hand."""
    scene.codepipeline.retry_stage_execution(
        pipelineName="k8s",
        stageName=stage,
        pipelineExecutionId=execution,
        retryMode="FAILED_ACTIONS",
    )
    scene.wait(seconds=10)


def remove_rule(scene: Scene, execution: str) -> None:
    """Remove the rule of a hold by hand."""
    rule = f"pipeline-gate-dev-{execution}"
    scene.events.remove_targets(Rule=rule, Ids=["retry"])
    scene.events.delete_rule(Name=rule)


def forge_hold(scene: Scene, pipeline: str, execution: str, **fields: Any) -> None:
    """Write the rule of a hold that no gate made, as someone may who can write such rules. It fires
    every minute, and says that the execution waits for infra unless `fields` say otherwise.
    """
    rule, retry = f"pipeline-gate-dev-{execution}", "pipeline-gate-dev-retry"
    scene.awslambda.add_permission(
        FunctionName=retry,
        StatementId=f"forged-{execution}",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    scene.events.put_rule(Name=rule, ScheduleExpression="rate(1 minute)")
    hold = {
        "rule": rule,
        "pipeline": pipeline,
        "execution": execution,
        "depends_on": ["infra"],
        "since": utcnow().isoformat(),
        **fields,
    }
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{retry}"
    scene.events.put_targets(
        Rule=rule, Targets=[{"Id": "retry", "Arn": arn, "Input": json.dumps(hold)}]
    )


def create_two_gates(scene: Scene, mode: str = "wait", **parameters: Any) -> None:
    """k8s, whose gate stage waits for infra and for network, with one action each."""
    scene.gated("k8s", ask("infra", hold=mode, **parameters))

    def add_second(declared: Any) -> None:
        (gate,) = declared["stages"][1]["actions"]
        text = json.dumps(ask("network", hold=mode, **parameters))
        configuration = {**gate["configuration"], "UserParameters": text}
        second = {**gate, "name": "WaitForNetwork", "configuration": configuration}
        declared["stages"][1]["actions"].append(second)

    edit(scene, change=add_second)


def create_dev_and_prod(scene: Scene, dev: Any, prod: Any, **options: Any) -> None:
    """k8s: Source, a gate Dev, Deploy of a minute, a gate Prod, and a second Deploy."""
    scene.gated("k8s", dev, seconds=60, **options)

    def add_prod(declared: Any) -> None:
        source, gate, deploy = declared["stages"]
        later = {**deploy, "name": "DeployProd"}
        declared["stages"] = [
            source,
            {**gate, "name": "Dev"},
            deploy,
            gate_stage(prod, "Gate"),
            later,
        ]

    edit(scene, change=add_prod)


def roll_back_k8s(scene: Scene, mode: str) -> str:
    """k8s, whose gate is the first action of its Deploy stage, is rolled back while infra runs.
    Returns the rollback's id.
    """
    scene.pipeline("infra")
    scene.gated("k8s", ask(hold=mode))
    declared: Any = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    source, _, deploy = declared["stages"]
    gate = gate_stage(ask(hold=mode))["actions"][0]
    declared["stages"] = [
        source,
        {**deploy, "name": "Gate", "actions": [gate, {**deploy["actions"][0], "runOrder": 2}]},
    ]
    scene.codepipeline.update_pipeline(pipeline=declared)
    good = scene.start("k8s")
    scene.wait(minutes=3)
    scene.start("infra")
    rollback = scene.codepipeline.rollback_stage(
        pipelineName="k8s", stageName="Gate", targetPipelineExecutionId=good
    )
    scene.wait(seconds=10)
    return rollback["pipelineExecutionId"]
