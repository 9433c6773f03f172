"""A stage is rolled back to an execution that succeeded in it, by hand or by the stage's onFailure;
and the automatic retry.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import CodePipelineWorld, action, approval, declaration, gate


def roll_back(aws: CodePipelineWorld, target: str, stage: str = "S1") -> str:
    answer = aws.client.rollback_stage(
        pipelineName="k8s", stageName=stage, targetPipelineExecutionId=target
    )
    return str(answer["pipelineExecutionId"])


def succeeded(aws: CodePipelineWorld, **members: Any) -> str:
    execution = aws.start("k8s", **members)
    aws.advance(20)
    assert aws.status("k8s", execution) == "Succeeded"
    return execution


def fail_from_now_on(aws: CodePipelineWorld, times: int = 99) -> None:
    """Let the next runs of stage S1's actions fail."""
    left = times

    def outcome(_execution: object, stage: str, _name: str) -> tuple[float, str]:
        nonlocal left
        left -= stage == "S1"
        return 2, "Failed" if stage == "S1" and left >= 0 else "Succeeded"

    aws.backend.outcome = outcome


def create_with(aws: CodePipelineWorld, mode: str = "SUPERSEDED", **on_failure: Any) -> None:
    pipeline = declaration("k8s", [action("Deploy")], mode=mode)
    pipeline["stages"][1]["onFailure"] = on_failure
    aws.client.create_pipeline(pipeline=pipeline)


def test_a_rollback_runs_its_stage_alone_with_the_target_s_revisions_and_variables(
    aws: CodePipelineWorld,
) -> None:
    stages = (
        [action("Deploy", configuration={"Image": "#{variables.image} #{Repo.CommitId}"})],
        [action("Check")],
    )
    sources = [
        action("Repo", "Source", "CodeCommit", outputArtifacts=[{"name": "Code"}], namespace="Repo")
    ]
    aws.create("k8s", *stages, sources=sources, variables=[{"name": "image", "defaultValue": "v9"}])
    aws.backend.push("k8s", "Repo", "1111111")
    target = succeeded(aws, variables=[{"name": "image", "value": "v1"}])
    aws.backend.push("k8s", "Repo", "2222222")
    succeeded(aws)

    execution = roll_back(aws, target)
    aws.advance(20)
    shown = aws.execution("k8s", execution)
    assert (shown["status"], shown["executionType"], shown["trigger"]["triggerType"]) == (
        "Succeeded",
        "ROLLBACK",
        "ManualRollback",
    )
    assert shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": target}
    assert shown["variables"] == [{"name": "image", "resolvedValue": "v1"}]
    listed = aws.client.list_pipeline_executions(pipelineName="k8s")["pipelineExecutionSummaries"]
    assert (listed[0]["executionType"], listed[1]["executionType"]) == ("ROLLBACK", "STANDARD")
    assert listed[0]["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": target}
    assert [revision["revisionId"] for revision in listed[0]["sourceRevisions"]] == ["1111111"]
    runs = aws.client.list_action_executions(
        pipelineName="k8s", filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]
    assert [run["actionName"] for run in runs] == ["Deploy"]
    assert runs[0]["input"]["resolvedConfiguration"] == {"Image": "v1 1111111"}
    assert aws.states("Pipeline", execution) == ["STARTED", "SUCCEEDED"]
    assert aws.stage("k8s", "S1")["latestExecution"] == {
        "pipelineExecutionId": execution,
        "status": "Succeeded",
        "type": "ROLLBACK",
    }


def test_what_is_refused_as_a_target(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Deploy")])
    target = succeeded(aws)
    with refused("StageNotFoundException"):
        roll_back(aws, target, "Nowhere")
    with refused("PipelineExecutionNotFoundException"):
        roll_back(aws, "00000000-0000-0000-0000-000000000000")
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target, "Source")
    rolled_back = roll_back(aws, target)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target)  # the stage runs
    aws.advance(20)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, rolled_back)
    fail_from_now_on(aws)
    failed = aws.start("k8s")
    aws.advance(20)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, failed)
    aws.client.update_pipeline(pipeline=declaration("k8s", [action("Deploy")]))
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target)


