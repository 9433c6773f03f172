"""`hold`: `retry`. The held execution itself continues. A new one starts only if AWS does not retry
it.
"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import runtime
from tests.support.ask import ask
from tests.support.calls import Calls, timed_out
from tests.support.held import edit, hold_k8s
from tests.support.scene import Scene


@pytest.fixture
def held(scene: Scene) -> str:
    """k8s has been held from 12:00:10 on because infra runs until 12:10:02."""
    return hold_k8s(scene, seconds=600, minutes=0, hold="retry")


def test_the_same_execution_continues_within_seconds_after_the_upstream_ends(
    scene: Scene, held: str
) -> None:
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=9.9)
    assert scene.statuses() == ["InProgress"]
    assert [one["pipelineExecutionId"] for one in scene.executions()] == [held]
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]
    assert scene.rules() == []


def test_an_upstream_that_runs_again_just_then_holds_the_same_execution_again(
    scene: Scene, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rule exists all the time: a retry that removed it would remove the rule that the gate has
    just written again.
    """
    client = runtime.aws.codepipeline._client
    real = client.retry_stage_execution

    def infra_is_faster(**request: Any) -> Any:
        scene.codepipeline.start_pipeline_execution(name="infra")
        answer = real(**request)
        scene.wait(seconds=5)  # so the gate holds k8s again while the retry is still running
        return answer

    monkeypatch.setattr(client, "retry_stage_execution", infra_is_faster)
    scene.wait(minutes=10)
    monkeypatch.setattr(client, "retry_stage_execution", real)
    assert scene.statuses("infra") == ["InProgress", "Succeeded"]
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == [f"pipeline-gate-dev-{held}"]
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded"]
    assert [one["pipelineExecutionId"] for one in scene.executions()] == [held]


def test_an_edited_pipeline_whose_stage_aws_does_not_retry_is_started(
    scene: Scene, held: str
) -> None:
    edit(scene)
    scene.wait(minutes=12)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


@pytest.mark.parametrize(
    ("error", "after", "status"),
    [
        (timed_out(), True, "Succeeded"),
        ("StageNotRetryableException", True, "Succeeded"),  # a person has just retried it
        ("NotLatestPipelineExecutionException", False, "Failed"),  # a newer one is in the stage
    ],
)
def test_a_retry_that_aws_does_not_confirm_is_not_followed_by_a_start(
    scene: Scene, held: str, calls: Calls, error: str | Exception, after: bool, status: str
) -> None:
    calls.fail("RetryStageExecution", error, after=after)
    scene.wait(minutes=10)
    calls.mend()
    scene.wait(minutes=10)
    assert scene.statuses() == [status]
    assert scene.rules() == []


@pytest.mark.parametrize(
    "error", ["ConcurrentPipelineExecutionsLimitExceededException", "ErrorOfAFutureVersion"]
)
def test_a_retry_that_aws_refuses_is_repeated_and_the_wait_has_not_ended(
    scene: Scene, held: str, calls: Calls, error: str
) -> None:
    calls.fail("RetryStageExecution", error)
    scene.wait(minutes=12)
    hold = runtime.aws.eventbridge.read_hold(f"pipeline-gate-dev-{held}")
    assert hold is not None
    assert not hold.end_reported
    calls.mend()
    scene.wait(minutes=10)
    assert scene.statuses() == ["Succeeded"]


def test_a_gate_that_refuses_when_its_stage_is_retried_is_not_invoked_forever(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.pipeline("network")
    scene.gated("k8s", ask("infra", "network", hold="retry"))
    scene.start("infra")
    scene.start("k8s")
    scene.codepipeline.delete_pipeline(name="network")
    scene.wait(minutes=30)
    assert scene.statuses() == ["Failed"]
    assert "no pipeline network" in scene.gate_message()
    assert scene.rules() == []


def test_an_execution_that_fails_after_its_gate_passed_stays_failed(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask(hold="retry"), outcome="Failed")
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=40)
    assert scene.statuses() == ["Failed"]
    assert scene.gate_action()["status"] == "Succeeded"
    assert scene.rules() == []


def test_one_of_parallel_mode_that_its_pipelines_new_mode_does_not_retry_is_started(
    scene: Scene,
) -> None:
    scene.pipeline("infra", seconds=600)
    scene.gated("k8s", ask(hold="retry"), mode="PARALLEL")
    scene.start("infra")
    older, newer = scene.start("k8s"), scene.start("k8s")
    edited = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    scene.codepipeline.update_pipeline(pipeline={**edited, "executionMode": "QUEUED"})
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded", "Succeeded", "Failed", "Failed"]
    assert {record["pipelineExecutionId"] for record in scene.executions()[2:]} == {older, newer}
    assert scene.rules() == []


def test_a_policy_from_before_the_mark_lets_it_continue(scene: Scene, calls: Calls) -> None:
    """The retry function writes into the rule that it has reported the end. Its old policy denies
    that.
    """
    hold_k8s(scene, seconds=120, minutes=0, hold="retry")
    calls.fail("PutTargets", "AccessDeniedException")
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]
    calls.mend()
    scene.wait(minutes=10)
    assert scene.rules() == []
