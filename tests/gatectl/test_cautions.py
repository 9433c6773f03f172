"""What attach warns of: the sandbox does each of these things, and does not when the warning is
heeded.
"""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.cautions import find_hold_cautions
from gatectl.structure import Declaration, format_parameters
from tests.support.scene import Scene
from tests.support.structures import TEXT, action, entry, gate, pipeline, rule, stage

ROLLBACK, RETRY = {"result": "ROLLBACK"}, {"result": "RETRY"}
ON_FAILURE = {"conditions": entry(rule("Alarm", "ours"))["conditions"], "result": "ROLLBACK"}
SKIP = {"conditions": [{"result": "SKIP", "rules": [rule("Wait")]}]}
QUEUED = {"executionMode": "QUEUED"}


def text(name: str = "k8s", **settings: Any) -> str:
    return format_parameters(name, {"depends_on": ["infra"], **settings})


def beside_the_gate(text: str = TEXT, **keys: Any) -> Declaration:
    """k8s, whose one stage asks the gate before it deploys."""
    return pipeline(stage("Deploy", gate(text=text), action("Deploy", runOrder=2), **keys))


def before_the_work(text: str = TEXT, **keys: Any) -> Declaration:
    return pipeline(stage("Gate", gate(text=text)), stage("Deploy"), **keys)


def after_a_build(text: str = TEXT) -> Declaration:
    return pipeline(stage("Build"), stage("Gate", gate(text=text)), stage("Deploy"))


SKIPPING = pipeline(stage("Deploy", beforeEntry=SKIP), stage("Smoke"))
AFTER_TWO = pipeline(
    stage("Build"),
    stage("Deploy", action("Lint"), gate(runOrder=2), action("Deploy", runOrder=3)),
)


NO_NAME = 'add "pipeline": "k8s" and "execution": "#{codepipeline.PipelineExecutionId}" to its'


@pytest.mark.parametrize(
    ("declared", "parts"),
    [
        (
            beside_the_gate(onFailure=ROLLBACK),
            [
                "The stage Deploy of k8s rolls back when it fails (onFailure). A hold is a "
                "failure, so each hold sets that off.",
                "Give the gate a stage of its own, or --hold wait",
            ],
        ),
        (
            beside_the_gate(onFailure=RETRY),
            ["is retried when it fails (onFailure)"],
        ),
        (beside_the_gate(onFailure=RETRY), ["is retried when it fails (onFailure)."]),
        # The sandbox takes such a condition, and does not check it.
        (
            beside_the_gate(onFailure=ON_FAILURE),
            ["The stage Deploy of k8s has a condition for failures (onFailure)."],
        ),
        (
            after_a_build(),
            ["Before the gate of k8s runs the stage Build.", "(--hold retry, --hold wait)"],
        ),
        (AFTER_TWO, ["Before the gate of k8s run the stage Build and the action Lint. A hold"]),
        (
            pipeline(stage("Build"), stage("Deploy", beforeEntry=entry(rule("Wait")))),
            ["Before the gate of k8s runs the stage Build."],
        ),
        (
            before_the_work(**QUEUED),
            [
                "k8s is in QUEUED mode: a held execution has failed, so the next in the queue is "
                "let in before it",
                "(--hold wait) keeps the queue's order",
            ],
        ),
        (
            SKIPPING,
            [
                "has the result SKIP: at a hold the stage Deploy is skipped, k8s goes on without "
                "it",
                "Give the condition the result FAIL",
            ],
        ),
        (
            pipeline(stage("Gate", gate(text=text(hold="retry")))),
            ["Nothing in k8s comes after its gate", "Put it before the work (--after)."],
        ),
    ],
)
def test_what_it_says(declared: Declaration, parts: list[str]) -> None:
    (caution,) = find_hold_cautions(declared)
    assert all(part in caution for part in parts)


