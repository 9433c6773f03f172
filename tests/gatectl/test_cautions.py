"""What attach warns of: the sandbox does each of these things, and does not when the warning is
heeded.
"""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.cautions import cautions
from gatectl.structure import Declaration, parameters
from tests.support.scene import Scene
from tests.support.structures import TEXT, action, entry, gate, pipeline, rule, stage

ROLLBACK, RETRY = {"result": "ROLLBACK"}, {"result": "RETRY"}


def asking(**more: Any) -> str:
    return parameters("k8s", {"depends_on": ["infra"], **more})


def beside_the_gate(text: str, **more: Any) -> Declaration:
    """k8s, whose one stage asks the gate before it deploys."""
    return pipeline(stage("Deploy", gate(text=text), action("Deploy", runOrder=2), **more))


def after_a_build(text: str, **more: Any) -> Declaration:
    return pipeline(stage("Build"), stage("Gate", gate(text=text)), stage("Deploy"), **more)


@pytest.fixture
def infra(scene: Scene) -> Scene:
    scene.pipeline("infra")
    return scene


def ran(scene: Scene, name: str) -> int:
    """How often an action of k8s ran."""
    runs = scene.codepipeline.list_action_executions(pipelineName="k8s")["actionExecutionDetails"]
    return sum(one["actionName"] == name for one in runs)


def hold(scene: Scene, declared: Declaration) -> None:
    """k8s runs once while infra is idle, and is held once."""
    scene.codepipeline.create_pipeline(pipeline=declared)  # type: ignore[arg-type]
    scene.start("k8s")
    scene.wait(minutes=2)
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=2)


class TestAStageThatRollsBack:
    def test_does_so_at_a_hold(self, infra: Scene) -> None:
        declared = beside_the_gate(TEXT, onFailure=ROLLBACK)
        (told,) = cautions(declared)
        assert told.startswith(
            "The stage Deploy of k8s rolls back when it fails (onFailure). A hold is a failure, "
            "so each hold rolls Deploy"
        )
        assert "Give the gate a stage of its own, or --hold wait" in told
        hold(infra, declared)
        assert any(one.get("executionType") == "ROLLBACK" for one in infra.executions())

    @pytest.mark.parametrize(
        "heeded",
        [
            beside_the_gate(asking(hold="wait"), onFailure=ROLLBACK),
            pipeline(stage("Gate", gate()), stage("Deploy", onFailure=ROLLBACK)),
        ],
    )
    def test_does_not_when_that_is_heeded(self, infra: Scene, heeded: Declaration) -> None:
        assert cautions(heeded) == ()
        hold(infra, heeded)
        assert not any(one.get("executionType") == "ROLLBACK" for one in infra.executions())


class TestAStageThatIsRetried:
    def test_asks_the_gate_twice(self, infra: Scene) -> None:
        declared = beside_the_gate(TEXT, onFailure=RETRY)
        (told,) = cautions(declared)
        assert (
            "is retried when it fails (onFailure). A hold is a failure, so the gate is asked twice"
            in told
        )
        hold(infra, declared)
        assert ran(infra, "Wait") == 1 + 2

    def test_not_where_the_gate_waits_in_place(self, infra: Scene) -> None:
        declared = beside_the_gate(asking(hold="wait"), onFailure=RETRY)
        assert cautions(declared) == ()
        hold(infra, declared)
        assert ran(infra, "Wait") == 2


def test_an_on_failure_condition_is_set_off() -> None:
    """The sandbox takes such a condition, and does not check it."""
    (told,) = cautions(
        beside_the_gate(
            TEXT,
            onFailure={
                "conditions": entry(rule("Alarm", "ours"))["conditions"],
                "result": "ROLLBACK",
            },
        )
    )
    assert told.startswith(
        "The stage Deploy of k8s has an onFailure condition. A hold is a failure, so each hold "
        "sets it off."
    )


