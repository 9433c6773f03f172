"""`hold`: `wait`. The action stays in progress until the upstreams let it pass; no execution
fails.
"""

from __future__ import annotations

from typing import Any

from chalicelib.pipelines.wait_cycles import read_mark
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene


def waits(scene: Scene, minutes: float = 10, **more: Any) -> str:
    """infra runs for `minutes`, and k8s waits at its gate. Returns its execution's id."""
    scene.pipeline("infra", seconds=60 * minutes)
    scene.gated("k8s", ask(hold="wait"), **more)
    scene.start("infra")
    return scene.start("k8s")


def test_the_action_stays_in_progress_and_says_why_until_the_upstream_ends(scene: Scene) -> None:
    execution = waits(scene)
    assert scene.gate_action()["status"] == "InProgress"
    assert "infra is running: execution " in scene.gate_action()["summary"]
    scene.wait(minutes=5)
    assert "12:05 UTC" in scene.gate_action()["summary"]
    scene.wait(minutes=7)
    assert scene.statuses() == ["Succeeded"]
    assert [one["pipelineExecutionId"] for one in scene.executions()] == [execution]


def test_no_rule_is_created_and_each_check_costs_four_calls(scene: Scene, calls: Calls) -> None:
    waits(scene)
    assert scene.rules() == []
    calls.made.clear()
    scene.wait(seconds=30)
    assert calls.made == [
        "ListPipelineExecutions",
        "GetPipelineState",
        "ListTargetsByRule",
        "PutJobSuccessResult",
    ]


def test_every_summary_names_what_continues(scene: Scene) -> None:
    waits(scene)
    commit = scene.executions()[0]["sourceRevisions"][0]["revisionId"][:7]
    for _ in range(2):
        assert f"Then k8s continues with commit {commit}. " in scene.gate_action()["summary"]
        scene.wait(minutes=1)


def test_in_queued_mode_the_order_of_the_queue_is_kept(scene: Scene) -> None:
    first = waits(scene, mode="QUEUED")
    second = scene.start("k8s")
    scene.wait(minutes=20)
    assert [one["pipelineExecutionId"] for one in scene.executions()] == [second, first]
    assert scene.statuses() == ["Succeeded", "Succeeded"]
    ended = {one["pipelineExecutionId"]: one["lastUpdateTime"] for one in scene.executions()}
    assert ended[first] < ended[second]


def test_before_codepipeline_ends_the_action_a_rule_takes_over(scene: Scene) -> None:
    scene.world.dials.continuation_seconds = (
        600  # every half a minute, as CodePipeline may ask, shows no more
    )
    waits(scene, minutes=30 * 60)
    scene.wait(minutes=22 * 60 + 59)
    assert scene.statuses() == ["InProgress"]
    scene.wait(minutes=15)
    assert scene.statuses() == ["Failed"]
    assert "since 2026-11-23 12:00 UTC" in scene.gate_message()
    assert len(scene.rules()) == 1
    scene.wait(minutes=8 * 60)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


def test_an_upstream_that_aws_does_not_answer_about_keeps_it_waiting(
    scene: Scene, calls: Calls
) -> None:
    scene.pipeline("infra", seconds=60)
    scene.gated("k8s", ask(hold="wait"))
    calls.fail("ListPipelineExecutions", "ThrottlingException")
    scene.start("k8s")
    assert "The gate could not check infra" in scene.gate_action()["summary"]
    calls.mend()
    scene.wait(minutes=2)
    assert scene.statuses() == ["Succeeded"]


def test_the_action_shows_what_it_waits_for(scene: Scene) -> None:
    """It shows that as its external execution id. Other gates read it to find cycles."""
    waits(scene)
    mark = read_mark(scene.gate_action()["externalExecutionId"])
    assert mark
    (edge,) = mark.waits
    assert (edge.pipeline, edge.require) == ("infra", "idle")


def test_a_function_that_never_answers_ends_after_codepipelines_own_time(
    scene: Scene, calls: Calls
) -> None:
    waits(scene)
    calls.fail("PutJobSuccessResult", "InternalFailure")
    scene.wait(minutes=60)
    assert scene.statuses() == ["Failed"]
    assert "failed to return a result within 20 minutes" in scene.gate_message()
