"""Tests of `gatectl detach`, which removes a pipeline's gate and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.session import Place
from tests.support.cli import run
from tests.support.explaining import deny
from tests.support.held import hold_k8s
from tests.support.parallel import hold_in_parallel
from tests.support.refused import run_refused
from tests.support.scene import Scene
from tests.support.structures import entry, gate, pipeline, rule, stage

ENDS = "k8s no longer waits for other pipelines. If a rule holds an execution"


def declared(scene: Scene) -> Any:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]


def stages(scene: Scene) -> list[str]:
    return [stage["name"] for stage in declared(scene)["stages"]]


@pytest.fixture
def gated(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.k8s()
    return scene


def test_it_shows_the_change_and_makes_it_after_a_yes(gated: Scene) -> None:
    result = run("detach", "k8s", typed="y\n")
    assert result.status == 0, result.err
    before, question, after = result.out.partition("Change k8s? [y/N]: y\n")
    assert question
    assert '-      "name": "Gate",' in before.splitlines()
    assert [line for line in before.splitlines() if line.startswith("+")] == ["+++ then"]
    assert " ".join(after.split()).startswith(ENDS)
    assert stages(gated) == ["Source", "Deploy"]


def test_running_it_again_changes_nothing(gated: Scene) -> None:
    first = run("detach", "k8s", "--json", "--yes").json()
    assert (first["pipeline"], first["changed"]) == ("k8s", True)
    assert '-      "name": "Gate",' in first["diff"]
    result = run("detach", "k8s", "--yes")
    assert (result.status, result.out) == (0, "k8s has no gate. Nothing was changed.\n")
    assert declared(gated)["version"] == 2
    assert run("detach", "k8s", "--json").json() == first | {"changed": False, "diff": []}


def test_a_no_and_a_dry_run_change_nothing(gated: Scene) -> None:
    assert run("detach", "k8s", typed="n\n").status == 1
    assert run("detach", "k8s", "--json").status == 252
    assert run("detach", "k8s", "--dry-run").out.endswith("Dry run: nothing was changed.\n")
    assert declared(gated)["version"] == 1


def test_all_gates_are_removed(scene: Scene) -> None:
    structure = pipeline(stage("Gate", gate()), stage("Deploy", beforeEntry=entry(rule("Again"))))
    scene.codepipeline.create_pipeline(pipeline=structure)  # type: ignore[arg-type]
    assert run("detach", "k8s", "--yes").status == 0
    assert stages(scene) == ["Source", "Deploy"]
    assert "beforeEntry" not in declared(scene)["stages"][1]


def test_with_after_the_other_gates_stay(scene: Scene) -> None:
    structure = pipeline(stage("Gate", gate()), stage("Deploy", beforeEntry=entry(rule("Again"))))
    scene.codepipeline.create_pipeline(pipeline=structure)  # type: ignore[arg-type]
    words = run("detach", "k8s", "--after", "Source", "--yes").words
    assert "k8s no longer waits there. It still has a gate in Deploy. If a rule holds" in words
    assert words.endswith("does not wait again there.")
    assert stages(scene) == ["Source", "Deploy"]
    words = run("detach", "k8s", "--after", "Deploy", "--yes").words
    assert words == "k8s has no gate right after Deploy. Nothing was changed."
    complaint = run_refused("detach", "k8s", "--after", "deploy", "--yes")
    assert complaint.startswith("Error: k8s has no stage deploy; it has Source and Deploy.")


@pytest.mark.parametrize("hold", ["restart", "retry"])
def test_an_execution_that_is_held_now_starts_again_as_announced(scene: Scene, hold: str) -> None:
    hold_k8s(scene, seconds=600, minutes=0, hold=hold)
    result = run("detach", "k8s", "--yes")
    assert (result.status, ENDS in result.words) == (0, True)
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=15)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


class TestAnExecutionHeldInTheModeWait:
    """It is in progress, so CodePipeline cancels it."""

    @pytest.fixture
    def execution(self, scene: Scene) -> str:
        return hold_k8s(scene, seconds=600, minutes=0, hold="wait")

    def test_is_cancelled_as_announced(self, scene: Scene, execution: str) -> None:
        result = run("detach", "k8s", typed="y\n")
        before, _, after = result.out.partition("Change k8s? [y/N]: y\n")
        caution = " ".join(before.split())
        assert f"Caution: k8s is running (execution {execution[:8]}), and this change" in caution
        assert "is waiting at the gate: release it first (gatectl release k8s)" in caution
        assert after.splitlines() == [
            "k8s no longer waits for other pipelines.",
            f"This change cancelled execution {execution[:8]} of k8s. To start k8s again:",
            "  aws codepipeline start-pipeline-execution --name k8s",
        ]
        scene.wait(minutes=15)
        assert scene.statuses() == ["Cancelled"]
        scene.start("k8s")
        scene.wait(minutes=2)
        assert scene.statuses() == ["Succeeded", "Cancelled"]

    def test_is_not_lost_if_it_is_released_first(self, scene: Scene, execution: str) -> None:
        assert run("release", "k8s", "--yes").status == 0
        scene.wait(minutes=5)
        assert run("detach", "k8s", "--yes").words.endswith(
            "k8s no longer waits for other pipelines."
        )
        assert scene.statuses() == ["Succeeded"]

    def test_next_to_an_execution_that_is_working(self, scene: Scene, execution: str) -> None:
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="infra",
            pipelineExecutionId=scene.executions("infra")[0]["pipelineExecutionId"],
            abandon=True,
        )
        scene.wait(seconds=40)
        scene.start("infra")
        second = scene.start("k8s")
        words = run("detach", "k8s", "--dry-run").words
        assert f"k8s is running (executions {second[:8]} and {execution[:8]}), and" in words
        assert f"Execution {second[:8]} is waiting at the gate: release it first" in words

    def test_in_parallel_mode_in_which_a_stage_shows_only_the_latest(self, scene: Scene) -> None:
        first, second = (execution[:8] for execution in hold_in_parallel(scene, hold="wait"))
        words = run("detach", "k8s", "--yes").words
        assert f"Executions {second} and {first} are waiting at the gate: release them" in words
        assert f"This change cancelled executions {second} and {first} of k8s." in words

    def test_for_programs(self, scene: Scene, execution: str) -> None:
        assert run("detach", "k8s", "--dry-run", "--json").json()["cancelled"] == []
        assert run("detach", "k8s", "--yes", "--json").json()["cancelled"] == [execution]

    def test_the_caution_does_not_need_permission_to_read_actions(
        self, scene: Scene, execution: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deny(monkeypatch, "codepipeline:ListActionExecutions")
        words = run("detach", "k8s", "--yes", "--region", "eu-central-1").words
        assert "Wait until it is idle, or start k8s again afterwards." in words
        assert f"This change cancelled execution {execution[:8]} of k8s." in words
        start = "aws codepipeline start-pipeline-execution --name k8s"
        assert words.endswith(f"{start} --region eu-central-1")


def test_an_execution_that_starts_before_the_answer_is_reported_as_cancelled(
    gated: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def agreed(place: Place, question: str) -> bool:
        begun.append(gated.start("k8s"))
        return True

    monkeypatch.setattr(Place, "confirm", agreed)
    result = run("detach", "k8s")
    assert "Caution" not in result.out
    assert f"This change cancelled execution {begun[0][:8]} of k8s." in result.words


def test_a_structure_that_codepipeline_refuses(scene: Scene) -> None:
    scene.codepipeline.create_pipeline(pipeline=pipeline(stage("Gate", gate())))  # type: ignore[arg-type]
    complaint = run_refused("detach", "k8s", "--yes")
    assert complaint.startswith("Error: Without its gate")
    assert complaint.endswith("Nothing was changed.")
    assert declared(scene)["version"] == 1


def test_a_variable_that_attach_declared_stays(scene: Scene) -> None:
    """Scripts may still set it when they start the pipeline, which fails if it is not declared."""
    scene.pipeline("infra")
    scene.pipeline("k8s")
    run("attach", "k8s", "--depends-on", "infra", "--bypass", "--yes")
    run("detach", "k8s", "--yes")
    assert [variable["name"] for variable in declared(scene)["variables"]] == ["bypass"]
