"""A stage's entry condition: its rules, what follows if one fails, what the API shows of it, and
how people override it.
"""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.codepipeline_world import CodePipelineWorld, action, declaration
from tests.support.clients import refused


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
    pipeline = declaration([action("Deploy")], [action("Check")], mode=mode, **members)
    pipeline["stages"][1]["beforeEntry"] = {
        "conditions": [{"result": result, "rules": list(rules or [rule()])}]
    }
    return pipeline


def start(aws: CodePipelineWorld, *rules: dict[str, Any], **members: Any) -> str:
    """Create the pipeline and bring an execution to its condition."""
    aws.client.create_pipeline(pipeline=conditioned(*rules, **members))
    return aws.start(2)


def condition(aws: CodePipelineWorld) -> dict[str, str]:
    """The statuses of the condition ("") and of its rules, by name, as GetPipelineState shows
    them.
    """
    (state,) = aws.stage()["beforeEntryConditionState"]["conditionStates"]
    rules = {shown["ruleName"]: shown["latestExecution"]["status"] for shown in state["ruleStates"]}
    return {"": state["latestExecution"]["status"], **rules}


def stage_status(aws: CodePipelineWorld) -> str:
    return str(aws.stage()["latestExecution"]["status"])


def override(aws: CodePipelineWorld, execution: str, kind: str = "BEFORE_ENTRY") -> None:
    aws.client.override_stage_condition(
        pipelineName="k8s", stageName="S1", pipelineExecutionId=execution, conditionType=kind
    )


def test_the_rule_s_function_gets_a_job_and_the_actions_wait_for_it(aws: CodePipelineWorld) -> None:
    parameters = {"FunctionName": "gate", "UserParameters": "#{codepipeline.PipelineExecutionId}"}
    execution = start(aws, rule(configuration=parameters))
    (job,) = aws.invocations
    artifacts = {"inputArtifacts", "outputArtifacts", "artifactCredentials"}
    assert set(job["data"]) == {"actionConfiguration", *artifacts}
    assert job["accountId"] == ACCOUNT
    resolved = {"FunctionName": "gate", "UserParameters": execution}
    assert job["data"]["actionConfiguration"]["configuration"] == resolved
    aws.advance(60)
    assert stage_status(aws) == "InProgress"
    assert condition(aws) == {"": "InProgress", "Gate": "InProgress"}
    assert "latestExecution" not in aws.stage()["actionStates"][0]
    aws.succeed(executionDetails={"summary": "infra is idle"})
    assert condition(aws) == {"": "Succeeded", "Gate": "Succeeded"}
    aws.advance(10)
    assert aws.status(execution) == "Succeeded"


