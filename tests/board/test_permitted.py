"""The deployed Board's policy allows all that it needs, and every line of it is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from chalicelib.board.lookout import Lookout
from sandbox.account import ACCOUNT, create_role
from tests.support.ask import ask
from tests.support.held import hold_k8s
from tests.support.scene import Scene

POLICY: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / ".chalice/policy-board.json").read_text()
)
CALLS = (
    "ListPipelines",
    "GetPipeline",
    "ListPipelineExecutions",
    "GetPipelineState",
    "ListRules",
    "ListTargetsByRule",
)


@pytest.fixture
def held(scene: Scene) -> Scene:
    """k8s, which infra holds."""
    hold_k8s(scene, minutes=0)
    return scene


def without(call: str) -> dict[str, Any]:
    """The policy that allows all but this call."""
    text, replaced = re.subn(rf'"\w+:{call}"', '"none:None"', json.dumps(POLICY))
    assert replaced
    policy: dict[str, Any] = json.loads(text)
    return policy


def seen_with(policy: dict[str, Any]) -> Any:
    """What a Board whose role has this policy shows."""
    role = create_role(f"board-{uuid4()}", "lambda.amazonaws.com")
    role.put_policy("board", json.dumps(policy))
    keys = boto3.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="board")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    return Lookout(lambda: session).ask().state


@pytest.mark.usefixtures("held")
def test_it_is_enough() -> None:
    state = seen_with(POLICY)
    assert state["problem"] is None
    assert [wait["pipeline"] for wait in state["seen"]["waits"]] == ["k8s"]


@pytest.mark.usefixtures("held")
def test_if_it_is_restricted_to_some_pipelines_the_others_are_named() -> None:
    narrow = json.loads(json.dumps(POLICY))
    for statement in narrow["Statement"]:
        if statement["Resource"] == "arn:*:codepipeline:*:*:*":
            statement["Resource"] = f"arn:aws:codepipeline:*:{ACCOUNT}:k8s"
    state = seen_with(narrow)
    assert state["problem"] is None
    assert [wait["pipeline"] for wait in state["seen"]["waits"]] == ["k8s"]
    assert state["seen"]["not_looked_at"] == [
        {"name": "infra", "why": "codepipeline:GetPipeline was denied"}
    ]
    infra = next(one for one in state["seen"]["pipelines"] if one["id"] == "infra")
    assert (infra["state"], infra["execution"]) == ("elsewhere", None)
    assert [edge["holds"] for edge in state["seen"]["edges"]] == [True]


def test_in_parallel_mode_all_waits_in_progress_are_shown_or_named(scene: Scene) -> None:
    scene.pipeline("infra", seconds=3600)
    scene.gated("k8s", ask("infra", hold="wait"), mode="PARALLEL")
    scene.start("infra")
    waiting = {scene.start("k8s"), scene.start("k8s")}
    seen = seen_with(POLICY)["seen"]
    assert ({wait["execution"]["id"] for wait in seen["waits"]}, seen["not_looked_at"]) == (
        waiting,
        [],
    )
    seen = seen_with(without("ListActionExecutions"))["seen"]
    assert len(seen["waits"]) == 1
    assert seen["not_looked_at"] == [
        {"name": "some executions of k8s", "why": "codepipeline:ListActionExecutions was denied"}
    ]


@pytest.mark.usefixtures("held")
def test_without_a_line_of_it_the_board_says_what_is_denied() -> None:
    for call in CALLS:
        state = seen_with(without(call))
        assert state["seen"] is None
        assert f":{call} (" in state["problem"]
        assert "docs/board.md lists every permission that it needs." in state["problem"]
