"""Everything in CodePipeline's answers that the model calls optional can be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import runtime
from tests.support.ask import ask
from tests.support.condition import conditioned
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


def leave_out_revision_ids(entry: dict[str, Any]) -> None:
    for revision in entry.get("sourceRevisions", ()):
        del revision["revisionId"]


def empty_revision_ids(entry: dict[str, Any]) -> None:
    for revision in entry.get("sourceRevisions", ()):
        revision["revisionId"] = ""


@pytest.fixture(
    params=[leave_out_times, leave_out_start, leave_out_revision_ids, empty_revision_ids]
)
def sparse(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The scene, in which something is missing from each entry of what the functions list."""
    change: Change = request.param
    events = runtime.aws.codepipeline._client.meta.events

    def leave_out(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        for entry in parsed.get(LISTS.get(model.name, ""), ()):
            change(entry)

    events.register("after-call.codepipeline", leave_out)
    yield scene
    events.unregister("after-call.codepipeline", leave_out)


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
