"""Lambda actions: the event, the result, continuation tokens and the time-outs."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.codepipeline_world import UNKNOWN, CodePipelineWorld, gate
from tests.support.clients import refused


def invoked(aws: CodePipelineWorld) -> tuple[str, dict[str, Any]]:
    """Start a pipeline with a gate; the execution and the job that the gate got."""
    aws.create([gate(UserParameters="infra")])
    execution = aws.start(2)
    (job,) = aws.invocations
    return execution, job


def test_the_event_has_exactly_the_documented_keys(aws: CodePipelineWorld) -> None:
    _, job = invoked(aws)
    assert set(job) == {"id", "accountId", "data"}
    assert job["accountId"] == ACCOUNT
    artifacts = {"inputArtifacts", "outputArtifacts", "artifactCredentials"}
    assert set(job["data"]) == {"actionConfiguration", *artifacts}
    configuration = {"FunctionName": "gate", "UserParameters": "infra"}
    assert job["data"]["actionConfiguration"] == {"configuration": configuration}
    keys = {"accessKeyId", "secretAccessKey", "sessionToken"}
    assert set(job["data"]["artifactCredentials"]) == keys


def test_success_lets_the_pipeline_continue(aws: CodePipelineWorld) -> None:
    execution, _ = invoked(aws)
    details = {"summary": "infra is idle", "externalExecutionId": "x1", "percentComplete": 100}
    aws.succeed(executionDetails=details, outputVariables={"Behind": "e1"})
    assert aws.status(execution) == "Succeeded"
    assert aws.latest_action().items() >= details.items()
    output = aws.list_actions()[0]["output"]
    result = {"externalExecutionId": "x1", "externalExecutionSummary": "infra is idle"}
    assert (output["executionResult"], output["outputVariables"]) == (result, {"Behind": "e1"})


def test_failure_fails_the_execution_with_the_message(aws: CodePipelineWorld) -> None:
    execution, _ = invoked(aws)
    aws.fail()
    assert aws.status(execution) == "Failed"
    error = {"code": "JobFailed", "message": "infra runs"}
    assert aws.latest_action()["errorDetails"] == error
    assert aws.list_actions(execution)[0]["output"]["executionResult"]["errorDetails"] == error


def test_a_job_takes_one_result(aws: CodePipelineWorld) -> None:
    execution, _ = invoked(aws)
    aws.fail()
    for answer in (aws.fail, aws.succeed):
        with refused("InvalidJobStateException"):
            answer()
    with refused("JobNotFoundException"):
        aws.fail({"id": UNKNOWN})
    assert aws.status(execution) == "Failed"


def test_a_job_of_a_stopped_or_deleted_pipeline_takes_none(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    aws.stop(execution, abandon=True)
    with refused("InvalidJobStateException"):
        aws.fail()
    aws.client.delete_pipeline(name="k8s")
    with refused("JobNotFoundException"):
        aws.client.get_job_details(jobId=job["id"])


def test_a_continuation_token_leads_to_a_new_job(aws: CodePipelineWorld) -> None:
    execution, job = invoked(aws)
    details = {"summary": "waits", "percentComplete": 40}
    aws.succeed(continuationToken="since 12:00", executionDetails=details)
    assert aws.latest_action()["percentComplete"] == 40
    aws.advance(29)
    assert len(aws.invocations) == 1
    aws.advance(1)
    second = aws.invocations[1]
    assert second["id"] != job["id"]
    assert second["data"]["continuationToken"] == "since 12:00"
    with refused("InvalidJobStateException"):
        aws.fail(job)
    aws.succeed()
    assert aws.status(execution) == "Succeeded"


def test_no_reply_for_twenty_minutes_ends_the_action(aws: CodePipelineWorld) -> None:
    execution, _ = invoked(aws)
    aws.advance(minutes=19)
    aws.succeed(continuationToken="t")
    aws.advance(minutes=19)
    assert aws.status(execution) == "InProgress"
    aws.advance(minutes=2)
    assert aws.status(execution) == "Failed"
    assert "failed to return a result" in aws.latest_action()["errorDetails"]["message"]


def test_twenty_four_hours_end_the_action_however_often_it_replies(aws: CodePipelineWorld) -> None:
    aws.dials.continuation_seconds = 900
    execution, _ = invoked(aws)
    for _ in range(95):
        aws.succeed(continuationToken="t")
        aws.advance(900)
    assert aws.status(execution) == "InProgress"
    aws.succeed(continuationToken="t")
    aws.advance(901)
    assert aws.status(execution) == "Failed"
    assert "24 hours" in aws.latest_action()["errorDetails"]["message"]


def test_an_unknown_function_fails_the_action(aws: CodePipelineWorld) -> None:
    aws.create([gate("nowhere")])
    assert aws.status(aws.start(2)) == "Failed"
    assert "nowhere does not exist" in aws.latest_action()["errorDetails"]["message"]


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
    execution, _ = invoked(aws)
    with refused("ValidationException"):
        aws.succeed(**wrong)
    assert aws.status(execution) == "InProgress"


def test_failure_messages_and_types_beyond_the_limits_are_refused(aws: CodePipelineWorld) -> None:
    invoked(aws)
    for message, kind in (("m" * 5001, "JobFailed"), ("m", "Tired")):
        with refused("ValidationException"):
            aws.fail(message=message, kind=kind)
    aws.fail(message="m" * 5000)


@pytest.mark.parametrize("dial", ["nothing", "pipeline", "execution"])
def test_job_details_tell_as_much_as_the_dial_says(aws: CodePipelineWorld, dial: str) -> None:
    aws.dials.job_details = dial
    execution, job = invoked(aws)
    data = aws.client.get_job_details(jobId=job["id"])["jobDetails"]["data"]
    assert "secretAccessKey" in data["artifactCredentials"]
    context = data.get("pipelineContext", {})
    assert context.get("pipelineName") == (None if dial == "nothing" else "k8s")
    assert context.get("pipelineExecutionId") == (execution if dial == "execution" else None)
