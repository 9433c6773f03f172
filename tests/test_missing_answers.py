"""Everything in CodePipeline's answers that the model calls optional can be missing or empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import runtime
from chalicelib.board.lookout import Lookout
from sandbox.codepipeline import shapes
from tests.support.ask import ask
from tests.support.condition import conditioned
from tests.support.explaining import explains
from tests.support.held import RULE_MODES, hold_k8s
from tests.support.scene import Scene

LISTS = {
    "ListPipelineExecutions": "pipelineExecutionSummaries",
    "ListActionExecutions": "actionExecutionDetails",
    "ListRuleExecutions": "ruleExecutionDetails",
}
Change = Callable[[dict[str, Any]], object]


def leave_out_times(entry: dict[str, Any]) -> None:
    entry.pop("startTime", None)
    entry.pop("lastUpdateTime", None)


def leave_out_start(entry: dict[str, Any]) -> None:
    entry.pop("startTime", None)


def empty_times(entry: dict[str, Any]) -> None:
    entry.update(startTime="", lastUpdateTime="")


def garble_times(entry: dict[str, Any]) -> None:
    entry.update(startTime="soon", lastUpdateTime=1e300)


def leave_out_revision_ids(entry: dict[str, Any]) -> None:
    for revision in entry.get("sourceRevisions", ()):
        del revision["revisionId"]


def empty_revision_ids(entry: dict[str, Any]) -> None:
    for revision in entry.get("sourceRevisions", ()):
        revision["revisionId"] = ""


@pytest.fixture(
    params=[
        leave_out_times,
        leave_out_start,
        empty_times,
        garble_times,
        leave_out_revision_ids,
        empty_revision_ids,
    ]
)
def sparse(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The scene, in which something is missing from each entry of what the functions list."""
    change: Change = request.param
    events = runtime.aws.codepipeline._client.meta.events

    def change_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        if entries := LISTS.get(operation_model.name):
            answer = json.loads(response_dict["body"])
            for entry in answer.get(entries, ()):
                change(entry)
            response_dict["body"] = json.dumps(answer).encode()

    events.register("before-parse.codepipeline", change_answer)
    yield scene
    events.unregister("before-parse.codepipeline", change_answer)


@pytest.mark.parametrize("pipeline_mode", ["SUPERSEDED", "PARALLEL"])
@pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
def test_a_hold_begins_and_ends(sparse: Scene, mode: str, pipeline_mode: str) -> None:
    sparse.world.dials.job_details = "nothing"
    sparse.pipeline("infra")
    sparse.gated("k8s", ask(hold=mode), mode=pipeline_mode)
    sparse.start("infra")
    sparse.start("k8s")
    sparse.wait(minutes=16)
    assert sparse.statuses()[0] == "Succeeded"
    assert "Succeeded" not in sparse.statuses()[1:]
    assert sparse.rules() == []


def test_a_newer_execution_replaces_a_held_one(sparse: Scene) -> None:
    hold_k8s(sparse, seconds=600, minutes=0)
    newer = sparse.start("k8s")
    sparse.wait(minutes=20)
    first, *_, last = sparse.statuses()
    assert (first, last) == ("Succeeded", "Failed")
    # It is the one that was started again, or that continues if its revisions are not known.
    assert sparse.executions()[-2]["pipelineExecutionId"] == newer
    assert sparse.rules() == []


def test_gatectl_and_the_board_read_answers_with_empty_times(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def empty_each_time(**members: Any) -> dict[str, Any]:
        times = [name for name in members if name.endswith(("Time", "Change", "created"))]
        return {**drop_missing(**members), **dict.fromkeys(times, "")}

    hold_k8s(scene, seconds=600, minutes=1)
    drop_missing = shapes.drop_missing
    monkeypatch.setattr(shapes, "drop_missing", empty_each_time)
    explains("k8s has been waiting for infra")
    assert Lookout().ask().state["problem"] is None


@pytest.mark.parametrize("mode", RULE_MODES)
@pytest.mark.parametrize("gated", ["action", "condition"])
def test_botocore_may_not_know_the_conditions_rules(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, gated: str, mode: str
) -> None:
    """Its paginator does not know the call either."""
    client: Any = runtime.aws.codepipeline._client
    monkeypatch.delattr(type(client), "list_rule_executions")
    monkeypatch.delitem(client._PY_TO_OP_NAME, "list_rule_executions")
    scene.world.dials.job_details = "execution"
    scene.pipeline("infra")
    if gated == "condition":
        conditioned(scene, hold=mode)
    else:
        scene.gated("k8s", ask(hold=mode), outcome="Failed")
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=26)
    assert scene.statuses()[0] == ("Succeeded" if gated == "condition" else "Failed")
    assert scene.rules() == []
