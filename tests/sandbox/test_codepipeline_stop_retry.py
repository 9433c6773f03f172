"""What people do to an execution: stop it, retry a stage, approve or reject."""

from __future__ import annotations

import pytest

from tests.sandbox.codepipeline_world import (
    UNKNOWN,
    CodePipelineWorld,
    action,
    approval,
    declaration,
)
from tests.support.clients import refused


def start_failing(aws: CodePipelineWorld, seconds: float = 10) -> str:
    """Start an execution whose action Bad fails the first time."""
    aws.fail_next("Bad", times=1)
    return aws.start(seconds)


def test_stop_waits_for_what_runs_and_starts_nothing_more(aws: CodePipelineWorld) -> None:
    aws.create([action("Build"), action("Test", order=2)])
    execution = aws.start(3)
    aws.stop(execution)
    assert aws.status(execution) == "Stopping"
    with refused("DuplicatedStopRequestException"):
        aws.stop(execution)
    aws.advance(10)
    assert aws.status(execution) == "Stopped"
    assert aws.latest_action()["status"] == "Succeeded"
    assert "latestExecution" not in aws.stage()["actionStates"][1]
    assert aws.states("Pipeline", execution) == ["STARTED", "STOPPING", "STOPPED"]
    assert aws.list_executions()[0]["stopTrigger"] == {"reason": "lunch"}
    with refused("PipelineExecutionNotStoppableException"):
        aws.stop(execution)


def test_abandon_stops_at_once_even_what_is_stopping(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    execution, following = aws.start(), aws.start(3)
    aws.stop(execution)
    aws.stop(execution, abandon=True)
    assert aws.status(execution) == "Stopped"
    assert aws.states("Action", execution)[-1] == "ABANDONED"
    aws.advance(10)
    assert aws.status(following) == "Succeeded"


def test_an_execution_that_waits_before_a_stage_stops_at_once(aws: CodePipelineWorld) -> None:
    aws.create([approval()])
    inside, waiting = aws.start(), aws.start(5)
    aws.stop(waiting)
    assert aws.statuses(inside, waiting) == ["InProgress", "Stopped"]
    assert aws.stage()["inboundExecutions"] == []


def test_retry_runs_the_failed_actions_again_and_the_execution_continues(
    aws: CodePipelineWorld,
) -> None:
    aws.create([action("Good"), action("Bad")], [action("Deploy")])
    execution = start_failing(aws)
    assert aws.status(execution) == "Failed"
    aws.retry(execution)
    assert aws.status(execution) == "InProgress"
    aws.advance(10)
    assert aws.status(execution) == "Succeeded"
    assert aws.states("Pipeline", execution) == ["STARTED", "FAILED", "RESUMED", "SUCCEEDED"]
    assert aws.stage()["retryStageMetadata"]["manualStageRetryAttempt"] == 1
    names = [run["actionName"] for run in aws.list_actions(execution)]
    assert names == ["Deploy", "Bad", "Bad", "Good", "Repo"]


def test_retry_of_all_actions_runs_the_whole_stage_again(aws: CodePipelineWorld) -> None:
    aws.create([action("Good"), action("Bad", order=2)])
    execution = start_failing(aws)
    aws.retry(execution, "ALL_ACTIONS")
    aws.advance(10)
    names = [run["actionName"] for run in aws.list_actions(execution)]
    assert names == ["Bad", "Good", "Bad", "Good", "Repo"]
    assert aws.status(execution) == "Succeeded"


def test_retry_with_a_neighbour_still_running(aws: CodePipelineWorld) -> None:
    aws.create([action("Bad"), approval()])
    execution = start_failing(aws)
    with refused("ConflictException"):
        aws.retry(execution, "ALL_ACTIONS")
    aws.retry(execution)
    aws.advance(10)
    assert aws.latest_action()["status"] == "Succeeded"
    assert aws.status(execution) == "InProgress"


def test_retry_is_refused_if_it_makes_no_sense(aws: CodePipelineWorld) -> None:
    aws.create([action("Bad")])
    execution = start_failing(aws, 3)
    with refused("StageNotFoundException"):
        aws.retry(execution, stage="Nowhere")
    with refused("StageNotRetryableException"):
        aws.retry(execution)
    aws.advance(10)
    newer = aws.start(3)
    with refused("NotLatestPipelineExecutionException"):
        aws.retry(execution)
    aws.advance(10)
    assert aws.status(newer) == "Succeeded"


def test_after_an_edit_no_retry_is_possible_or_goes_on(aws: CodePipelineWorld) -> None:
    aws.create([action("Bad")])
    execution = start_failing(aws)
    aws.retry(execution)
    aws.client.update_pipeline(pipeline=declaration([action("Bad")]))
    aws.advance(10)
    assert aws.status(execution) == "Cancelled"
    execution = start_failing(aws)
    aws.client.update_pipeline(pipeline=declaration([action("Bad")]))
    with refused("StageNotRetryableException"):
        aws.retry(execution)


def test_in_parallel_mode_any_failed_execution_can_be_retried(aws: CodePipelineWorld) -> None:
    aws.create([action("Bad")], mode="PARALLEL")
    aws.fail_next("Bad", times=2)
    older, newer = aws.start(), aws.start(10)
    aws.retry(older)
    aws.advance(10)
    assert aws.statuses(older, newer) == ["Succeeded", "Failed"]


def test_a_stopped_execution_can_be_retried(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    execution = aws.start(3)
    aws.stop(execution, abandon=True)
    aws.retry(execution)
    aws.advance(10)
    assert aws.status(execution) == "Succeeded"


@pytest.mark.parametrize(("answer", "status"), [("Approved", "Succeeded"), ("Rejected", "Failed")])
def test_an_approval_waits_for_its_answer(aws: CodePipelineWorld, answer: str, status: str) -> None:
    aws.create([approval()])
    execution = aws.start(3600)
    token = aws.latest_action()["token"]
    with refused("InvalidApprovalTokenException"):
        aws.approve(UNKNOWN)
    aws.approve(token, answer)
    assert aws.status(execution) == status
    assert aws.latest_action()["summary"] == "looks fine"
    with refused("ApprovalAlreadyCompletedException"):
        aws.approve(token)


def test_an_unanswered_approval_fails_after_seven_days(aws: CodePipelineWorld) -> None:
    aws.create([approval()])
    execution = aws.start()
    aws.advance(days=6.9)
    assert aws.status(execution) == "InProgress"
    aws.advance(days=0.2)
    assert aws.status(execution) == "Failed"


def test_in_parallel_mode_the_token_is_in_the_actions_history(aws: CodePipelineWorld) -> None:
    aws.create([approval()], mode="PARALLEL")
    execution = aws.start(5)
    assert "token" not in aws.latest_action()
    aws.approve(aws.list_actions()[0]["output"]["executionResult"]["externalExecutionId"])
    assert aws.status(execution) == "Succeeded"
