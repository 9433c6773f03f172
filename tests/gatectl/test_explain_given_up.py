"""`gatectl explain` after a wait was given up: what infra does now, and how to go on all the
same.
"""

from __future__ import annotations

import shlex

import pytest

from tests.gatectl.test_explain import RULES, commands, edit, held, short, words
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.deployment import paste
from tests.support.scene import Scene

TO_GO_ON = "To go on all the same: ask the gate again, and when it waits, let it go:"


@pytest.mark.parametrize("mode", [*RULES, "wait"])
def test_infra_still_runs(scene: Scene, mode: str) -> None:
    execution = held(scene, seconds=3600, hold=mode, give_up_minutes=5)
    scene.wait(minutes=6)
    said = run("explain", "k8s")
    assert (
        f"As it is now: infra runs: execution {short(scene, 'infra')} is InProgress since 12:00 "
        "UTC." in said.words
    )
    assert TO_GO_ON in said.words
    retry, release = commands(said)[-2:]
    assert execution in retry
    paste({"commands": [retry]})
    scene.wait(seconds=10)
    assert run(*shlex.split(release)[1:], "--yes").status == 0
    scene.wait(minutes=3)
    assert scene.statuses() == ["Succeeded"]


def test_a_gate_that_can_be_bypassed(scene: Scene) -> None:
    scene.pipeline("infra", seconds=3600)
    asked = ask("infra", give_up_minutes=5, bypass="#{variables.skip}")
    scene.gated("k8s", asked, variables=[{"name": "skip", "defaultValue": "false"}])
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=13)
    said = run("explain", "k8s")
    assert (
        "To go on all the same, with a new execution that its gate lets pass without a look:"
        in said.words
    )
    assert (
        commands(said)[-1]
        == "aws codepipeline start-pipeline-execution --name k8s --variables name=skip,value=true"
    )


@pytest.mark.parametrize("mode", [*RULES, "wait"])
def test_infra_has_ended_since(scene: Scene, mode: str) -> None:
    held(scene, hold=mode, give_up_minutes=5)
    scene.wait(minutes=30)
    said = words()
    assert (
        "As it is now, nothing of infra keeps it any more: its gate lets it pass when it is asked "
        "again." in said
    )
    assert "all the same" not in said


def test_after_an_edit_it_has_to_be_started_anew(scene: Scene) -> None:
    held(scene, seconds=3600, give_up_minutes=5)
    scene.wait(minutes=6)
    edit(scene)
    said = run("explain", "k8s")
    assert TO_GO_ON in said.words
    assert commands(said)[-2:] == [
        "aws codepipeline start-pipeline-execution --name k8s",
        "gatectl release k8s",
    ]
