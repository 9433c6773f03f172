"""What someone cannot do who may invoke the functions, write or delete the rules of holds, or
answer jobs: the column "Could not" of SECURITY.md. test_permissions.py has what its last rows say
about the functions' roles, and test_identity.py what a pipeline's structure cannot do.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from moto.codepipeline.models import codepipeline_backends

from chalicelib.job import format_token
from chalicelib.pipelines.wait_cycles import WaitEdge, format_mark
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import new_id
from tests.support.ask import ask
from tests.support.held import forge_hold, hold_k8s, remove_rule, run_k8s
from tests.support.logs import read_log
from tests.support.scene import GATE, Scene

WAYS: list[dict[str, Any]] = [
    {},
    {"mode": "retry"},
    {"released_by": "eve"},
    {"give_up": "2026-11-23T12:00:00+00:00", "on_give_up": "continue"},
]
"""How a forged hold asks for the continuation of its execution."""


def send_made_up_job(scene: Scene, parameters: dict[str, Any], token: str | None = None) -> None:
    """Invoke the gate function as CodePipeline does, with a job that CodePipeline does not know."""
    data: dict[str, Any] = {
        "actionConfiguration": {"configuration": {"UserParameters": json.dumps(parameters)}}
    }
    if token:
        data["continuationToken"] = token
    job = {"CodePipeline.job": {"id": new_id(), "accountId": ACCOUNT, "data": data}}
    scene.awslambda.invoke(FunctionName=GATE, Payload=json.dumps(job))


# Someone who may invoke the gate function


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
@pytest.mark.parametrize("hours", [None, 0, 30], ids=["first job", "later job", "too long"])
@pytest.mark.parametrize("is_running", [True, False])
def test_a_made_up_job_holds_nothing_that_is_not_waiting_at_a_gate(
    scene: Scene, mode: str, hours: int | None, is_running: bool
) -> None:
    """k8s has passed its gate. The job claims that it waits for network."""
    execution = run_k8s(scene, minutes=1 if is_running else 60, seconds=600)
    before = scene.statuses()
    scene.pipeline("network", seconds=3600)
    scene.start("network")
    token = None if hours is None else format_token(utcnow() - timedelta(hours=hours), None)
    send_made_up_job(scene, {**ask("network", hold=mode), "execution": execution}, token)
    assert scene.statuses() == before
    assert scene.rules() == []


@pytest.mark.parametrize("parameters", [ask("idle"), ask(bypass="true")])
def test_a_made_up_job_lets_no_action_pass(scene: Scene, parameters: dict[str, Any]) -> None:
    scene.pipeline("idle")
    execution = hold_k8s(scene, hold="wait")
    send_made_up_job(scene, {**parameters, "execution": execution})
    scene.wait(minutes=5)
    assert scene.gate_action()["status"] == "InProgress"


# Someone who may write the rules of holds


@pytest.mark.parametrize("fields", WAYS)
@pytest.mark.parametrize("is_running", [True, False])
def test_a_forged_hold_starts_no_pipeline_whose_newest_execution_is_running_or_succeeded(
    scene: Scene, fields: dict[str, Any], is_running: bool
) -> None:
    execution = run_k8s(scene, minutes=1 if is_running else 30, seconds=600)
    before = scene.statuses()
    forge_hold(scene, "k8s", execution, **fields)
    scene.wait(minutes=6)
    assert read_log("retry")
    assert scene.statuses() == before


@pytest.mark.parametrize("fields", WAYS)
def test_in_parallel_mode_a_forged_hold_continues_no_execution_that_succeeded(
    scene: Scene, fields: dict[str, Any]
) -> None:
    execution = run_k8s(scene, minutes=5, mode="PARALLEL")
    forge_hold(scene, "k8s", execution, **fields)
    scene.wait(minutes=6)
    assert read_log("retry")
    assert scene.statuses() == ["Succeeded"]


@pytest.mark.parametrize("fields", WAYS)
def test_a_forged_hold_starts_no_execution_that_a_newer_one_replaced(
    scene: Scene, fields: dict[str, Any]
) -> None:
    execution = hold_k8s(scene, seconds=600, minutes=20)
    assert scene.statuses() == ["Succeeded", "Failed"]
    forge_hold(scene, "k8s", execution, **fields)
    scene.wait(minutes=6)
    assert read_log("retry")[-1]["decision"] in ("dropped", "over")
    assert scene.statuses() == ["Succeeded", "Failed"]


@pytest.mark.parametrize("require", ["idle", "succeeded"])
@pytest.mark.parametrize("mode", ["restart", "wait"])
def test_a_forged_hold_of_a_running_upstream_does_not_open_the_gate(
    scene: Scene, require: str, mode: str
) -> None:
    """It says that infra waits for k8s: in a circle, a pipeline that a rule holds counts as
    idle.
    """
    scene.pipeline("infra", seconds=3600)
    scene.gated("k8s", ask("infra", hold=mode))
    infra = scene.start("infra")
    depends_on = [{"pipeline": "k8s", "require": require}]
    forge_hold(scene, "infra", infra, depends_on=depends_on)
    scene.start("k8s")
    scene.wait(minutes=20)
    assert scene.statuses("infra") == ["InProgress"]
    assert scene.gate_action()["status"] in ("InProgress", "Failed")


# Someone who may delete them


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_an_execution_whose_rule_is_deleted_does_not_pass(scene: Scene, mode: str) -> None:
    remove_rule(scene, hold_k8s(scene, hold=mode))
    scene.wait(minutes=40)
    assert scene.statuses("infra") == ["Succeeded"]
    assert scene.statuses() == ["Failed"]
    assert scene.gate_action()["status"] == "Failed"


# Someone who may answer the jobs of an upstream's action


@pytest.mark.parametrize("mode", ["restart", "wait"])
@pytest.mark.parametrize("require", ["idle", "succeeded"])
def test_a_forged_mark_of_a_running_upstream_does_not_open_the_gate(
    scene: Scene, mode: str, require: str
) -> None:
    scene.pipeline("infra", seconds=3600)
    scene.gated("k8s", ask("infra", hold=mode))
    scene.start("infra")
    backend: Any = codepipeline_backends[ACCOUNT][REGION]
    for action in backend.pipelines["infra"].history[-1].actions:
        action.external_id = format_mark(utcnow(), [WaitEdge("k8s", require)])
    scene.start("k8s")
    scene.wait(minutes=20)
    assert scene.statuses("infra") == ["InProgress"]
    assert scene.gate_action()["status"] in ("InProgress", "Failed")