class TestWorkBeforeTheGate:
    @pytest.mark.parametrize(
        ("declared", "what"),
        [
            (after_a_build(TEXT), "Before the gate of k8s runs the stage Build."),
            (
                pipeline(
                    stage("Build"),
                    stage("Deploy", action("Lint"), gate(runOrder=2), action("Deploy", runOrder=3)),
                ),
                "Before the gate of k8s run the stage Build and the action Lint.",
            ),
        ],
    )
    def test_is_done_again_by_a_restart(
        self, infra: Scene, declared: Declaration, what: str
    ) -> None:
        (told,) = cautions(declared)
        assert told.startswith(f"{what} A hold starts the pipeline again from its sources")
        assert (
            "(--after Source), or let the same execution go on (--hold retry, --hold wait)" in told
        )
        hold(infra, declared)
        infra.wait(minutes=15)
        assert infra.statuses()[:2] == ["Succeeded", "Failed"]
        assert ran(infra, "Build") == 1 + 2
        assert ran(infra, "Deploy") == 2

    @pytest.mark.parametrize("way", ["retry", "wait"])
    def test_not_where_the_same_execution_goes_on(self, infra: Scene, way: str) -> None:
        declared = after_a_build(asking(hold=way))
        assert cautions(declared) == ()
        hold(infra, declared)
        infra.wait(minutes=15)
        assert infra.statuses() == ["Succeeded", "Succeeded"]
        assert ran(infra, "Build") == 2

    def test_an_entry_condition_comes_before_its_stage(self) -> None:
        assert cautions(pipeline(stage("Deploy", beforeEntry=entry(rule("Wait"))))) == ()
        (told,) = cautions(
            pipeline(stage("Build"), stage("Deploy", beforeEntry=entry(rule("Wait"))))
        )
        assert told.startswith("Before the gate of k8s runs the stage Build.")


class TestQueuedMode:
    def test_the_next_comes_before_the_one_that_is_held(self, infra: Scene) -> None:
        declared = pipeline(stage("Gate", gate()), stage("Deploy"), executionMode="QUEUED")
        (told,) = cautions(declared)
        assert told.startswith(
            "k8s is in QUEUED mode: a held execution has failed, so the next in the queue is let "
            "in before it"
        )
        assert "(--hold wait) keeps the queue's order" in told
        hold(infra, declared)
        infra.start("k8s")
        infra.wait(minutes=15)
        assert infra.statuses() == [
            "Succeeded",
            "Failed",
            "Failed",
            "Succeeded",
        ]  # one restart for two that were held

    def test_wait_keeps_the_order(self, infra: Scene) -> None:
        declared = pipeline(
            stage("Gate", gate(text=asking(hold="wait"))), stage("Deploy"), executionMode="QUEUED"
        )
        assert cautions(declared) == ()
        hold(infra, declared)
        infra.start("k8s")
        infra.wait(minutes=15)
        assert infra.statuses() == ["Succeeded"] * 3


def test_a_condition_that_skips_does_not_hold(infra: Scene) -> None:
    condition = {"conditions": [{"result": "SKIP", "rules": [rule("Wait")]}]}
    declared = pipeline(stage("Deploy", beforeEntry=condition), stage("Smoke"))
    (told,) = cautions(declared)
    assert (
        "has the result SKIP: at a hold the stage Deploy is skipped, k8s goes on without it" in told
    )
    assert "Give the condition the result FAIL" in told
    hold(infra, declared)
    infra.wait(minutes=15)
    assert (ran(infra, "Deploy"), ran(infra, "Smoke")) == (1, 2)
    assert cautions(pipeline(stage("Deploy", beforeEntry=entry(rule("Wait"))))) == ()


def test_a_gate_that_says_it_is_another_pipelines(infra: Scene) -> None:
    infra.pipeline("other")
    declared = pipeline(
        stage("Gate", gate(text=parameters("other", {"depends_on": ["infra"]}))), stage("Deploy")
    )
    (told,) = cautions(declared)
    assert (
        told == 'The gate of k8s says "pipeline": "other", which is another one: it fails at each '
        'hold. Write "k8s".'
    )
    hold(infra, declared)
    infra.wait(minutes=15)
    assert infra.statuses() == ["Failed", "Succeeded"]


@pytest.mark.parametrize("text", ["infra", '{"depends_on": ["infra"], "pipeline": "k8s"}'])
def test_a_gate_that_does_not_say_whose_it_is(text: str) -> None:
    (told,) = cautions(pipeline(stage("Gate", gate(text=text)), stage("Deploy")))
    assert (
        'add "pipeline": "k8s" and "execution": "#{codepipeline.PipelineExecutionId}" to its '
        "UserParameters" in told
    )


def test_a_gate_at_the_end_holds_nothing_up() -> None:
    (told,) = cautions(pipeline(stage("Gate", gate(text=asking(hold="retry")))))
    assert (
        told
        == "Nothing in k8s comes after its gate, so there is nothing that waits. Put it before "
        "the work (--after)."
    )
    assert cautions(beside_the_gate(TEXT)) == ()


def test_nothing_is_said_of_an_ordinary_gate_nor_of_none() -> None:
    assert (
        cautions(
            pipeline(stage("Gate", gate()), stage("Build"), stage("Deploy", onFailure=ROLLBACK))
        )
        == ()
    )
    assert cautions(pipeline(executionMode="QUEUED")) == ()
