"""What people do to an execution: stop it, retry a stage, approve or reject."""

from __future__ import annotations

import pytest

from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import CodePipelineWorld, action, approval, declaration


def fail_once(aws: CodePipelineWorld, *names: str) -> None:
    """Let these actions fail the first time and succeed the second."""
    failed_names: set[str] = set()

    def outcome(_execution: object, _stage: str, name: str) -> tuple[float, str]:
        first = name not in failed_names
        failed_names.add(name)
        return 2, "Failed" if first and name in names else "Succeeded"

    aws.backend.outcome = outcome


def retry(
    aws: CodePipelineWorld, execution: str, mode: str = "FAILED_ACTIONS", stage: str = "S1"
) -> None:
    aws.client.retry_stage_execution(
        pipelineName="k8s", stageName=stage, pipelineExecutionId=execution, retryMode=mode
    )


def stop(aws: CodePipelineWorld, execution: str, *, abandon: bool = False) -> None:
    aws.client.stop_pipeline_execution(
        pipelineName="k8s", pipelineExecutionId=execution, abandon=abandon, reason="lunch"
    )


def test_stop_waits_for_what_runs_and_starts_nothing_more(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build"), action("Test", order=2)])
    execution = aws.start("k8s")
    aws.advance(3)
    stop(aws, execution)
    assert aws.status("k8s", execution) == "Stopping"
    with refused("DuplicatedStopRequestException"):
        stop(aws, execution)
    aws.advance(10)
    assert aws.status("k8s", execution) == "Stopped"
    assert aws.latest_action("k8s", "S1")["status"] == "Succeeded"
    assert "latestExecution" not in aws.stage("k8s", "S1")["actionStates"][1]
    assert aws.states("Pipeline", execution) == ["STARTED", "STOPPING", "STOPPED"]
    assert aws.client.list_pipeline_executions(pipelineName="k8s")["pipelineExecutionSummaries"][0][
        "stopTrigger"
    ] == {"reason": "lunch"}
    with refused("PipelineExecutionNotStoppableException"):
        stop(aws, execution)


def test_abandon_stops_at_once_even_what_is_stopping(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")])
    execution, following = aws.start("k8s"), aws.start("k8s")
    aws.advance(3)
    stop(aws, execution)
    stop(aws, execution, abandon=True)
    assert aws.status("k8s", execution) == "Stopped"
    assert aws.states("Action", execution)[-1] == "ABANDONED"
    aws.advance(10)
    assert aws.status("k8s", following) == "Succeeded"


def test_an_execution_that_waits_before_a_stage_stops_at_once(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [approval()])
    inside, waiting = aws.start("k8s"), aws.start("k8s")
    aws.advance(5)
    stop(aws, waiting)
    assert (aws.status("k8s", inside), aws.status("k8s", waiting)) == ("InProgress", "Stopped")
    assert aws.stage("k8s", "S1")["inboundExecutions"] == []


def test_retry_runs_the_failed_actions_again_and_the_execution_goes_on(
    aws: CodePipelineWorld,
) -> None:
    aws.create("k8s", [action("Good"), action("Bad")], [action("Deploy")])
    fail_once(aws, "Bad")
    execution = aws.start("k8s")
    aws.advance(10)
    assert aws.status("k8s", execution) == "Failed"
    retry(aws, execution)
    assert aws.status("k8s", execution) == "InProgress"
    aws.advance(10)
    assert aws.status("k8s", execution) == "Succeeded"
    assert aws.states("Pipeline", execution) == ["STARTED", "FAILED", "RESUMED", "SUCCEEDED"]
    assert aws.stage("k8s", "S1")["retryStageMetadata"]["manualStageRetryAttempt"] == 1
    runs = aws.client.list_action_executions(
        pipelineName="k8s", filter={"pipelineExecutionId": execution}
    )
    assert [run["actionName"] for run in runs["actionExecutionDetails"]] == [
        "Deploy",
        "Bad",
        "Bad",
        "Good",
        "Repo",
    ]


def test_retry_of_all_actions_begins_the_stage_anew(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Good"), action("Bad", order=2)])
    fail_once(aws, "Bad")
    execution = aws.start("k8s")
    aws.advance(10)
    retry(aws, execution, "ALL_ACTIONS")
    aws.advance(10)
    runs = aws.client.list_action_executions(
        pipelineName="k8s", filter={"pipelineExecutionId": execution}
    )
    assert [run["actionName"] for run in runs["actionExecutionDetails"]] == [
        "Bad",
        "Good",
        "Bad",
        "Good",
        "Repo",
    ]
    assert aws.status("k8s", execution) == "Succeeded"


def test_retry_with_a_neighbour_still_running(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Bad"), approval()])
    fail_once(aws, "Bad")
    execution = aws.start("k8s")
    aws.advance(10)
    with refused("ConflictException"):
        retry(aws, execution, "ALL_ACTIONS")
    retry(aws, execution)
    aws.advance(10)
    assert aws.latest_action("k8s", "S1")["status"] == "Succeeded"
    assert aws.status("k8s", execution) == "InProgress"


def test_retry_is_refused_where_it_makes_no_sense(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Bad")])
    fail_once(aws, "Bad")
    execution = aws.start("k8s")
    aws.advance(3)
    with refused("StageNotFoundException"):
        retry(aws, execution, stage="Nowhere")
    with refused("StageNotRetryableException"):
        retry(aws, execution)
    aws.advance(10)
    newer = aws.start("k8s")
    aws.advance(3)
    with refused("NotLatestPipelineExecutionException"):
        retry(aws, execution)
    aws.advance(10)
    assert aws.status("k8s", newer) == "Succeeded"


def test_retry_is_refused_after_an_edit(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Bad")])
    fail_once(aws, "Bad")
    execution = aws.start("k8s")
    aws.advance(10)
    aws.client.update_pipeline(pipeline=declaration("k8s", [action("Bad")]))
    with refused("StageNotRetryableException"):
        retry(aws, execution)


def test_an_edit_cancels_what_was_retried(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Bad")])
    fail_once(aws, "Bad")
    execution = aws.start("k8s")
    aws.advance(10)
    retry(aws, execution)
    aws.client.update_pipeline(pipeline=declaration("k8s", [action("Bad")]))
    aws.advance(10)
    assert aws.status("k8s", execution) == "Cancelled"


def test_in_parallel_mode_any_failed_execution_can_be_retried(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Bad")], mode="PARALLEL")
    aws.backend.outcome = lambda _execution, stage, _name: (
        2,
        "Failed" if stage == "S1" else "Succeeded",
    )
    older, newer = aws.start("k8s"), aws.start("k8s")
    aws.advance(10)
    aws.backend.outcome = None
    retry(aws, older)
    aws.advance(10)
    assert (aws.status("k8s", older), aws.status("k8s", newer)) == ("Succeeded", "Failed")


def test_a_stopped_execution_can_be_retried(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")])
    execution = aws.start("k8s")
    aws.advance(3)
    stop(aws, execution, abandon=True)
    retry(aws, execution)
    aws.advance(10)
    assert aws.status("k8s", execution) == "Succeeded"


def approve(aws: CodePipelineWorld, token: str, status: str = "Approved") -> None:
    result = {"summary": "looks fine", "status": status}
    aws.client.put_approval_result(
        pipelineName="k8s", stageName="S1", actionName="Approve", result=result, token=token
    )


@pytest.mark.parametrize(("answer", "status"), [("Approved", "Succeeded"), ("Rejected", "Failed")])
def test_an_approval_waits_for_its_answer(aws: CodePipelineWorld, answer: str, status: str) -> None:
    aws.create("k8s", [approval()])
    execution = aws.start("k8s")
    aws.advance(3600)
    token = aws.latest_action("k8s", "S1")["token"]
    with refused("InvalidApprovalTokenException"):
        approve(aws, "00000000-0000-0000-0000-000000000000")
    approve(aws, token, answer)
    assert aws.status("k8s", execution) == status
    assert aws.latest_action("k8s", "S1")["summary"] == "looks fine"
    with refused("ApprovalAlreadyCompletedException"):
        approve(aws, token)


def test_an_approval_that_nobody_gives_fails_after_seven_days(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [approval()])
    execution = aws.start("k8s")
    aws.advance(days=6.9)
    assert aws.status("k8s", execution) == "InProgress"
    aws.advance(days=0.2)
    assert aws.status("k8s", execution) == "Failed"


def test_in_parallel_mode_the_token_stands_in_the_action_s_history(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [approval()], mode="PARALLEL")
    execution = aws.start("k8s")
    aws.advance(5)
    assert "token" not in aws.latest_action("k8s", "S1")
    run = aws.client.list_action_executions(pipelineName="k8s")["actionExecutionDetails"][0]
    approve(aws, run["output"]["executionResult"]["externalExecutionId"])
    assert aws.status("k8s", execution) == "Succeeded"
