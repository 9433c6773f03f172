"""The pipelines that the documents' commands need, with the documents' names. Each scene begins on
Monday at noon, in the stage `dev` and the region eu-central-1.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import cast

from moto.codepipeline.models import codepipeline_backends

from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import MONDAY_NOON
from tests.support.ask import ask
from tests.support.deployment import configure
from tests.support.held import edit
from tests.support.scene import Scene, gate_stage

ROOT = Path(__file__).parents[2]
SCENES: dict[str, Callable[[Scene], None]] = {}


def scene(name: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def named(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        SCENES[name] = play
        return play

    return named


@scene("two pipelines")
def two_pipelines(it: Scene) -> None:
    configure("dev")
    it.pipeline("infra")
    it.pipeline("k8s", seconds=60)


@scene("k8s has an approval behind its gate")
def an_approval(it: Scene) -> None:
    configure("dev")
    it.pipeline("infra")
    it.staged("k8s", ("Approve", 0), ("Deploy", 60))
    edit(it, change=lambda declared: declared["stages"].insert(1, gate_stage(ask("infra"))))


@scene("the pipelines of the tutorial")
def tutorial(it: Scene) -> None:
    """As its last step leaves them: idle, and k8s has a gate that waits for infra."""
    configure("dev")
    infra, k8s = (
        json.loads((ROOT / f"examples/{name}.json").read_text())["pipeline"]
        for name in ("infra", "k8s")
    )
    k8s["stages"].insert(1, gate_stage(ask("infra")))
    for pipeline in (infra, k8s):
        it.codepipeline.create_pipeline(pipeline=pipeline)


@scene("infra failed, k8s is not gated")
def infra_failed(it: Scene) -> None:
    it.pipeline("infra", seconds=60, outcome="Failed")
    it.pipeline("k8s", seconds=60)
    it.start("infra")
    it.wait(minutes=3)


@scene("k8s waits for infra")
def one_hold(it: Scene) -> None:
    configure("dev")
    it.pipeline("infra")
    it.gated("k8s", ask("infra"))
    it.start("infra")
    it.start("k8s")
    it.wait(minutes=2)


@scene("apps waits for k8s, which waits for infra")
def a_chain(it: Scene) -> None:
    one_hold(it)
    it.gated("apps", ask("k8s", pipeline="apps", hold="wait"))
    it.start("apps")
    it.wait(minutes=1)


@scene("an hour in which waits ended")
def ended_waits(it: Scene) -> None:
    configure("dev")
    it.pipeline("infra", seconds=1800)
    it.gated("k8s", ask("infra", hold="retry"))
    it.gated("apps", ask("infra", pipeline="apps", give_up_minutes=15))
    it.gated("web", ask("infar", pipeline="web"))
    it.start("infra")
    it.start("k8s")
    it.wait(minutes=4)
    it.start("k8s")
    it.start("apps")
    it.start("web")
    it.wait(minutes=56)


@scene("gates with mistakes")
def mistakes(it: Scene) -> None:
    configure("dev")
    it.pipeline("infra")
    it.gated("k8s", ask("infar"))
    it.gated("apps", {**ask("k8s", pipeline="apps"), "retry_minutes": 7})
    it.gated("a", ask("b", pipeline="a", require="succeeded"))
    it.gated("b", ask("a", pipeline="b"), mode="QUEUED")


@scene("two weeks without a gate")
def two_weeks(it: Scene) -> None:
    """While both run, every second execution of k8s fails, otherwise one of ten."""
    it.pipeline("infra")
    it.pipeline("k8s")
    backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
    chance = random.Random(3)

    def work(execution: PipelineExecution, stage: str, _: str) -> tuple[float, str]:
        if stage == "Source":
            return 5, "Succeeded"
        if execution.pipeline_name == "infra":
            return chance.uniform(900, 2400), "Succeeded"
        fails = 0.5 if backend.pipelines["infra"].running else 0.1
        return chance.uniform(200, 500), "Failed" if chance.random() < fails else "Succeeded"

    backend.outcome = work
    for _ in range(14):
        for _ in range(chance.randint(2, 5)):
            it.wait(minutes=chance.randint(20, 140))
            for name in chance.choice((["infra"], ["k8s"], ["k8s"], ["infra", "k8s"])):
                it.start(name)
                it.wait(minutes=chance.choice((0, 0, 3, 12)))
        it.wait(minutes=24 * 60 - (utcnow() - MONDAY_NOON).total_seconds() / 60 % (24 * 60))


@scene("EventBridge may not invoke the retry")
def not_permitted(it: Scene) -> None:
    one_hold(it)
    it.awslambda.remove_permission(
        FunctionName="pipeline-gate-dev-retry", StatementId="pipeline-gate-rules"
    )
