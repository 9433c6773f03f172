"""`gatectl detach`: a pipeline's gate goes, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.session import Place
from tests.asking import ask
from tests.gatectl.cli import run
from tests.gatectl.structures import entry, gate, pipeline, rule, stage
from tests.scene import Scene


def declared(scene: Scene) -> Any:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]


def stages(scene: Scene) -> list[str]:
    return [one["name"] for one in declared(scene)["stages"]]


@pytest.fixture
def gated(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.k8s()
    return scene


def test_it_shows_what_would_go_and_takes_it_out_with_a_yes(gated: Scene) -> None:
    said = run("detach", "k8s", typed="y\n")
    assert said.status == 0, said.err
    before, question, after = said.out.partition("Change k8s? [y/N]: y\n")
    assert question
    assert '-      "name": "Gate",' in before.splitlines()
    assert [line for line in before.splitlines() if line.startswith("+")] == ["+++ then"]
    assert after == "k8s waits for nobody any more. What is held now still ends by itself: see `gatectl holds`.\n"
    assert stages(gated) == ["Source", "Deploy"]


def test_twice_says_so_and_writes_nothing(gated: Scene) -> None:
    run("detach", "k8s", "--yes")
    said = run("detach", "k8s", "--yes")
    assert (said.status, said.out) == (0, "k8s has no gate. Nothing was changed.\n")
    assert declared(gated)["version"] == 2
    assert run("detach", "k8s", "--json").json() == {"pipeline": "k8s", "changed": False, "warnings": [], "diff": []}


def test_a_no_and_a_dry_run_change_nothing(gated: Scene) -> None:
    assert run("detach", "k8s", typed="n\n").status == 1
    assert run("detach", "k8s", "--dry-run").out.splitlines()[-1] == "A dry run: nothing was changed."
    assert declared(gated)["version"] == 1


def test_for_programs(gated: Scene) -> None:
    assert run("detach", "k8s", "--json").status == 252
    said = run("detach", "k8s", "--json", "--yes").json()
    assert (said["pipeline"], said["changed"]) == ("k8s", True)
    assert '-      "name": "Gate",' in said["diff"]


def test_all_its_gates_go(scene: Scene) -> None:
    whole = pipeline(stage("Gate", gate()), stage("Deploy", beforeEntry=entry(rule("Again"))))
    scene.codepipeline.create_pipeline(pipeline=whole)  # type: ignore[arg-type]
    assert run("detach", "k8s", "--yes").status == 0
    assert stages(scene) == ["Source", "Deploy"]
    assert "beforeEntry" not in declared(scene)["stages"][1]


@pytest.mark.parametrize("hold", ["restart", "retry"])
def test_what_is_held_now_still_ends_as_it_says(scene: Scene, hold: str) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask(hold=hold))
    scene.start("infra")
    scene.start("k8s")
    assert run("detach", "k8s", "--yes").status == 0
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=15)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


def test_one_that_waits_in_place_runs_and_so_is_cancelled_as_it_says(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask(hold="wait"))
    scene.start("infra")
    execution = scene.start("k8s")
    said = run("detach", "k8s", typed="y\n")
    assert f"Caution: k8s runs now (execution {execution[:8]}), and CodePipeline cancels what runs" in said.words
    assert scene.statuses() == ["Cancelled"]


def test_what_somebody_else_changes_meanwhile_stays(gated: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def agreed(place: Place, question: str) -> bool:
        gated.codepipeline.update_pipeline(pipeline=declared(gated))
        return True

    monkeypatch.setattr(Place, "agreed", agreed)
    said = run("detach", "k8s")
    assert (said.status, "Somebody changed k8s while you looked" in said.complaint) == (252, True)
    assert stages(gated) == ["Source", "Gate", "Deploy"]


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (pipeline(stage("Gate", gate())), "Without its gate k8s would have one stage, and CodePipeline wants two"),
        (
            pipeline(stage("Gate", gate(), onSuccess=entry(rule("Alarm", "ours"))), stage("Deploy")),
            "Without its gate the stage Gate of k8s has nothing to do, and would go with its condition onSuccess (Alarm): move that to ",
        ),
        (
            pipeline(
                stage("Gate", gate(namespace="gate")),
                stage("Deploy", {**gate("Tell"), "configuration": {"FunctionName": "tell", "UserParameters": "#{gate.Decision}"}}),
            ),
            "The stage Deploy of k8s uses #{gate.Decision}, which the gate sets that goes: take that out first.",
        ),
    ],
)
def test_what_codepipeline_would_refuse_is_refused(scene: Scene, whole: Any, told: str) -> None:
    scene.codepipeline.create_pipeline(pipeline=whole)
    said = run("detach", "k8s", "--yes")
    assert said.status == 252
    assert said.complaint.startswith(f"Error: {told}")
    assert said.complaint.endswith("Nothing was changed.")
    assert declared(scene)["version"] == 1


def test_a_variable_that_attach_declared_stays(scene: Scene) -> None:
    """Whoever starts the pipeline may name it still, and a start with a variable that is not declared fails."""
    scene.pipeline("infra")
    scene.pipeline("k8s")
    run("attach", "k8s", "--depends-on", "infra", "--bypass", "--yes")
    run("detach", "k8s", "--yes")
    assert [one["name"] for one in declared(scene)["variables"]] == ["bypass"]
