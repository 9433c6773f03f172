"""Lambda actions: the event, the result, continuation tokens and the time-outs."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import CodePipelineWorld, gate


def invoked(aws: CodePipelineWorld) -> tuple[str, dict[str, Any]]:
    """Start a pipeline with a gate; the execution and the job that the gate got."""
    aws.create("k8s", [gate(UserParameters="infra")])
    execution = aws.start("k8s")
    aws.advance(2)
    (job,) = aws.invocations
    return execution, job


def fail(aws: CodePipelineWorld, job: dict[str, Any], message: str = "infra runs") -> None:
    aws.client.put_job_failure_result(
        jobId=job["id"], failureDetails={"type": "JobFailed", "message": message}
    )


def test_the_event_has_exactly_the_documented_keys(aws: CodePipelineWorld) -> None:
    _, job = invoked(aws)
    assert set(job) == {"id", "accountId", "data"}
    assert job["accountId"] == ACCOUNT
    assert set(job["data"]) == {
        "actionConfiguration",
        "inputArtifacts",
        "outputArtifacts",
        "artifactCredentials",
    }
    assert job["data"]["actionConfiguration"] == {
        "configuration": {"FunctionName": "gate", "UserParameters": "infra"}
    }
    assert set(job["data"]["artifactCredentials"]) == {
        "accessKeyId",
        "secretAccessKey",
        "sessionToken",
    }


def test_success_lets_the_pipeline_go_on(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    details = {"summary": "infra is idle", "externalExecutionId": "x1", "percentComplete": 100}
    aws.client.put_job_success_result(
        jobId=job["id"], executionDetails=details, outputVariables={"Behind": "e1"}
    )
    assert aws.status("k8s", execution) == "Succeeded"
    latest = aws.latest_action("k8s", "S1")
    assert (latest["summary"], latest["externalExecutionId"], latest["percentComplete"]) == (
        "infra is idle",
        "x1",
        100,
    )
    run = aws.client.list_action_executions(pipelineName="k8s")["actionExecutionDetails"][0]
    assert run["output"]["executionResult"] == {
        "externalExecutionId": "x1",
        "externalExecutionSummary": "infra is idle",
    }
    assert run["output"]["outputVariables"] == {"Behind": "e1"}


def test_failure_fails_the_execution_with_the_message(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    fail(aws, job)
    assert aws.status("k8s", execution) == "Failed"
    error = {"code": "JobFailed", "message": "infra runs"}
    assert aws.latest_action("k8s", "S1")["errorDetails"] == error
    run = aws.client.list_action_executions(
        pipelineName="k8s", filter={"pipelineExecutionId": execution}
    )
    assert run["actionExecutionDetails"][0]["output"]["executionResult"]["errorDetails"] == error


def test_a_job_takes_one_result(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    fail(aws, job)
    with refused("InvalidJobStateException"):
        fail(aws, job)
    with refused("InvalidJobStateException"):
        aws.client.put_job_success_result(jobId=job["id"])
    with refused("JobNotFoundException"):
        fail(aws, {"id": "00000000-0000-0000-0000-000000000000"})
    assert aws.status("k8s", execution) == "Failed"


def test_a_job_of_a_stopped_or_deleted_pipeline_takes_none(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    aws.client.stop_pipeline_execution(
        pipelineName="k8s", pipelineExecutionId=execution, abandon=True
    )
    with refused("InvalidJobStateException"):
        fail(aws, job)
    aws.client.delete_pipeline(name="k8s")
    with refused("JobNotFoundException"):
        aws.client.get_job_details(jobId=job["id"])


def test_a_continuation_token_leads_to_a_new_job(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    aws.client.put_job_success_result(
        jobId=job["id"],
        continuationToken="since 12:00",
        executionDetails={"summary": "waits", "percentComplete": 40},
    )
    assert aws.latest_action("k8s", "S1")["percentComplete"] == 40
    aws.advance(29)
    assert len(aws.invocations) == 1
    aws.advance(1)
    second = aws.invocations[1]
    assert second["id"] != job["id"]
    assert second["data"]["continuationToken"] == "since 12:00"
    with refused("InvalidJobStateException"):
        fail(aws, job)
    aws.client.put_job_success_result(jobId=second["id"])
    assert aws.status("k8s", execution) == "Succeeded"


def test_no_reply_for_twenty_minutes_ends_the_action(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    aws.advance(minutes=19)
    aws.client.put_job_success_result(jobId=job["id"], continuationToken="t")
    aws.advance(minutes=19)
    assert aws.status("k8s", execution) == "InProgress"
    aws.advance(minutes=2)
    assert aws.status("k8s", execution) == "Failed"
    assert "failed to return a result" in aws.latest_action("k8s", "S1")["errorDetails"]["message"]


def test_twenty_four_hours_end_the_action_however_often_it_replies(aws: CodePipelineWorld) -> None:
    aws.dials.continuation_seconds = 900
    execution, _ = invoked(aws)
    for _ in range(95):
        aws.client.put_job_success_result(jobId=aws.invocations[-1]["id"], continuationToken="t")
        aws.advance(900)
    assert aws.status("k8s", execution) == "InProgress"
    aws.client.put_job_success_result(jobId=aws.invocations[-1]["id"], continuationToken="t")
    aws.advance(901)
    assert aws.status("k8s", execution) == "Failed"
    assert "24 hours" in aws.latest_action("k8s", "S1")["errorDetails"]["message"]


def test_an_unknown_function_fails_the_action(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [gate("nowhere")])
    execution = aws.start("k8s")
    aws.advance(2)
    assert aws.status("k8s", execution) == "Failed"
    assert "nowhere does not exist" in aws.latest_action("k8s", "S1")["errorDetails"]["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"outputVariables": {"a": "b"}, "continuationToken": "t"},
        {"outputVariables": {"a b": "c"}},
        {"continuationToken": "t" * 2049},
        {"executionDetails": {"summary": "s" * 2049}},
        {"executionDetails": {"percentComplete": 101}},
    ],
)
def test_results_beyond_the_limits_are_refused(
    aws: CodePipelineWorld, wrong: dict[str, Any]
) -> None:
    execution, job = invoked(aws)
    with refused("ValidationException"):
        aws.client.put_job_success_result(jobId=job["id"], **wrong)
    assert aws.status("k8s", execution) == "InProgress"


def test_failure_messages_and_types_beyond_the_limits_are_refused(aws: CodePipelineWorld) -> None:
    _, job = invoked(aws)
    with refused("ValidationException"):
        fail(aws, job, "m" * 5001)
    with refused("ValidationException"):
        aws.client.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "Tired", "message": "m"}
        )
    fail(aws, job, "m" * 5000)


@pytest.mark.parametrize("dial", ["nothing", "pipeline", "execution"])
def test_job_details_tell_as_much_as_the_dial_says(aws: CodePipelineWorld, dial: str) -> None:
    aws.dials.job_details = dial
    execution, job = invoked(aws)
    data = aws.client.get_job_details(jobId=job["id"])["jobDetails"]["data"]
    assert "secretAccessKey" in data["artifactCredentials"]
    context = data.get("pipelineContext", {})
    assert context.get("pipelineName") == (None if dial == "nothing" else "k8s")
    assert context.get("pipelineExecutionId") == (execution if dial == "execution" else None)
