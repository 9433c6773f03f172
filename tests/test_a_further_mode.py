"""A hold mode is one entry in MODES: with it, everything that people see works."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from chalicelib.account.reader import AccountReader
from chalicelib.board.snapshot import build_snapshot
from chalicelib.holds.mode import MODES, HoldMode
from sandbox.account import REGION
from sandbox.clock import utcnow
from tests.support.cli import run
from tests.support.held import hold_k8s
from tests.support.scene import Scene

FURTHER_MODES = (
    HoldMode("pause", stays_in_progress=False, starts_over=False, mode_of_rule="pause"),
    HoldMode("renew", stays_in_progress=False, starts_over=True, mode_of_rule="renew"),
    HoldMode("linger", stays_in_progress=True, starts_over=False, mode_of_rule="retry"),
)


@pytest.fixture(params=FURTHER_MODES, ids=str)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> HoldMode:
    mode: HoldMode = request.param
    monkeypatch.setitem(MODES, mode.name, mode)
    return mode


def test_a_pipeline_is_held_shown_and_continues(scene: Scene, mode: HoldMode) -> None:
    hold_k8s(scene, seconds=600, minutes=0, hold=mode.name)

    def client(service: str) -> Any:
        return boto3.client(service)  # type: ignore[call-overload]

    (wait,) = build_snapshot(AccountReader(client).read_view(utcnow()), REGION, utcnow())["waits"]
    assert wait["hold"] == mode.name
    (row,) = run("holds", "--json").json()["holds"]
    assert (row["hold"], row["waits"]) == (mode.name, True)
    for command in (["explain", "k8s"], ["graph"], ["doctor"], ["check"], ["holds"]):
        assert "Traceback" not in (shown := run(*command)).out + shown.err
    assert "k8s has been waiting for infra" in run("explain", "k8s").words
    history = run("history", "k8s", "--depends-on", "infra", "--json").json()
    shown_modes = {way["hold"] for policy in history["policies"] for way in policy["ways"]}
    assert mode.name in shown_modes
    scene.wait(minutes=20)
    statuses = ["Succeeded", "Failed"] if mode.starts_over else ["Succeeded"]
    assert scene.statuses() == statuses
    assert scene.rules() == []


def test_a_person_can_let_it_go(scene: Scene, mode: HoldMode) -> None:
    hold_k8s(scene, seconds=3000, minutes=0, hold=mode.name)
    assert run("release", "k8s", "--yes").status == 0
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]
