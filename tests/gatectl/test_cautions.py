"""What attach warns about. The sandbox does each of these things, and does not if the warning is
followed.
"""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.cautions import find_hold_cautions, find_restart_notes
from gatectl.structure import Declaration, format_parameters
from tests.support.connections import trigger
from tests.support.scene import Scene
from tests.support.structures import TEXT, action, approval, entry, gate, pipeline, rule, stage

ROLLBACK, RETRY = {"result": "ROLLBACK"}, {"result": "RETRY"}
ON_FAILURE = {"conditions": entry(rule("Alarm", "ours"))["conditions"], "result": "ROLLBACK"}
SKIP = {"conditions": [{"result": "SKIP", "rules": [rule("Wait")]}]}
QUEUED = {"executionMode": "QUEUED"}


def text(name: str = "k8s", **settings: Any) -> str:
    return format_parameters(name, {"depends_on": ["infra"], **settings})


def beside_the_gate(text: str = TEXT, **keys: Any) -> Declaration:
    """Return k8s with the gate in the stage that deploys."""
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
GATES_IN_A_ROW = pipeline(
    stage("Gate", gate()), stage("Again", gate(), gate("Third", runOrder=2)), stage("Deploy")
)


@pytest.mark.parametrize(
    ("declared", "parts"),
    [
        (
            beside_the_gate(onFailure=ROLLBACK),
            [
                "The stage Deploy of k8s rolls back when it fails (onFailure). A hold is a "
                "failure, so every hold triggers this.",
                "Give the gate its own stage, or use --hold wait",
            ],
        ),
        (beside_the_gate(onFailure=RETRY), ["is retried when it fails (onFailure)."]),
        # The sandbox takes such a condition, and does not check it.
        (
            beside_the_gate(onFailure=ON_FAILURE),
            ["The stage Deploy of k8s has a condition for failures (onFailure)."],
        ),
        (
            after_a_build(),
            [
                "In k8s, the stage Build runs before the gate in the stage Gate. A hold",
                "--hold wait)",
            ],
        ),
        (AFTER_TWO, ["In k8s, the stage Build and the action Lint run before the gate in the"]),
        (
            pipeline(stage("Build"), stage("Deploy", beforeEntry=entry(rule("Wait")))),
            ["In k8s, the stage Build runs before the gate in the stage Deploy."],
        ),
        (
            before_the_work(**QUEUED),
            [
                "k8s is in QUEUED mode: a held execution has failed, so the next one in the queue "
                "goes first",
                "(--hold wait) keeps the order of the queue",
            ],
        ),
        (
            SKIPPING,
            [
                "has the result SKIP: instead of being held, k8s skips the stage Deploy",
                "Set the result of the condition to FAIL.",
            ],
        ),
        (
            pipeline(stage("Deploy", beforeEntry=entry(rule("Wait", text=TEXT)))),
            [
                "The gate of k8s is a condition of the stage Deploy, but its UserParameters do not "
                "say so.",
                'Add "condition": true.',
            ],
        ),
        (
            pipeline(stage("Gate", gate(text=text(hold="retry")))),
            ["Nothing in k8s comes after its gate in the stage Gate", "Put that gate before the"],
        ),
    ],
)
def test_each_caution(declared: Declaration, parts: list[str]) -> None:
    (caution,) = find_hold_cautions(declared)
    assert all(part in caution for part in parts)


@pytest.mark.parametrize(
    "declared",
    [
        beside_the_gate(),
        pipeline(stage("Deploy", beforeEntry=entry(rule("Wait")))),
        pipeline(stage("Gate", gate()), stage("Build"), stage("Deploy", onFailure=ROLLBACK)),
        pipeline(**QUEUED),
        GATES_IN_A_ROW,
        pipeline(stage("Gate", gate(), gate("Again")), stage("Deploy")),
    ],
)
def test_no_caution_about_an_ordinary_gate_or_without_a_gate(declared: Declaration) -> None:
    assert find_hold_cautions(declared) == ()


