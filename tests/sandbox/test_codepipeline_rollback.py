"""A stage is rolled back to an execution that succeeded in it, by hand or by the stage's onFailure;
and the automatic retry.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.codepipeline_world import (
    UNKNOWN,
    CodePipelineWorld,
    action,
    approval,
    declaration,
    gate,
    read_ids,
    source,
)
from tests.support.clients import refused


def roll_back(aws: CodePipelineWorld, target: str, stage: str = "S1") -> str:
    answer = aws.client.rollback_stage(
        pipelineName="k8s", stageName=stage, targetPipelineExecutionId=target
    )
    return str(answer["pipelineExecutionId"])


def succeeded(aws: CodePipelineWorld, **members: Any) -> str:
    execution = aws.start(20, **members)
    assert aws.status(execution) == "Succeeded"
    return execution


def with_on_failure(mode: str = "SUPERSEDED", **on_failure: Any) -> dict[str, Any]:
    pipeline = declaration([action("Deploy")], mode=mode)
    pipeline["stages"][1]["onFailure"] = on_failure
    return pipeline


def test_a_rollback_runs_its_stage_alone_with_the_target_s_revisions_and_variables(
    aws: CodePipelineWorld,
) -> None:
    deploy = action("Deploy", configuration={"Image": "#{variables.image} #{Repo.CommitId}"})
    variables = [{"name": "image", "defaultValue": "v9"}]
    aws.create([deploy], [action("Check")], sources=[source(namespace="Repo")], variables=variables)
    aws.backend.push("k8s", "Repo", "1111111")
    target = succeeded(aws, variables=[{"name": "image", "value": "v1"}])
    aws.backend.push("k8s", "Repo", "2222222")
    succeeded(aws)

    execution = roll_back(aws, target)
    aws.advance(20)
    shown = aws.execution(execution)
    assert (shown["status"], shown["executionType"]) == ("Succeeded", "ROLLBACK")
    assert shown["trigger"]["triggerType"] == "ManualRollback"
    metadata = {"rollbackTargetPipelineExecutionId": target}
    assert shown["rollbackMetadata"] == metadata
    assert shown["variables"] == [{"name": "image", "resolvedValue": "v1"}]
    listed = aws.list_executions()
    assert (listed[0]["executionType"], listed[1]["executionType"]) == ("ROLLBACK", "STANDARD")
    assert listed[0]["rollbackMetadata"] == metadata
    assert [revision["revisionId"] for revision in listed[0]["sourceRevisions"]] == ["1111111"]
    (run,) = aws.list_actions(execution)
    assert run["actionName"] == "Deploy"
    assert run["input"]["resolvedConfiguration"] == {"Image": "v1 1111111"}
    assert aws.states("Pipeline", execution) == ["STARTED", "SUCCEEDED"]
    assert aws.stage()["latestExecution"] == {
        "pipelineExecutionId": execution,
        "status": "Succeeded",
        "type": "ROLLBACK",
    }


def test_what_is_refused_as_a_target(aws: CodePipelineWorld) -> None:
    aws.create([action("Deploy")])
    target = succeeded(aws)
    with refused("StageNotFoundException"):
        roll_back(aws, target, "Nowhere")
    with refused("PipelineExecutionNotFoundException"):
        roll_back(aws, UNKNOWN)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target, "Source")
    rolled_back = roll_back(aws, target)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target)  # the stage runs
    aws.advance(20)
    aws.fail_next("Deploy")
    for execution in (rolled_back, aws.start(20)):
        with refused("UnableToRollbackStageException"):
            roll_back(aws, execution)
    aws.client.update_pipeline(pipeline=declaration([action("Deploy")]))
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target)


def test_a_target_older_than_the_history_is_outdated(aws: CodePipelineWorld) -> None:
    aws.create([action("Deploy")])
    target = succeeded(aws)
    aws.advance(days=366)
    with refused("PipelineExecutionOutdatedException"):
        roll_back(aws, target)


def test_a_stage_with_running_actions_is_busy(aws: CodePipelineWorld) -> None:
    aws.create([action("Deploy"), approval()])
    target = aws.start(5)
    aws.approve(aws.latest_action(1)["token"])
    aws.fail_next("Deploy")
    assert aws.status(aws.start(20)) == "Failed"
    with refused("ConflictException"):
        roll_back(aws, target)


def test_no_rollback_in_parallel_mode(aws: CodePipelineWorld) -> None:
    with refused("InvalidStageDeclarationException"):
        aws.client.create_pipeline(pipeline=with_on_failure("PARALLEL", result="ROLLBACK"))
    aws.create([action("Deploy")], mode="PARALLEL")
    target = succeeded(aws)
    with refused("UnableToRollbackStageException"):
        roll_back(aws, target)


def test_a_rolled_back_gate_s_job_is_as_any_other(aws: CodePipelineWorld) -> None:
    aws.create([gate(UserParameters="#{codepipeline.PipelineExecutionId}")])
    target = aws.start(2)
    aws.succeed()
    execution = roll_back(aws, target)
    configuration = aws.invocations[1]["data"]["actionConfiguration"]["configuration"]
    assert configuration["UserParameters"] == execution
    aws.fail()
    assert aws.status(execution) == "Failed"
    aws.retry(execution)
    aws.succeed()
    assert aws.status(execution) == "Succeeded"


def test_a_failed_stage_rolls_back_automatically(aws: CodePipelineWorld) -> None:
    aws.client.create_pipeline(pipeline=with_on_failure(result="ROLLBACK"))
    aws.fail_next("Deploy", times=1)
    assert aws.status(aws.start(20)) == "Failed"  # there was nothing to go back to
    target = succeeded(aws)
    aws.fail_next("Deploy", times=1)
    failed = aws.start(20)
    assert aws.status(failed) == "Failed"
    latest = aws.stage()["latestExecution"]
    assert (latest["status"], latest["type"]) == ("Succeeded", "ROLLBACK")
    shown = aws.execution(latest["pipelineExecutionId"])
    assert shown["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": failed}
    assert shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": target}


def test_an_edit_leaves_nothing_to_roll_back_to_automatically(aws: CodePipelineWorld) -> None:
    aws.client.create_pipeline(pipeline=with_on_failure(result="ROLLBACK"))
    succeeded(aws)
    aws.client.update_pipeline(pipeline=with_on_failure(result="ROLLBACK"))
    aws.fail_next("Deploy", times=1)
    failed = aws.start(20)
    assert aws.stage()["latestExecution"]["pipelineExecutionId"] == failed


def test_a_rollback_that_fails_is_the_end(aws: CodePipelineWorld) -> None:
    aws.client.create_pipeline(pipeline=with_on_failure(result="ROLLBACK"))
    succeeded(aws)
    aws.fail_next("Deploy")
    aws.start(60)
    assert [(each["executionType"], each["status"]) for each in aws.list_executions()] == [
        ("ROLLBACK", "Failed"),
        ("STANDARD", "Failed"),
        ("STANDARD", "Succeeded"),
    ]


@pytest.mark.parametrize(("failures", "status"), [(1, "Succeeded"), (2, "Failed")])
def test_a_failed_stage_retries_once_automatically_and_keeps_its_lock(
    aws: CodePipelineWorld, failures: int, status: str
) -> None:
    mode = {"retryMode": "ALL_ACTIONS"}
    aws.client.create_pipeline(
        pipeline=with_on_failure("QUEUED", result="RETRY", retryConfiguration=mode)
    )
    aws.fail_next("Deploy", times=failures)
    execution, waiting = aws.start(), aws.start(5)
    state = aws.stage()
    assert state["latestExecution"]["pipelineExecutionId"] == execution
    assert read_ids(state["inboundExecutions"]) == [waiting]
    assert state["retryStageMetadata"] == {
        "autoStageRetryAttempt": 1,
        "latestRetryTrigger": "AutomatedStageRetry",
    }
    aws.advance(20)
    assert aws.statuses(execution, waiting) == [status, "Succeeded"]
