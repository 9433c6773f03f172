"""Does a hold still stand? explain, holds, release, doctor and the Board give the same answer,
whatever happened to the held execution.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from chalicelib.account.reader import AccountReader
from chalicelib.aws.clients import make_client
from chalicelib.board.snapshot import build_snapshot
from sandbox.account import REGION
from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.deployment import configure
from tests.support.held import (
    create_two_gates,
    edit,
    hold_k8s,
    retry_stage,
    start_all,
    take_out_gate,
)
from tests.support.scene import Scene, gate_stage

WAITING_STATES = {"held", "broken", "deadlock", "let go", "due", "overdue", "waits"}
"""The states that explain reports for a held execution."""
OVER = {"over", "left-behind"}
"""The kinds that doctor reports for a rule whose hold has ended."""
OF_A_HOLD = {"disabled-rule", "orphan", "wrong-target", "no-schedule", "overdue", "long-hold"}
"""The kinds that doctor reports only for a rule whose hold stands."""

History = Callable[[Scene, Calls], set[str]]
"""Plays what happens to k8s, and returns the executions that are held afterwards."""


def is_still_held(scene: Scene, calls: Calls) -> set[str]:
    return {hold_k8s(scene)}


def is_held_by_a_disabled_rule(scene: Scene, calls: Calls) -> set[str]:
    execution = hold_k8s(scene)
    scene.events.disable_rule(Name=f"pipeline-gate-dev-{execution}")
    return {execution}


def waits_in_the_mode_wait(scene: Scene, calls: Calls) -> set[str]:
    return {hold_k8s(scene, hold="wait")}


def failed_after_a_manual_retry(scene: Scene, calls: Calls) -> set[str]:
    """The event of infra's end is lost. Someone retries the gate's stage, and Deploy fails."""
    scene.world.dials.events_on = False
    scene.pipeline("infra", seconds=300)
    scene.gated("k8s", ask("infra", retry_minutes=60), outcome="Failed")
    execution = start_all(scene, "infra", "k8s")
    scene.wait(minutes=6)
    retry_stage(scene, execution)
    scene.wait(minutes=3)
    assert scene.statuses() == ["Failed"]
    return set()


def failed_after_a_retry_and_its_rule_is_disabled(scene: Scene, calls: Calls) -> set[str]:
    failed_after_a_manual_retry(scene, calls)
    (rule,) = scene.rules()
    scene.events.disable_rule(Name=rule)
    return set()


def was_retried_and_is_running(scene: Scene, calls: Calls) -> set[str]:
    scene.world.dials.events_on = False
    scene.pipeline("infra", seconds=300)
    scene.gated("k8s", ask("infra", retry_minutes=60), seconds=3600)
    execution = start_all(scene, "infra", "k8s")
    scene.wait(minutes=6)
    retry_stage(scene, execution)
    return set()


def was_retried_and_is_held_again(scene: Scene, calls: Calls) -> set[str]:
    execution = hold_k8s(scene)
    retry_stage(scene, execution)
    return {execution}


def was_replaced_by_a_newer_execution(scene: Scene, calls: Calls) -> set[str]:
    hold_k8s(scene)
    take_out_gate(scene)
    scene.start("k8s")
    return set()


def was_replaced_by_a_held_execution(scene: Scene, calls: Calls) -> set[str]:
    hold_k8s(scene)
    return {scene.start("k8s")}


def was_retried_and_stopped(scene: Scene, calls: Calls) -> set[str]:
    was_retried_and_is_running(scene, calls)
    execution = scene.executions()[0]["pipelineExecutionId"]
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="k8s", pipelineExecutionId=execution, abandon=True
    )
    return set()


def was_deleted_with_its_pipeline(scene: Scene, calls: Calls) -> set[str]:
    hold_k8s(scene)
    scene.codepipeline.delete_pipeline(name="k8s")
    return set()


def is_one_of_two_in_parallel(scene: Scene, calls: Calls) -> set[str]:
    scene.pipeline("infra", seconds=1200)
    scene.k8s(mode="PARALLEL")
    scene.start("infra")
    return {scene.start("k8s"), scene.start("k8s")}


def was_started_again_in_parallel(scene: Scene, calls: Calls) -> set[str]:
    """The retry function could not remove the rule."""
    scene.pipeline("infra", seconds=300)
    scene.k8s(mode="PARALLEL", seconds=3600)
    start_all(scene, "infra", "k8s")
    calls.fail("RemoveTargets", "ThrottlingException")
    scene.wait(minutes=5, seconds=30)
    assert scene.statuses() == ["InProgress", "Failed"]
    return set()


def was_released(scene: Scene, calls: Calls) -> set[str]:
    """The retry function has not run yet."""
    execution = hold_k8s(scene)
    scene.world.dials.invocation_copies = list
    assert run("release", "k8s", "--yes").status == 0
    return {execution}


def was_released_and_is_running(scene: Scene, calls: Calls) -> set[str]:
    scene.pipeline("infra", seconds=3600)
    scene.k8s(seconds=3600)
    start_all(scene, "infra", "k8s")
    assert run("release", "k8s", "--yes").status == 0
    scene.wait(seconds=10)
    return set()


def was_released_and_failed(scene: Scene, calls: Calls) -> set[str]:
    """infra is still running, so the rule stays for now."""
    scene.pipeline("infra", seconds=3600)
    scene.gated("k8s", ask("infra", retry_minutes=60), outcome="Failed")
    start_all(scene, "infra", "k8s")
    assert run("release", "k8s", "--yes").status == 0
    scene.wait(minutes=3)
    assert scene.statuses() == ["Failed"]
    return set()


def gave_up(scene: Scene, calls: Calls) -> set[str]:
    hold_k8s(scene, give_up_minutes=5, minutes=12)
    return set()


def gave_up_and_continued(scene: Scene, calls: Calls) -> set[str]:
    scene.pipeline("infra", seconds=3600)
    scene.gated("k8s", ask("infra", give_up_minutes=5, on_give_up="continue"), seconds=3600)
    start_all(scene, "infra", "k8s")
    scene.wait(minutes=12)
    assert scene.statuses() == ["InProgress"]
    return set()


def add_second_gate(scene: Scene) -> str:
    """k8s passes its first gate, and its second gate holds it for net."""
    scene.pipeline("infra")
    scene.pipeline("net", seconds=300)
    scene.gated("k8s", ask("infra"), outcome="Failed")
    second = gate_stage(ask("net", retry_minutes=60), name="Second")
    edit(scene, change=lambda declared: declared["stages"].insert(2, second))
    execution = start_all(scene, "net", "k8s")
    scene.wait(minutes=1)
    return execution


def is_held_by_its_second_gate(scene: Scene, calls: Calls) -> set[str]:
    return {add_second_gate(scene)}


def failed_after_its_second_gate(scene: Scene, calls: Calls) -> set[str]:
    scene.world.dials.events_on = False
    execution = add_second_gate(scene)
    scene.wait(minutes=5)
    retry_stage(scene, execution, "Second")
    scene.wait(minutes=3)
    assert scene.statuses() == ["Failed"]
    return set()


def waits_in_the_mode_wait_at_two_gates(scene: Scene, calls: Calls) -> set[str]:
    for name in ("infra", "network"):
        scene.pipeline(name, seconds=3600)
    create_two_gates(scene)
    return {start_all(scene, "infra", "network", "k8s")}


HISTORIES: list[History] = [
    is_still_held,
    is_held_by_a_disabled_rule,
    waits_in_the_mode_wait,
    failed_after_a_manual_retry,
    failed_after_a_retry_and_its_rule_is_disabled,
    was_retried_and_is_running,
    was_retried_and_is_held_again,
    was_replaced_by_a_newer_execution,
    was_replaced_by_a_held_execution,
    was_retried_and_stopped,
    was_deleted_with_its_pipeline,
    is_one_of_two_in_parallel,
    was_started_again_in_parallel,
    was_released,
    was_released_and_is_running,
    was_released_and_failed,
    gave_up,
    gave_up_and_continued,
    is_held_by_its_second_gate,
    failed_after_its_second_gate,
    waits_in_the_mode_wait_at_two_gates,
]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_all_give_the_same_answer(scene: Scene, calls: Calls, history: History) -> None:
    configure("dev")
    waiting = history(scene, calls)
    assert find_waiting_by_holds() == waiting
    assert find_waiting_by_explain() == waiting
    assert find_waiting_by_board() == waiting
    check_doctor(scene, waiting)
    assert release_all() == waiting


def find_waiting_by_holds() -> set[str]:
    rows = run("holds", "--json").json()["holds"]
    return {row["execution"] for row in rows if row["waits"]}


def find_waiting_by_explain() -> set[str]:
    said = run("explain", "k8s", "--json")
    if said.status:
        assert "There is no pipeline k8s" in said.complaint
        return set()
    return {
        statement["execution"]
        for statement in said.json()["explained"]
        if statement["state"] in WAITING_STATES
    }


def find_waiting_by_board() -> set[str]:
    view = AccountReader(make_client).read_view(utcnow())
    return {wait["execution"]["id"] for wait in build_snapshot(view, REGION, utcnow())["waits"]}


def release_all() -> set[str]:
    """Release k8s, and return the executions that were released."""
    said = run("release", "k8s", "--yes", "--json")
    if said.status:
        assert re.search("k8s is not held|There is no pipeline k8s", said.complaint)
        return set()
    return {released["execution"] for released in said.json()["released"]}


def check_doctor(scene: Scene, waiting: set[str]) -> None:
    """Check that doctor reports the rules of holds that have ended, and counts those that stand."""
    kinds_by_rule: dict[str, set[str]] = {}
    for finding in run("doctor", "--json").json()["findings"]:
        kinds_by_rule.setdefault(finding["where"], set()).add(finding["kind"])
    running = {
        execution["pipelineExecutionId"]
        for execution in (scene.executions() if exists(scene) else ())
        if execution["status"] == "InProgress"
    }
    held = 0
    for rule in scene.rules():
        execution, kinds = rule[-36:], kinds_by_rule.get(f"rule {rule}", set())
        is_over = execution not in waiting | running
        assert bool(kinds & OVER) == is_over, kinds
        assert execution in waiting or not kinds & OF_A_HOLD, kinds
        held += execution in waiting
    if counted := re.search(r"(\w+) executions? (?:is|are) held", run("doctor").words):
        assert counted[1] == (str(held) if held else "no")


def exists(scene: Scene) -> bool:
    pipelines = scene.codepipeline.list_pipelines()["pipelines"]
    return any(pipeline["name"] == "k8s" for pipeline in pipelines)