def test_a_target_older_than_the_history_is_outdated(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Deploy")])
    target = succeeded(aws)
    aws.advance(days=366)
    with refused("PipelineExecutionOutdatedException"):
        roll_back(aws, target)


def test_a_stage_with_actions_that_go_on_is_busy(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Deploy"), approval()])
    target = aws.start("k8s")
    aws.advance(5)
    token = aws.latest_action("k8s", "S1", 1)["token"]
    result = {"summary": "", "status": "Approved"}
    aws.client.put_approval_result(
        pipelineName="k8s", stageName="S1", actionName="Approve", result=result, token=token
    )
    fail_from_now_on(aws)
    failed = aws.start("k8s")
    aws.advance(20)
    assert aws.status("k8s", failed) == "Failed"
    with refused("ConflictException"):
        roll_back(aws, target)


def test_no_rollback_in_parallel_mode(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Deploy")], mode="PARALLEL")
    target = succeeded(aws)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target)
    pipeline = declaration("apps", [action("Deploy")], mode="PARALLEL")
    pipeline["stages"][1]["onFailure"] = {"result": "ROLLBACK"}
    with refused("InvalidStageDeclarationException"):
        aws.client.create_pipeline(pipeline=pipeline)


def test_a_rolled_back_gate_s_job_is_as_any_other(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [gate(UserParameters="#{codepipeline.PipelineExecutionId}")])
    target = aws.start("k8s")
    aws.advance(2)
    aws.client.put_job_success_result(jobId=aws.invocations[0]["id"])
    execution = roll_back(aws, target)
    assert (
        aws.invocations[1]["data"]["actionConfiguration"]["configuration"]["UserParameters"]
        == execution
    )
    aws.client.put_job_failure_result(
        jobId=aws.invocations[1]["id"],
        failureDetails={"type": "JobFailed", "message": "infra runs"},
    )
    assert aws.status("k8s", execution) == "Failed"
    aws.client.retry_stage_execution(
        pipelineName="k8s",
        stageName="S1",
        pipelineExecutionId=execution,
        retryMode="FAILED_ACTIONS",
    )
    aws.client.put_job_success_result(jobId=aws.invocations[2]["id"])
    assert aws.status("k8s", execution) == "Succeeded"


def test_a_failed_stage_rolls_back_by_itself(aws: CodePipelineWorld) -> None:
    create_with(aws, result="ROLLBACK")
    fail_from_now_on(aws, times=1)
    first = aws.start("k8s")
    aws.advance(20)
    assert aws.status("k8s", first) == "Failed"  # there was nothing to go back to
    target = succeeded(aws)
    fail_from_now_on(aws, times=1)
    failed = aws.start("k8s")
    aws.advance(20)
    latest = aws.stage("k8s", "S1")["latestExecution"]
    assert (aws.status("k8s", failed), latest["status"], latest["type"]) == (
        "Failed",
        "Succeeded",
        "ROLLBACK",
    )
    shown = aws.execution("k8s", latest["pipelineExecutionId"])
    assert shown["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": failed}
    assert shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": target}


def test_an_edit_leaves_nothing_to_roll_back_to_by_itself(aws: CodePipelineWorld) -> None:
    create_with(aws, result="ROLLBACK")
    succeeded(aws)
    aws.client.update_pipeline(pipeline=aws.client.get_pipeline(name="k8s")["pipeline"])
    fail_from_now_on(aws, times=1)
    failed = aws.start("k8s")
    aws.advance(20)
    assert aws.stage("k8s", "S1")["latestExecution"]["pipelineExecutionId"] == failed


def test_a_rollback_that_fails_is_the_end(aws: CodePipelineWorld) -> None:
    create_with(aws, result="ROLLBACK")
    succeeded(aws)
    fail_from_now_on(aws)
    aws.start("k8s")
    aws.advance(60)
    listed = aws.client.list_pipeline_executions(pipelineName="k8s")["pipelineExecutionSummaries"]
    assert [(each["executionType"], each["status"]) for each in listed] == [
        ("ROLLBACK", "Failed"),
        ("STANDARD", "Failed"),
        ("STANDARD", "Succeeded"),
    ]


@pytest.mark.parametrize(("failures", "status"), [(1, "Succeeded"), (2, "Failed")])
def test_a_failed_stage_retries_once_by_itself_and_keeps_its_lock(
    aws: CodePipelineWorld, failures: int, status: str
) -> None:
    create_with(aws, mode="QUEUED", result="RETRY", retryConfiguration={"retryMode": "ALL_ACTIONS"})
    fail_from_now_on(aws, times=failures)
    execution, waiting = aws.start("k8s"), aws.start("k8s")
    aws.advance(5)
    state = aws.stage("k8s", "S1")
    assert state["latestExecution"]["pipelineExecutionId"] == execution
    assert state["inboundExecutions"][0]["pipelineExecutionId"] == waiting
    assert state["retryStageMetadata"] == {
        "autoStageRetryAttempt": 1,
        "latestRetryTrigger": "AutomatedStageRetry",
    }
    aws.advance(20)
    assert (aws.status("k8s", execution), aws.status("k8s", waiting)) == (status, "Succeeded")
