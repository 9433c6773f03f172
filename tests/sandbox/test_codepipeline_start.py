"""Starting a pipeline: variables, source revisions, tokens, triggers, and what AWS refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import (
    REGION,
    CodePipelineWorld,
    action,
    declaration,
    gate,
    source,
)

VARIABLES = [{"name": "image", "defaultValue": "v1"}, {"name": "nothing"}]


def user_parameters(aws: CodePipelineWorld) -> str:
    return str(
        aws.invocations[-1]["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    )


def test_variables_are_resolved_in_the_configuration(aws: CodePipelineWorld) -> None:
    parameters = "#{codepipeline.PipelineExecutionId} #{variables.image} #{src.CommitId}"
    aws.create(
        "k8s",
        [gate(UserParameters=parameters)],
        variables=VARIABLES,
        sources=[source(namespace="src")],
    )
    aws.backend.push("k8s", "Repo", "c0ffee")
    execution = aws.start("k8s", variables=[{"name": "image", "value": "v2"}])
    aws.advance(2)
    assert user_parameters(aws) == f"{execution} v2 c0ffee"
    assert aws.execution("k8s", execution)["variables"] == [
        {"name": "image", "resolvedValue": "v2"}
    ]
    run = aws.client.list_action_executions(pipelineName="k8s")["actionExecutionDetails"][0]
    assert run["input"]["configuration"]["UserParameters"] == parameters
    assert run["input"]["resolvedConfiguration"]["UserParameters"] == user_parameters(aws)


def test_an_action_s_output_variables_reach_later_actions(aws: CodePipelineWorld) -> None:
    first = gate() | {"namespace": "gate"}
    second = gate(UserParameters="#{gate.Behind}") | {"name": "Second", "runOrder": 2}
    aws.create("k8s", [first, second])
    aws.start("k8s")
    aws.advance(2)
    aws.client.put_job_success_result(
        jobId=aws.invocations[0]["id"], outputVariables={"Behind": "e1"}
    )
    assert user_parameters(aws) == "e1"


@pytest.mark.parametrize("name", ["#{variables.nothing}", "#{variables.unknown}", "#{nobody.Id}"])
def test_a_variable_without_a_value_fails_the_action(aws: CodePipelineWorld, name: str) -> None:
    aws.create("k8s", [gate(UserParameters=name)], variables=VARIABLES)
    execution = aws.start("k8s")
    aws.advance(2)
    assert aws.status("k8s", execution) == "Failed"
    assert name in aws.latest_action("k8s", "S1")["errorDetails"]["message"]
    assert aws.invocations == []


def test_a_source_keeps_its_revision_until_something_is_pushed(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")], sources=[source("App"), source("Chart")])
    executions = [aws.start("k8s")]
    aws.advance(10)
    aws.backend.push("k8s", "App", "c0ffee")
    executions.append(aws.start("k8s"))
    aws.advance(10)
    newest, older = aws.client.list_pipeline_executions(pipelineName="k8s")[
        "pipelineExecutionSummaries"
    ]
    assert newest["sourceRevisions"][0] == {"actionName": "App", "revisionId": "c0ffee"}
    assert older["sourceRevisions"][0]["revisionId"] != "c0ffee"
    assert newest["sourceRevisions"][1] == older["sourceRevisions"][1]
    assert aws.execution("k8s", executions[1])["artifactRevisions"][0]["revisionId"] == "c0ffee"


def test_a_start_may_name_its_source_revisions(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")])
    execution = aws.start(
        "k8s",
        sourceRevisions=[
            {"actionName": "Repo", "revisionType": "COMMIT_ID", "revisionValue": "beef"}
        ],
    )
    aws.advance(10)
    assert aws.execution("k8s", execution)["artifactRevisions"][0]["revisionId"] == "beef"


@pytest.mark.parametrize(
    "wrong",
    [
        {"variables": [{"name": "image", "value": ""}]},
        {"variables": [{"name": "unknown", "value": "1"}]},
        {"variables": [{"name": "image", "value": "v" * 1001}]},
        {
            "sourceRevisions": [
                {"actionName": "Repo", "revisionType": "IMAGE_DIGEST", "revisionValue": "1"}
            ]
        },
        {
            "sourceRevisions": [
                {"actionName": "Build", "revisionType": "COMMIT_ID", "revisionValue": "1"}
            ]
        },
        {"clientRequestToken": "under_score"},
        {"clientRequestToken": "t" * 129},
    ],
)
def test_a_wrong_start_is_refused(aws: CodePipelineWorld, wrong: dict[str, Any]) -> None:
    aws.create("k8s", [action("Build")], variables=VARIABLES)
    with refused("ValidationException"):
        aws.lenient_client().start_pipeline_execution(name="k8s", **wrong)
    assert (
        aws.client.list_pipeline_executions(pipelineName="k8s")["pipelineExecutionSummaries"] == []
    )


def test_the_same_token_answers_the_same_execution(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")])
    execution = aws.start("k8s", clientRequestToken="retry-1")
    aws.advance(days=1)
    assert aws.start("k8s", clientRequestToken="retry-1") == execution
    assert aws.start("k8s", clientRequestToken="retry-2") != execution
    aws.dials.token_memory = timedelta(hours=1)
    assert aws.start("k8s", clientRequestToken="retry-1") != execution


def test_a_new_pipeline_starts_by_itself(aws: CodePipelineWorld) -> None:
    aws.dials.start_on_create = True
    aws.create("k8s", [action("Build")])
    (summary,) = aws.client.list_pipeline_executions(pipelineName="k8s")[
        "pipelineExecutionSummaries"
    ]
    assert summary["trigger"] == {
        "triggerType": "CreatePipeline",
        "triggerDetail": f"arn:aws:iam::{ACCOUNT}:root",
    }


def test_a_push_that_is_noticed_starts_the_pipeline_with_its_revision(
    aws: CodePipelineWorld,
) -> None:
    aws.create("k8s", [action("Build")])
    aws.backend.push("k8s", "Repo", "c0ffee", trigger_type="Webhook")
    aws.advance(seconds=10)
    (summary,) = aws.client.list_pipeline_executions(pipelineName="k8s")[
        "pipelineExecutionSummaries"
    ]
    assert summary["trigger"]["triggerType"] == "Webhook"
    assert summary["sourceRevisions"][0]["revisionId"] == "c0ffee"


def test_the_trigger_names_the_session_that_started(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")])
    role = f"arn:aws:iam::{ACCOUNT}:role/retry"
    keys = boto3.client("sts", region_name=REGION).assume_role(RoleArn=role, RoleSessionName="s1")[
        "Credentials"
    ]
    session = boto3.client(
        "codepipeline",
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    execution = session.start_pipeline_execution(name="k8s")["pipelineExecutionId"]
    assert aws.execution("k8s", execution)["trigger"] == {
        "triggerType": "StartPipelineExecution",
        "triggerDetail": f"arn:aws:sts::{ACCOUNT}:assumed-role/retry/s1",
    }


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (declaration("k8s", [action("A"), action("A")]), "InvalidActionDeclarationException"),
        (declaration("k8s", [action("A")], [source()]), "InvalidStructureException"),
        (declaration("k8s", [action("A")], sources=[action("B")]), "InvalidStructureException"),
        (
            declaration("k8s", [action("A")], mode="QUEUED", pipelineType="V1"),
            "InvalidStructureException",
        ),
        (
            declaration("k8s", [action("A")], variables=VARIABLES, pipelineType="V1"),
            "InvalidStructureException",
        ),
        (declaration("k8s", [action("A")], artifactStores={}), "InvalidStructureException"),
        (declaration("k8s", [gate(UserParameters="p" * 1001)]), "ValidationException"),
        (declaration("k" * 101, [action("A")]), "ValidationException"),
        (declaration("k 8 s", [action("A")]), "ValidationException"),
        (declaration("k8s"), "InvalidStructureException"),
    ],
)
def test_a_wrong_pipeline_is_refused(
    aws: CodePipelineWorld, wrong: dict[str, Any], code: str
) -> None:
    with refused(code):
        aws.client.create_pipeline(pipeline=wrong)
    assert aws.client.list_pipelines()["pipelines"] == []


def test_a_pipeline_s_name_is_taken_once(aws: CodePipelineWorld) -> None:
    aws.create("k8s", [action("Build")])
    with refused("PipelineNameInUseException"):
        aws.create("k8s", [action("Build")])