def test_no_one_is_sent_in_front_of_an_approval() -> None:
    """There, the gate would check too early."""
    declared = pipeline(approval(), stage("Gate", gate()), stage("Deploy"))
    (caution,) = find_hold_cautions(declared)
    assert caution.endswith(
        "twice. Continue the same execution instead (--hold retry, --hold wait)."
    )


# What the sandbox does


@pytest.fixture
def infra(scene: Scene) -> Scene:
    scene.pipeline("infra")
    return scene


def count_runs(scene: Scene, name: str) -> int:
    """Return how often an action of k8s ran."""
    runs = scene.codepipeline.list_action_executions(pipelineName="k8s")["actionExecutionDetails"]
    return sum(run["actionName"] == name for run in runs)


def hold(scene: Scene, declared: Declaration, *, heeded: bool = False) -> None:
    """Run k8s once while infra is idle, and hold it once. `heeded`: expect no caution."""
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
def test_a_stage_that_is_retried_invokes_the_gate_twice(infra: Scene, mode: str, runs: int) -> None:
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
def test_only_a_restart_repeats_the_work_before_the_gate(
    infra: Scene, declared: Declaration, heeded: bool, builds: int
) -> None:
    hold(infra, declared, heeded=heeded)
    infra.wait(minutes=15)
    assert infra.statuses()[:2] == (["Succeeded"] * 2 if heeded else ["Succeeded", "Failed"])
    assert (count_runs(infra, "Build"), count_runs(infra, "Deploy")) == (builds, 2)


@pytest.mark.parametrize(
    ("mode", "statuses"),
    [
        # One restart for two held executions.
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


def test_a_gate_that_names_another_pipeline_fails(infra: Scene) -> None:
    """attach never writes such a gate, and the doctor reports it."""
    infra.pipeline("other")
    hold(infra, before_the_work(text("other")), heeded=True)
    infra.wait(minutes=15)
    assert infra.statuses() == ["Failed", "Succeeded"]


FILTERED: dict[str, Any] = {"triggers": [trigger(push=[{"tags": {"includes": ["v*"]}}])]}


def take_other_keys(declared: Declaration) -> Declaration:
    (source,) = declared["stages"][0]["actions"]
    source["configuration"] = {"AllowOverrideForS3ObjectKey": "true"}
    return declared


@pytest.mark.parametrize(
    ("declared", "notes"),
    [
        (
            before_the_work(**FILTERED),
            [
                "The triggers of k8s have filters. After a hold, the stage of an execution that "
                "they started is retried, as with --hold retry: a new execution would take the "
                "latest commit of the branch."
            ],
        ),
        (
            before_the_work(text(revisions="held"), **FILTERED),
            [
                "The triggers of k8s have filters. After a hold, a new execution starts with the "
                "held commit."
            ],
        ),
        (
            before_the_work(text(revisions="latest"), **FILTERED),
            [
                "The triggers of k8s have filters. After a hold, a new execution starts with the "
                "latest commit of the branch, even if a tag, another branch or a pull request "
                "started the held one. To continue with what was held, leave out revisions."
            ],
        ),
        (
            take_other_keys(before_the_work()),
            [
                "An execution of k8s may take another S3 key in Source. After a hold, its stage is "
                "retried, as with --hold retry: a new execution could take another object."
            ],
        ),
        (
            take_other_keys(before_the_work(text(revisions="latest"))),
            [
                "An execution of k8s may take another S3 key in Source. After a hold, a new "
                "execution starts with the latest version of the key in the pipeline. To continue "
                "with what was held, leave out revisions."
            ],
        ),
        (before_the_work(), []),
        (before_the_work(text(hold="retry"), **FILTERED), []),
        (before_the_work(text(observe=True), **FILTERED), []),
        (before_the_work(executionMode="PARALLEL", **FILTERED), []),
    ],
)
def test_it_says_with_what_a_restart_continues(declared: Declaration, notes: list[str]) -> None:
    assert list(find_restart_notes(declared)) == notes
