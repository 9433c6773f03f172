"""A stage's entry condition: its rules, what a failed one leads to, what the API shows of it, and
how people get past it.
"""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import CodePipelineWorld, action, declaration


def rule(
    name: str = "Gate",
    provider: str = "LambdaInvoke",
    configuration: dict[str, str] | None = None,
    **members: Any,
) -> dict[str, Any]:
    kind = {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}
    return {
        "name": name,
        "ruleTypeId": kind,
        "configuration": configuration or {"FunctionName": "gate"},
        **members,
    }


def stand_in(name: str, outcome: str = "Succeeded") -> dict[str, Any]:
    return rule(name, "VariableCheck", {"SandboxOutcome": outcome})


def conditioned(
    *rules: dict[str, Any], result: str = "FAIL", mode: str = "SUPERSEDED", **members: Any
) -> dict[str, Any]:
    """A pipeline k8s whose stage S1 has this entry condition, followed by S2."""
    pipeline = declaration("k8s", [action("Deploy")], [action("Check")], mode=mode, **members)
    pipeline["stages"][1]["beforeEntry"] = {
        "conditions": [{"result": result, "rules": list(rules or [rule()])}]
    }
    return pipeline


def start(aws: CodePipelineWorld, *rules: dict[str, Any], **members: Any) -> str:
    """Create the pipeline and bring an execution to its condition."""
    aws.client.create_pipeline(pipeline=conditioned(*rules, **members))
    execution = aws.start("k8s")
    aws.advance(2)
    return execution


def fail(aws: CodePipelineWorld) -> None:
    details = {"type": "JobFailed", "message": "infra runs"}
    aws.client.put_job_failure_result(jobId=aws.invocations[-1]["id"], failureDetails=details)


def succeed(aws: CodePipelineWorld, **members: Any) -> None:
    aws.client.put_job_success_result(jobId=aws.invocations[-1]["id"], **members)


def condition(aws: CodePipelineWorld) -> dict[str, str]:
    """The statuses of the condition ("") and of its rules, by name, as GetPipelineState shows
    them.
    """
    (state,) = aws.stage("k8s", "S1")["beforeEntryConditionState"]["conditionStates"]
    rules = {shown["ruleName"]: shown["latestExecution"]["status"] for shown in state["ruleStates"]}
    return {"": state["latestExecution"]["status"], **rules}


def stage_status(aws: CodePipelineWorld, stage: str = "S1") -> str:
    return str(aws.stage("k8s", stage)["latestExecution"]["status"])


def retry(aws: CodePipelineWorld, execution: str, mode: str = "FAILED_ACTIONS") -> None:
    aws.client.retry_stage_execution(
        pipelineName="k8s", stageName="S1", pipelineExecutionId=execution, retryMode=mode
    )


def override(aws: CodePipelineWorld, execution: str, kind: str = "BEFORE_ENTRY") -> None:
    aws.client.override_stage_condition(
        pipelineName="k8s", stageName="S1", pipelineExecutionId=execution, conditionType=kind
    )


def test_the_rule_s_function_gets_a_job_and_the_actions_wait_for_it(aws: CodePipelineWorld) -> None:
    declared_rule = rule(
        configuration={
            "FunctionName": "gate",
            "UserParameters": "#{codepipeline.PipelineExecutionId}",
        }
    )
    execution = start(aws, declared_rule)
    (job,) = aws.invocations
    assert set(job["data"]) == {
        "actionConfiguration",
        "inputArtifacts",
        "outputArtifacts",
        "artifactCredentials",
    }
    assert job["accountId"] == ACCOUNT
    assert job["data"]["actionConfiguration"]["configuration"] == {
        "FunctionName": "gate",
        "UserParameters": execution,
    }
    aws.advance(60)
    assert (stage_status(aws), condition(aws)) == (
        "InProgress",
        {"": "InProgress", "Gate": "InProgress"},
    )
    assert "latestExecution" not in aws.stage("k8s", "S1")["actionStates"][0]
    succeed(aws, executionDetails={"summary": "infra is idle"})
    assert condition(aws) == {"": "Succeeded", "Gate": "Succeeded"}
    aws.advance(10)
    assert aws.status("k8s", execution) == "Succeeded"