def test_a_failed_rule_fails_stage_and_execution(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    aws.fail()
    assert (aws.status(execution), stage_status(aws)) == ("Failed", "Failed")
    assert condition(aws) == {"": "Failed", "Gate": "Failed"}
    shown = aws.stage()["beforeEntryConditionState"]["conditionStates"][0]["ruleStates"][0]
    error = {"code": "JobFailed", "message": "infra runs"}
    assert shown["latestExecution"]["errorDetails"] == error
    assert aws.states("Pipeline", execution) == ["STARTED", "FAILED"]
    assert aws.states("Stage", execution)[-2:] == ["STARTED", "FAILED"]
    assert {event["action"] for event in aws.events if event["kind"] == "Action"} == {"Repo"}


def test_a_condition_that_skips_leads_to_the_next_stage(aws: CodePipelineWorld) -> None:
    execution = start(aws, result="SKIP")
    with refused("ConditionNotOverridableException"):
        override(aws, execution)
    aws.fail()
    assert stage_status(aws) == "Skipped"
    aws.advance(10)
    assert aws.status(execution) == "Succeeded"
    assert [event["state"] for event in aws.events if event.get("stage") == "S1"] == ["STARTED"]
    assert [run["actionName"] for run in aws.list_actions()] == ["Check", "Repo"]
    with refused("StageNotRetryableException"):
        aws.retry(execution)
    with refused("UnableToRollbackStageException"):
        aws.client.rollback_stage(
            pipelineName="k8s", stageName="S1", targetPipelineExecutionId=execution
        )


def test_rules_have_a_history_of_their_own(aws: CodePipelineWorld) -> None:
    configuration = {"FunctionName": "gate", "UserParameters": "#{variables.upstream}"}
    variables = [{"name": "upstream", "defaultValue": "infra"}]
    execution = start(
        aws, rule(configuration=configuration, timeoutInMinutes=9), variables=variables
    )
    aws.fail()
    aws.retry(execution)
    aws.succeed(executionDetails={"summary": "infra is idle", "externalExecutionId": "x1"})

    def list_rules(**members: Any) -> Any:
        return aws.client.list_rule_executions(pipelineName="k8s", **members)

    runs = list_rules(filter={"pipelineExecutionId": execution})["ruleExecutionDetails"]
    newest, oldest = runs
    assert (newest["ruleName"], newest["stageName"]) == ("Gate", "S1")
    assert (oldest["status"], newest["status"]) == ("Failed", "Succeeded")
    assert newest["input"]["configuration"] == configuration
    resolved = {"FunctionName": "gate", "UserParameters": "infra"}
    assert newest["input"]["resolvedConfiguration"] == resolved
    result = {"externalExecutionId": "x1", "externalExecutionSummary": "infra is idle"}
    assert newest["output"]["executionResult"] == result
    assert oldest["output"]["executionResult"]["errorDetails"]["message"] == "infra runs"
    latest = {"pipelineExecutionId": execution, "startTimeRange": "Latest"}
    assert list_rules(filter={"latestInPipelineExecution": latest})["ruleExecutionDetails"] == [
        newest
    ]
    page = list_rules(maxResults=1)
    second_page = list_rules(nextToken=page["nextToken"])
    assert page["ruleExecutionDetails"] + second_page["ruleExecutionDetails"] == runs
    assert {run["actionName"] for run in aws.list_actions()} == {"Repo", "Deploy"}


def test_a_continuation_token_keeps_the_condition_open(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    aws.succeed(continuationToken="since 12:00", executionDetails={"summary": "waits for infra"})
    aws.advance(30)
    assert aws.invocations[-1]["data"]["continuationToken"] == "since 12:00"
    assert condition(aws)["Gate"] == "InProgress"
    aws.succeed()
    aws.advance(10)
    assert aws.status(execution) == "Succeeded"


def test_the_rule_s_time_out_is_for_all_its_jobs_together(aws: CodePipelineWorld) -> None:
    execution = start(aws, rule(timeoutInMinutes=5))
    aws.advance(minutes=4)
    aws.succeed(continuationToken="t")
    assert aws.status(execution) == "InProgress"
    aws.advance(minutes=1)
    assert (aws.status(execution), condition(aws)["Gate"]) == ("Failed", "Failed")
    with refused("InvalidJobStateException"):
        aws.succeed()


def test_without_one_no_reply_for_twenty_minutes_ends_the_rule(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    aws.advance(minutes=19)
    assert aws.status(execution) == "InProgress"
    aws.advance(minutes=1)
    assert aws.status(execution) == "Failed"


def test_one_failed_rule_is_enough_and_ends_the_others(aws: CodePipelineWorld) -> None:
    execution = start(aws, rule(), stand_in("Window", "Failed"))
    assert condition(aws) == {"": "Failed", "Gate": "Abandoned", "Window": "Failed"}
    assert aws.status(execution) == "Failed"
    with refused("InvalidJobStateException"):
        aws.succeed()


def test_all_rules_must_succeed(aws: CodePipelineWorld) -> None:
    start(aws, rule(), stand_in("Window"))
    assert condition(aws) == {"": "InProgress", "Gate": "InProgress", "Window": "Succeeded"}
    aws.succeed()
    assert condition(aws)[""] == "Succeeded"


def test_the_stage_is_locked_while_its_condition_is_checked(aws: CodePipelineWorld) -> None:
    execution = start(aws, mode="QUEUED")
    following = aws.start(10)
    assert aws.stage()["inboundExecutions"][0]["pipelineExecutionId"] == following
    aws.fail()
    assert aws.stage()["latestExecution"]["pipelineExecutionId"] == following
    assert len(aws.invocations) == 2
    with refused("NotLatestPipelineExecutionException"):
        aws.retry(execution)


@pytest.mark.parametrize("mode", ["FAILED_ACTIONS", "ALL_ACTIONS"])
def test_a_retry_checks_a_failed_condition_again_but_not_a_met_one(
    aws: CodePipelineWorld, mode: str
) -> None:
    execution = start(aws)
    aws.fail()
    aws.retry(execution, mode)
    assert (condition(aws)["Gate"], len(aws.invocations)) == ("InProgress", 2)
    aws.fail_next("Deploy", times=1)
    aws.succeed()
    aws.advance(5)
    assert aws.status(execution) == "Failed"
    aws.retry(execution, mode)
    aws.advance(10)
    assert (aws.status(execution), len(aws.invocations)) == ("Succeeded", 2)


@pytest.mark.parametrize("failed", [False, True])
def test_a_condition_can_be_overridden_while_it_holds_up_and_after_it_failed(
    aws: CodePipelineWorld, failed: bool
) -> None:
    execution = start(aws)
    if failed:
        aws.fail()
    with refused("ConditionNotOverridableException"):
        override(aws, execution, "ON_SUCCESS")
    override(aws, execution)
    assert condition(aws) == {"": "Overridden", "Gate": "Failed" if failed else "Abandoned"}
    aws.advance(10)
    assert aws.status(execution) == "Succeeded"
    with refused("ConditionNotOverridableException"):
        override(aws, execution)


@pytest.mark.parametrize(("abandon", "status"), [(True, "Abandoned"), (False, "Succeeded")])
def test_a_stop_abandons_the_rules_or_waits_for_them(
    aws: CodePipelineWorld, abandon: bool, status: str
) -> None:
    execution = start(aws)
    aws.stop(execution, abandon=abandon)
    if not abandon:
        assert aws.status(execution) == "Stopping"
        aws.succeed()
    assert aws.status(execution) == "Stopped"
    assert condition(aws) == {"": status, "Gate": status}
    aws.retry(execution)
    assert len(aws.invocations) == (2 if abandon else 1)


def test_an_edit_cancels_the_check(aws: CodePipelineWorld) -> None:
    execution = start(aws)
    aws.client.update_pipeline(pipeline=conditioned())
    assert aws.status(execution) == "Cancelled"
    assert condition(aws) == {"": "Cancelled", "Gate": "Abandoned"}


@pytest.mark.parametrize("function", ["nowhere", "#{variables.x}"])
def test_a_rule_that_cannot_run_fails_the_condition(aws: CodePipelineWorld, function: str) -> None:
    assert aws.status(start(aws, rule(configuration={"FunctionName": function}))) == "Failed"


def test_job_details_of_a_rule(aws: CodePipelineWorld) -> None:
    start(aws)
    data = aws.client.get_job_details(jobId=aws.invocations[0]["id"])["jobDetails"]["data"]
    context = {"pipelineName": "k8s", "stage": {"name": "S1"}, "action": {"name": "Gate"}}
    assert data["pipelineContext"] == context
    assert "actionTypeId" not in data


ALARM = rule("Alarm", "CloudWatchAlarm", {"AlarmName": "a"})


@pytest.mark.parametrize(
    ("pipeline", "error"),
    [
        (conditioned(result="ROLLBACK"), "InvalidStageDeclaration"),
        (conditioned(stand_in("A"), stand_in("A")), "InvalidStageDeclaration"),
        (conditioned(ALARM, result="SKIP"), "InvalidStageDeclaration"),
        (conditioned(rule(configuration={"UserParameters": "infra"})), "InvalidStageDeclaration"),
        (conditioned(rule(timeoutInMinutes=4)), "Validation"),
        (conditioned(*[stand_in(f"R{number}") for number in range(6)]), "Validation"),
        (conditioned(pipelineType="V1"), "InvalidStructure"),
    ],
)
def test_declarations_that_are_refused(
    aws: CodePipelineWorld, pipeline: dict[str, Any], error: str
) -> None:
    with refused(f"{error}Exception"):
        aws.lenient_client().create_pipeline(pipeline=pipeline)
