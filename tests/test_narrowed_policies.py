"""Policies that were narrowed as docs/permissions.md and SECURITY.md describe it allow everything
that the functions do.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from chalicelib import gate_function, retry_function
from chalicelib.aws.clients import Aws, make_client
from sandbox.account import ACCOUNT
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.clients import assume_role
from tests.support.condition import conditioned
from tests.support.deployment import configure, findings
from tests.support.held import RULE_MODES, edit, hold_k8s, roll_back_k8s
from tests.support.logs import read_log
from tests.support.person import role_may
from tests.support.scene import Scene

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/permissions.md").read_text()
(PIPELINES,) = re.findall(r"^```json\n(\[.*?\])\n```", PAGE, flags=re.MULTILINE | re.DOTALL)
"""What the page shows in place of ALL_PIPELINES."""
ALL_PIPELINES = '"arn:*:codepipeline:*:*:*"'
MODES = [*RULE_MODES, "wait"]


def narrow_policy(function: str) -> list[dict[str, Any]]:
    """The statements of a function's policy, for the pipelines of the page and the stage dev."""
    text = (ROOT / f".chalice/policy-{function}.json").read_text()
    assert ALL_PIPELINES in text
    text = text.replace(ALL_PIPELINES, PIPELINES)
    for name in ("gate", "retry"):
        text = text.replace(f"pipeline-gate-*-{name}", f"pipeline-gate-dev-{name}")
    statements: list[dict[str, Any]] = json.loads(
        text.replace("rule/pipeline-gate-*", "rule/pipeline-gate-dev-*")
    )["Statement"]
    return statements


def start_session(function: str) -> SimpleNamespace:
    """A Lambda runtime that has the function's role."""
    role = f"pipeline-gate-dev-{function}"
    keys = assume_role(boto3.client("sts"), f"arn:aws:iam::{ACCOUNT}:role/{role}", role)
    return SimpleNamespace(
        aws=Aws(lambda service, **settings: make_client(service, **keys, **settings))
    )


@pytest.fixture
def narrowed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The scene, whose functions may do no more than their narrowed policies allow. AWS does not
    say whose job it is, so the gate reads the execution's actions.
    """
    configure("dev")
    scene.world.dials.job_details = "nothing"
    for function, module in (("gate", gate_function), ("retry", retry_function)):
        role_may(f"pipeline-gate-dev-{function}", *narrow_policy(function))
        monkeypatch.setattr(module, "runtime", start_session(function))
    return scene


def check_continuation(scene: Scene) -> None:
    """The newest execution of k8s passes, and AWS denied no call."""
    scene.wait(minutes=20)
    assert scene.statuses()[0] == "Succeeded"
    assert scene.rules() == []
    assert "denied" not in json.dumps([read_log("gate"), read_log("retry")])


@pytest.mark.parametrize("pipeline_mode", ["SUPERSEDED", "QUEUED", "PARALLEL"])
@pytest.mark.parametrize("mode", MODES)
def test_a_hold(narrowed: Scene, mode: str, pipeline_mode: str) -> None:
    narrowed.pipeline("infra")
    narrowed.gated("k8s", ask(hold=mode), mode=pipeline_mode)
    narrowed.start("infra")
    narrowed.start("k8s")
    check_continuation(narrowed)


@pytest.mark.parametrize("mode", MODES)
def test_a_release(narrowed: Scene, mode: str) -> None:
    hold_k8s(narrowed, seconds=24 * 3600, minutes=0, hold=mode)
    assert run("release", "k8s", "--yes").status == 0
    narrowed.wait(minutes=1)
    check_continuation(narrowed)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("on_give_up", ["stop", "continue"])
def test_a_deadline(narrowed: Scene, mode: str, on_give_up: str) -> None:
    parameters = ask(hold=mode, give_up_minutes=2, on_give_up=on_give_up)
    narrowed.pipeline("infra", seconds=24 * 3600)
    narrowed.gated("k8s", parameters)
    narrowed.start("infra")
    narrowed.start("k8s")
    if on_give_up == "continue":
        check_continuation(narrowed)
    else:
        narrowed.wait(minutes=12)
        assert (narrowed.statuses(), narrowed.rules()) == (["Failed"], [])


@pytest.mark.parametrize("mode", MODES)
def test_a_rollback(narrowed: Scene, mode: str) -> None:
    roll_back_k8s(narrowed, mode)
    check_continuation(narrowed)


@pytest.mark.parametrize("mode", RULE_MODES)
def test_a_condition(narrowed: Scene, mode: str) -> None:
    narrowed.pipeline("infra")
    conditioned(narrowed, hold=mode)
    narrowed.start("infra")
    narrowed.start("k8s")
    check_continuation(narrowed)


@pytest.mark.parametrize("mode", RULE_MODES)
def test_an_edited_pipeline(narrowed: Scene, mode: str) -> None:
    hold_k8s(narrowed, hold=mode)
    edit(narrowed)
    check_continuation(narrowed)


@pytest.mark.parametrize("mode", RULE_MODES)
def test_the_doctor_finds_no_fault(narrowed: Scene, mode: str) -> None:
    hold_k8s(narrowed, hold=mode)
    assert findings() == []
