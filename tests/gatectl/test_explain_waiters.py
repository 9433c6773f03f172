"""`gatectl explain infra`: what the owner of an upstream wants to know, which has no gate
itself.
"""

from __future__ import annotations

from tests.gatectl.test_explain import commands, edit, held, states
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.scene import Scene


def test_who_waits_for_it(scene: Scene) -> None:
    held(scene)
    scene.pipeline("infra-two")
    scene.gated("apps", ask("infra", "infra-two", pipeline="apps"))
    scene.start("apps")
    said = run("explain", "infra")
    assert (
        "infra has no gate: it waits for no other pipeline. k8s (since 12:00 UTC) and apps (since "
        "12:07 UTC) wait for it." in said.words
    )
    assert commands(said) == ["gatectl explain k8s", "gatectl explain apps"], (
        "no word of attach while somebody waits"
    )
    assert states("infra") == ["runs", "waited for"]
    assert states("infra-two") == ["idle", "not gated"], (
        "apps waits for both to be idle, and this one is"
    )


def test_a_success_that_does_not_come_is_waited_for_while_it_does_not_run(scene: Scene) -> None:
    scene.pipeline("infra", seconds=5, outcome="Failed")
    scene.gated("k8s", ask("infra", require="succeeded"))
    scene.start("infra")
    scene.start("k8s")
    assert states("infra") == ["failed", "waited for"]


def test_who_waits_for_one_of_many(scene: Scene) -> None:
    names = [f"net{number}" for number in range(8)]
    for name in [*names, "infra"]:
        scene.pipeline(name, seconds=1200)
    scene.gated("k8s", ask(*names, "infra"))
    scene.start("infra")
    scene.start("k8s")
    assert "k8s (since 12:00 UTC) waits for it." in run("explain", "infra").words


def test_a_rule_that_is_left_of_a_hold_counts_for_nobody(scene: Scene) -> None:
    held(scene)
    edit(scene, change=lambda declared: declared["stages"].pop(1))
    scene.start("k8s")
    assert states("infra") == ["runs", "not gated"]


def test_nobody_waits(scene: Scene) -> None:
    scene.pipeline("infra", seconds=1200)
    scene.start("infra")
    assert states("infra") == ["runs", "not gated"]
