"""`gatectl detach`: a pipeline's gate goes, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.session import Place
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.scene import Scene
from tests.support.somebody import as_somebody
from tests.support.structures import entry, gate, pipeline, rule, stage

ENDS = (
    "k8s waits for nobody any more. An execution that a rule holds (`gatectl holds` shows it) "
    "still ends by itself: "
    "k8s starts anew then, and goes through."
)


def declared(scene: Scene) -> Any:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]


def the_newest(scene: Scene, name: str) -> str:
    return scene.executions(name)[0]["pipelineExecutionId"]


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
    assert " ".join(after.split()) == ENDS
    assert stages(gated) == ["Source", "Deploy"]


def test_twice_says_so_and_writes_nothing(gated: Scene) -> None:
    run("detach", "k8s", "--yes")
    said = run("detach", "k8s", "--yes")
    assert (said.status, said.out) == (0, "k8s has no gate. Nothing was changed.\n")
    assert declared(gated)["version"] == 2
    assert run("detach", "k8s", "--json").json() == {
        "pipeline": "k8s",
        "changed": False,
        "cancelled": [],
        "warnings": [],
        "diff": [],
    }


def test_a_no_and_a_dry_run_change_nothing(gated: Scene) -> None:
    assert run("detach", "k8s", typed="n\n").status == 1
    assert (
        run("detach", "k8s", "--dry-run").out.splitlines()[-1] == "A dry run: nothing was changed."
    )
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
    said = run("detach", "k8s", "--yes")
    assert (said.status, said.words.endswith(ENDS)) == (0, True)
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=15)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


class TestOneThatWaitsInPlace:
    """It runs, and so CodePipeline cancels it."""

    @pytest.fixture
    def execution(self, scene: Scene) -> str:
        scene.pipeline("infra")
        scene.gated("k8s", ask(hold="wait"))
        scene.start("infra")
        return scene.start("k8s")

    def test_is_cancelled_as_it_says(self, scene: Scene, execution: str) -> None:
        said = run("detach", "k8s", typed="y\n")
        before, _, after = said.out.partition("Change k8s? [y/N]: y\n")
        assert " ".join(before.split()).endswith(
            f"Caution: k8s runs now (execution {execution[:8]}), and CodePipeline cancels what "
            "runs in a pipeline that is changed. "
            f"Execution {execution[:8]} waits in place: better let it go on first (gatectl "
            "release k8s), and wait for its end; "
            "else start it again afterwards."
        )
        assert after.splitlines() == [
            "k8s waits for nobody any more.",
            f"Execution {execution[:8]} of k8s was cancelled by this change. To start k8s anew:",
            "  aws codepipeline start-pipeline-execution --name k8s",
        ]
        scene.wait(minutes=15)
        assert scene.statuses() == ["Cancelled"]
        scene.start("k8s")
        scene.wait(minutes=2)
        assert scene.statuses() == ["Succeeded", "Cancelled"]

    def test_is_not_lost_where_the_caution_is_heeded(self, scene: Scene, execution: str) -> None:
        assert run("release", "k8s", "--yes").status == 0
        scene.wait(minutes=5)
        assert run("detach", "k8s", "--yes").words.endswith("k8s waits for nobody any more.")
        assert scene.statuses() == ["Succeeded"]

    def test_beside_one_that_works(self, scene: Scene, execution: str) -> None:
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="infra", pipelineExecutionId=the_newest(scene, "infra"), abandon=True
        )
        scene.wait(seconds=40)
        scene.start("infra")
        second = scene.start("k8s")
        said = run("detach", "k8s", "--dry-run").words
        assert (
            f"k8s runs now (executions {second[:8]} and {execution[:8]}), and CodePipeline cancels"
            in said
        )
        assert (
            f"Execution {second[:8]} waits in place: better let it go on first (gatectl release "
            "k8s), and wait for its end" in said
        )

    def test_in_parallel_mode_where_a_stage_shows_the_latest_alone(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask(hold="wait"), mode="PARALLEL")
        scene.start("infra")
        first, second = (scene.start("k8s")[:8] for _ in range(2))
        said = run("detach", "k8s", "--yes").words
        assert (
            f"Executions {second} and {first} wait in place: better let them go on first (gatectl "
            "release k8s), and wait for their end" in said
        )
        assert f"Executions {second} and {first} of k8s were cancelled by this change." in said

    def test_for_programs(self, scene: Scene, execution: str) -> None:
        assert run("detach", "k8s", "--dry-run", "--json").json()["cancelled"] == []
        assert run("detach", "k8s", "--yes", "--json").json()["cancelled"] == [execution]

    def test_the_command_that_starts_it_anew_is_of_that_region(
        self, scene: Scene, execution: str
    ) -> None:
        said = run("detach", "k8s", "--yes", "--region", "eu-central-1")
        assert said.out.endswith(
            "\n  aws codepipeline start-pipeline-execution --name k8s --region eu-central-1\n"
        )

    def test_who_may_not_see_where_it_stands_is_warned_too(
        self, scene: Scene, execution: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        as_somebody(
            monkeypatch,
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "codepipeline:ListActionExecutions", "Resource": "*"},
        )
        said = run("detach", "k8s", "--yes")
        assert (
            "pipeline that is changed. Better wait for its end; else start it again afterwards."
            in said.words
        )
        assert f"Execution {execution[:8]} of k8s was cancelled by this change." in said.words


def test_what_begins_while_somebody_thinks_is_named_when_it_is_cancelled(
    gated: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def agreed(place: Place, question: str) -> bool:
        begun.append(gated.start("k8s"))
        return True

    monkeypatch.setattr(Place, "agreed", agreed)
    said = run("detach", "k8s")
    assert "Caution" not in said.out
    assert f"Execution {begun[0][:8]} of k8s was cancelled by this change." in said.words


def test_what_somebody_else_changes_meanwhile_stays(
    gated: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        (
            pipeline(stage("Gate", gate())),
            "Without its gate k8s would have one stage, and CodePipeline wants two",
        ),
        (
            pipeline(
                stage("Gate", gate(), onSuccess=entry(rule("Alarm", "ours"))), stage("Deploy")
            ),
            "Without its gate the stage Gate of k8s has nothing to do, and would go with its "
            "condition onSuccess (Alarm): move that to ",
        ),
        (
            pipeline(
                stage("Gate", gate(namespace="gate")),
                stage(
                    "Deploy",
                    {
                        **gate("Tell"),
                        "configuration": {
                            "FunctionName": "tell",
                            "UserParameters": "#{gate.Decision}",
                        },
                    },
                ),
            ),
            "The stage Deploy of k8s uses #{gate.Decision}, which the gate sets that goes: take "
            "that out first.",
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
    """Whoever starts the pipeline may name it still, and a start with a variable that is not
    declared fails.
    """
    scene.pipeline("infra")
    scene.pipeline("k8s")
    run("attach", "k8s", "--depends-on", "infra", "--bypass", "--yes")
    run("detach", "k8s", "--yes")
    assert [one["name"] for one in declared(scene)["variables"]] == ["bypass"]