def test_a_failed_rule_fails_stage_and_execution(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    fail(aws)
    assert (aws.status("k8s", execution), stage_status(aws)) == ("Failed", "Failed")
    assert condition(aws) == {"": "Failed", "Gate": "Failed"}
    shown = aws.stage("k8s", "S1")["beforeEntryConditionState"]["conditionStates"][0]["ruleStates"][
        0
    ]
    assert shown["latestExecution"]["errorDetails"] == {
        "code": "JobFailed",
        "message": "infra runs",
    }
    assert aws.states("Pipeline", execution) == ["STARTED", "FAILED"]
    assert aws.states("Stage", execution)[-2:] == ["STARTED", "FAILED"]
    assert {event["action"] for event in aws.events if event["kind"] == "Action"} == {"Repo"}


def test_a_condition_that_skips_leads_to_the_next_stage(aws: CodePipelineWorld) -> None:
    execution = start(aws, result="SKIP")
    with refused("ConditionNotOverridableException"):
        override(aws, execution)
    fail(aws)
    assert stage_status(aws) == "Skipped"
    aws.advance(10)
    assert aws.status("k8s", execution) == "Succeeded"
    assert [event["state"] for event in aws.events if event.get("stage") == "S1"] == ["STARTED"]
    runs = aws.client.list_action_executions(pipelineName="k8s")["actionExecutionDetails"]
    assert [run["actionName"] for run in runs] == ["Check", "Repo"]
    with refused("StageNotRetryableException"):
        retry(aws, execution)
    with refused("UnableToRollbackStageException"):
        aws.client.rollback_stage(
            pipelineName="k8s", stageName="S1", targetPipelineExecutionId=execution
        )


def test_rules_have_a_history_of_their_own(aws: CodePipelineWorld) -> None:
    configuration = {"FunctionName": "gate", "UserParameters": "#{variables.upstream}"}
    execution = start(
        aws,
        rule(configuration=configuration, timeoutInMinutes=9),
        variables=[{"name": "upstream", "defaultValue": "infra"}],
    )
    fail(aws)
    retry(aws, execution)
    succeed(aws, executionDetails={"summary": "infra is idle", "externalExecutionId": "x1"})
    newest, oldest = aws.client.list_rule_executions(
        pipelineName="k8s", filter={"pipelineExecutionId": execution}
    )["ruleExecutionDetails"]
    assert (newest["ruleName"], newest["stageName"], newest["status"]) == (
        "Gate",
        "S1",
        "Succeeded",
    )
    assert newest["input"]["configuration"] == {
        "FunctionName": "gate",
        "UserParameters": "#{variables.upstream}",
    }
    assert newest["input"]["resolvedConfiguration"] == {
        "FunctionName": "gate",
        "UserParameters": "infra",
    }
    assert newest["output"]["executionResult"] == {
        "externalExecutionId": "x1",
        "externalExecutionSummary": "infra is idle",
    }
    assert (oldest["status"], oldest["output"]["executionResult"]["errorDetails"]["message"]) == (
        "Failed",
        "infra runs",
    )
    latest = {
        "latestInPipelineExecution": {"pipelineExecutionId": execution, "startTimeRange": "Latest"}
    }
    only = aws.client.list_rule_executions(pipelineName="k8s", filter=latest)[
        "ruleExecutionDetails"
    ]
    assert [run["ruleExecutionId"] for run in only] == [newest["ruleExecutionId"]]
    page = aws.client.list_rule_executions(pipelineName="k8s", maxResults=1)
    second_page = aws.client.list_rule_executions(pipelineName="k8s", nextToken=page["nextToken"])
    assert [*page["ruleExecutionDetails"], *second_page["ruleExecutionDetails"]] == [newest, oldest]
    listed = aws.client.list_action_executions(pipelineName="k8s")["actionExecutionDetails"]
    assert {run["actionName"] for run in listed} == {"Repo", "Deploy"}


def test_a_continuation_token_keeps_the_condition_open(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    succeed(aws, continuationToken="since 12:00", executionDetails={"summary": "waits for infra"})
    aws.advance(30)
    assert aws.invocations[-1]["data"]["continuationToken"] == "since 12:00"
    assert condition(aws)["Gate"] == "InProgress"
    succeed(aws)
    aws.advance(10)
    assert aws.status("k8s", execution) == "Succeeded"


def test_the_rule_s_time_out_is_for_all_its_jobs_together(aws: CodePipelineWorld) -> None:
    execution = start(aws, rule(timeoutInMinutes=5))
    aws.advance(minutes=4)
    succeed(aws, continuationToken="t")
    assert aws.status("k8s", execution) == "InProgress"
    aws.advance(minutes=1)
    assert (aws.status("k8s", execution), condition(aws)["Gate"]) == ("Failed", "Failed")
    with refused("InvalidJobStateException"):
        succeed(aws)


def test_without_one_no_reply_for_twenty_minutes_ends_the_rule(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    aws.advance(minutes=19)
    assert aws.status("k8s", execution) == "InProgress"
    aws.advance(minutes=1)
    assert aws.status("k8s", execution) == "Failed"


def test_one_failed_rule_is_enough_and_ends_the_others(aws: CodePipelineWorld) -> None:
    execution = start(aws, rule(), stand_in("Window", "Failed"))
    assert condition(aws) == {"": "Failed", "Gate": "Abandoned", "Window": "Failed"}
    assert aws.status("k8s", execution) == "Failed"
    with refused("InvalidJobStateException"):
        succeed(aws)


def test_all_rules_must_succeed(aws: CodePipelineWorld) -> None:
    start(aws, rule(), stand_in("Window"))
    assert condition(aws) == {"": "InProgress", "Gate": "InProgress", "Window": "Succeeded"}
    succeed(aws)
    assert condition(aws)[""] == "Succeeded"


def test_the_stage_is_locked_while_its_condition_is_checked(aws: CodePipelineWorld) -> None:
    execution = start(aws, mode="QUEUED")
    following = aws.start("k8s")
    aws.advance(10)
    assert aws.stage("k8s", "S1")["inboundExecutions"][0]["pipelineExecutionId"] == following
    fail(aws)
    assert aws.stage("k8s", "S1")["latestExecution"] == {
        "pipelineExecutionId": following,
        "status": "InProgress",
        "type": "STANDARD",
    }
    assert len(aws.invocations) == 2
    with refused("NotLatestPipelineExecutionException"):
        retry(aws, execution)


@pytest.mark.parametrize("mode", ["FAILED_ACTIONS", "ALL_ACTIONS"])
def test_a_retry_checks_a_failed_condition_again_but_not_a_met_one(
    aws: CodePipelineWorld, mode: str
) -> None:
    execution = start(aws)
    fail(aws)
    retry(aws, execution, mode)
    assert (condition(aws)["Gate"], len(aws.invocations)) == ("InProgress", 2)
    aws.backend.outcome = lambda _execution, _stage, _name: (2, "Failed")
    succeed(aws)
    aws.advance(5)
    assert aws.status("k8s", execution) == "Failed"
    aws.backend.outcome = None
    retry(aws, execution, mode)
    aws.advance(10)
    assert (aws.status("k8s", execution), len(aws.invocations)) == ("Succeeded", 2)


@pytest.mark.parametrize("failed", [False, True])
def test_a_condition_can_be_overridden_while_it_holds_up_and_after_it_failed(
    aws: CodePipelineWorld, failed: bool
) -> None:
    execution = start(aws)
    if failed:
        fail(aws)
    with refused("ConditionNotOverridableException"):
        override(aws, execution, "ON_SUCCESS")
    override(aws, execution)
    assert condition(aws) == {"": "Overridden", "Gate": "Failed" if failed else "Abandoned"}
    aws.advance(10)
    assert aws.status("k8s", execution) == "Succeeded"
    with refused("ConditionNotOverridableException"):
        override(aws, execution)


@pytest.mark.parametrize(("abandon", "status"), [(True, "Abandoned"), (False, "Succeeded")])
def test_a_stop_abandons_the_rules_or_waits_for_them(
    aws: CodePipelineWorld, abandon: bool, status: str
) -> None:
    execution = start(aws)
    aws.client.stop_pipeline_execution(
        pipelineName="k8s", pipelineExecutionId=execution, abandon=abandon
    )
    if not abandon:
        assert aws.status("k8s", execution) == "Stopping"
        succeed(aws)
    assert aws.status("k8s", execution) == "Stopped"
    assert condition(aws) == {"": status, "Gate": status}
    retry(aws, execution)
    assert len(aws.invocations) == (2 if abandon else 1)


def test_an_edit_cancels_the_check(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    aws.client.update_pipeline(pipeline=conditioned())
    assert aws.status("k8s", execution) == "Cancelled"
    assert condition(aws) == {"": "Cancelled", "Gate": "Abandoned"}


@pytest.mark.parametrize(
    "declared_rule",
    [
        rule(configuration={"FunctionName": "nowhere"}),
        rule(configuration={"FunctionName": "#{variables.x}"}),
    ],
)
def test_a_rule_that_cannot_run_fails_the_condition(
    aws: CodePipelineWorld, declared_rule: dict[str, Any]
) -> None:
    assert aws.status("k8s", start(aws, declared_rule)) == "Failed"


def test_job_details_of_a_rule(aws: CodePipelineWorld) -> None:
    start(aws)
    data = aws.client.get_job_details(jobId=aws.invocations[0]["id"])["jobDetails"]["data"]
    assert data["pipelineContext"] == {
        "pipelineName": "k8s",
        "stage": {"name": "S1"},
        "action": {"name": "Gate"},
    }
    assert "actionTypeId" not in data


@pytest.mark.parametrize(
    ("pipeline", "error"),
    [
        (conditioned(result="ROLLBACK"), "InvalidStageDeclarationException"),
        (conditioned(stand_in("A"), stand_in("A")), "InvalidStageDeclarationException"),
        (
            conditioned(rule("Alarm", "CloudWatchAlarm", {"AlarmName": "a"}), result="SKIP"),
            "InvalidStageDeclarationException",
        ),
        (
            conditioned(rule(configuration={"UserParameters": "infra"})),
            "InvalidStageDeclarationException",
        ),
        (conditioned(rule(timeoutInMinutes=4)), "ValidationException"),
        (conditioned(*[stand_in(f"R{number}") for number in range(6)]), "ValidationException"),
        (conditioned(pipelineType="V1"), "InvalidStructureException"),
    ],
)
def test_declarations_that_are_refused(
    aws: CodePipelineWorld, pipeline: dict[str, Any], error: str
) -> None:
    with refused(error):
        aws.lenient_client().create_pipeline(pipeline=pipeline)