@pytest.mark.parametrize(
    "declared",
    [
        beside_the_gate(),
        pipeline(stage("Deploy", beforeEntry=entry(rule("Wait")))),
        pipeline(stage("Gate", gate()), stage("Build"), stage("Deploy", onFailure=ROLLBACK)),
        pipeline(**QUEUED),
    ],
)
def test_nothing_is_said_of_an_ordinary_gate_nor_of_none(declared: Declaration) -> None:
    assert find_hold_cautions(declared) == ()


# What the sandbox does


@pytest.fixture
def infra(scene: Scene) -> Scene:
    scene.pipeline("infra")
    return scene


def count_runs(scene: Scene, name: str) -> int:
    """How often an action of k8s ran."""
    runs = scene.codepipeline.list_action_executions(pipelineName="k8s")["actionExecutionDetails"]
    return sum(run["actionName"] == name for run in runs)


def hold(scene: Scene, declared: Declaration, *, heeded: bool = False) -> None:
    """k8s runs once while infra is idle, and is held once."""
    assert (find_hold_cautions(declared) == ()) is heeded
    scene.codepipeline.create_pipeline(pipeline=declared)  # type: ignore[arg-type]
    scene.start("k8s")
    scene.wait(minutes=2)
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=2)


@pytest.mark.parametrize(
    ("declared", "heeded"),
    [
        (beside_the_gate(onFailure=ROLLBACK), False),
        (beside_the_gate(text(hold="wait"), onFailure=ROLLBACK), True),
        (pipeline(stage("Gate", gate()), stage("Deploy", onFailure=ROLLBACK)), True),
    ],
)
def test_a_stage_that_rolls_back(infra: Scene, declared: Declaration, heeded: bool) -> None:
    hold(infra, declared, heeded=heeded)
    rolled_back = [run for run in infra.executions() if run.get("executionType") == "ROLLBACK"]
    assert (rolled_back == []) is heeded


@pytest.mark.parametrize(("mode", "runs"), [("restart", 1 + 2), ("wait", 2)])
def test_a_stage_that_is_retried_asks_the_gate_twice(infra: Scene, mode: str, runs: int) -> None:
    declared = beside_the_gate(text(hold=mode), onFailure=RETRY)
    hold(infra, declared, heeded=mode == "wait")
    assert count_runs(infra, "Wait") == runs


@pytest.mark.parametrize(
    ("declared", "heeded", "builds"),
    [
        (after_a_build(), False, 1 + 2),
        (AFTER_TWO, False, 1 + 2),
        (after_a_build(text(hold="retry")), True, 2),
        (after_a_build(text(hold="wait")), True, 2),
    ],
)
def test_work_before_the_gate_is_done_again_by_a_restart_alone(
    infra: Scene, declared: Declaration, heeded: bool, builds: int
) -> None:
    hold(infra, declared, heeded=heeded)
    infra.wait(minutes=15)
    assert infra.statuses()[:2] == (["Succeeded"] * 2 if heeded else ["Succeeded", "Failed"])
    assert (count_runs(infra, "Build"), count_runs(infra, "Deploy")) == (builds, 2)


@pytest.mark.parametrize(
    ("mode", "statuses"),
    [
        # One restart for two that were held.
        ("restart", ["Succeeded", "Failed", "Failed", "Succeeded"]),
        ("wait", ["Succeeded"] * 3),
    ],
)
def test_in_queued_mode_only_wait_keeps_the_order(
    infra: Scene, mode: str, statuses: list[str]
) -> None:
    hold(infra, before_the_work(text(hold=mode), **QUEUED), heeded=mode == "wait")
    infra.start("k8s")
    infra.wait(minutes=15)
    assert infra.statuses() == statuses


def test_a_condition_that_skips_does_not_hold(infra: Scene) -> None:
    hold(infra, SKIPPING)
    infra.wait(minutes=15)
    assert (count_runs(infra, "Deploy"), count_runs(infra, "Smoke")) == (1, 2)


def test_a_gate_that_says_it_is_another_pipelines_fails(infra: Scene) -> None:
    """attach never writes such a gate: the doctor finds it."""
    infra.pipeline("other")
    hold(infra, before_the_work(text("other")), heeded=True)
    infra.wait(minutes=15)
    assert infra.statuses() == ["Failed", "Succeeded"]
