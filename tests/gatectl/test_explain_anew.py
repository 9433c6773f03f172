"""What `gatectl explain` says of a start follows from the gate that stands there now, and not from
the one that held.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.gatectl.test_explain import commands, edit, held, words
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.scene import Scene, gate_stage


def without_gate(declared: Any) -> None:
    declared["stages"].pop(1)


def change(scene: Scene, **more: Any) -> None:
    def changed(declared: Any) -> None:
        declared["stages"][1] = gate_stage(ask("infra", **more))

    edit(scene, change=changed)


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_with_the_gate_out_a_start_goes_through(scene: Scene, mode: str) -> None:
    held(scene, hold=mode)
    edit(scene, change=without_gate)
    said = run("explain", "k8s")
    assert (
        "To start it anew: it has no gate now, so nothing holds it (AWS retries no stage of a "
        "pipeline that was edited" in said.words
    )
    assert (
        "k8s has no gate any more: its next executions wait for nobody. This hold stays until it "
        "ends." in said.words
    )
    assert not any(word in said.words for word in ("asks anew", "waits anew", "asks its gate"))
    assert not any("attach" in command for command in commands(said))


def test_what_a_detach_cancelled_is_started_without_a_gate(scene: Scene) -> None:
    held(scene, hold="wait")
    edit(scene, change=without_gate)
    said = words()
    assert (
        "Somebody edited the pipeline while it ran: that cancels what runs, and attach and detach "
        "are edits, too." in said
    )
    assert "To start it anew: it has no gate now, so nothing holds it:" in said


def test_what_an_attach_cancelled_asks_the_gate_as_it_is_now(scene: Scene) -> None:
    held(scene, hold="wait")
    change(scene, require="succeeded")
    assert (
        "To start it anew, so that it asks its gate, which waits for a success of infra:" in words()
    )


def test_a_hold_keeps_to_what_was_asked_when_it_began(scene: Scene) -> None:
    held(scene, require="succeeded", give_up_minutes=60)
    change(scene, hold="retry")
    said = words()
    assert (
        "Its gate was changed since. This hold keeps to what was asked when it began: depends_on "
        "a success of infra (now infra), "
        "hold restart (now retry), give_up_minutes 60 (now none) and on_give_up stop (now none)."
        in said
    )
    assert "the wait ends and nothing is started: start it anew then." in said, (
        "AWS would not retry its stage"
    )


@pytest.mark.parametrize(
    "more",
    [{}, {"give_up_minutes": 60, "on_give_up": "continue", "parked": "pass"}, {"hold": "retry"}],
)
def test_nothing_is_said_of_a_gate_that_asks_the_same(scene: Scene, more: dict[str, Any]) -> None:
    held(scene, **more)
    edit(scene)
    assert "was changed since" not in words()
