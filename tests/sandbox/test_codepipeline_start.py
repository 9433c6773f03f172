"""Starting a pipeline: variables, source revisions, tokens, triggers, and what AWS refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.codepipeline_world import (
    REGION,
    CodePipelineWorld,
    action,
    declaration,
    gate,
    source,
)
from tests.support.clients import assume_role, client, refused, session_client

VARIABLES = [{"name": "image", "defaultValue": "v1"}, {"name": "nothing"}]


def revision(action_name: str, value: str, kind: str = "COMMIT_ID") -> list[dict[str, str]]:
    return [{"actionName": action_name, "revisionType": kind, "revisionValue": value}]


def user_parameters(aws: CodePipelineWorld) -> str:
    return str(
        aws.invocations[-1]["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    )


def test_variables_are_resolved_in_the_configuration(aws: CodePipelineWorld) -> None:
    parameters = "#{codepipeline.PipelineExecutionId} #{variables.image} #{src.CommitId}"
    sources = [source(namespace="src")]
    aws.create([gate(UserParameters=parameters)], variables=VARIABLES, sources=sources)
    aws.backend.push("k8s", "Repo", "c0ffee")
    execution = aws.start(2, variables=[{"name": "image", "value": "v2"}])
    assert user_parameters(aws) == f"{execution} v2 c0ffee"
    variables = aws.execution(execution)["variables"]
    assert variables == [{"name": "image", "resolvedValue": "v2"}]
    shown = aws.list_actions()[0]["input"]
    assert shown["configuration"]["UserParameters"] == parameters
    assert shown["resolvedConfiguration"]["UserParameters"] == user_parameters(aws)


def test_an_action_s_output_variables_reach_later_actions(aws: CodePipelineWorld) -> None:
    first = gate() | {"namespace": "gate"}
    second = gate(UserParameters="#{gate.Behind}") | {"name": "Second", "runOrder": 2}
    aws.create([first, second])
    aws.start(2)
    aws.succeed(outputVariables={"Behind": "e1"})
    assert user_parameters(aws) == "e1"


@pytest.mark.parametrize("name", ["#{variables.nothing}", "#{variables.unknown}", "#{unknown.Id}"])
def test_a_variable_without_a_value_fails_the_action(aws: CodePipelineWorld, name: str) -> None:
    aws.create([gate(UserParameters=name)], variables=VARIABLES)
    assert aws.status(aws.start(2)) == "Failed"
    assert name in aws.latest_action()["errorDetails"]["message"]
    assert aws.invocations == []


def test_a_source_keeps_its_revision_until_something_is_pushed(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")], sources=[source("App"), source("Chart")])
    aws.start(10)
    aws.backend.push("k8s", "App", "c0ffee")
    execution = aws.start(10)
    newest, older = (summary["sourceRevisions"] for summary in aws.list_executions())
    assert newest[0] == {"actionName": "App", "revisionId": "c0ffee"}
    assert older[0]["revisionId"] != "c0ffee"
    assert newest[1] == older[1]
    assert aws.execution(execution)["artifactRevisions"][0]["revisionId"] == "c0ffee"


def test_a_start_may_name_its_source_revisions(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    execution = aws.start(10, sourceRevisions=revision("Repo", "beef"))
    assert aws.execution(execution)["artifactRevisions"][0]["revisionId"] == "beef"


@pytest.mark.parametrize(
    "wrong",
    [
        {"variables": [{"name": "image", "value": ""}]},
        {"variables": [{"name": "unknown", "value": "1"}]},
        {"variables": [{"name": "image", "value": "v" * 1001}]},
        {"sourceRevisions": revision("Repo", "1", "IMAGE_DIGEST")},
        {"sourceRevisions": revision("Build", "1")},
        {"clientRequestToken": "under_score"},
        {"clientRequestToken": "t" * 129},
    ],
)
def test_a_wrong_start_is_refused(aws: CodePipelineWorld, wrong: dict[str, Any]) -> None:
    aws.create([action("Build")], variables=VARIABLES)
    with refused("ValidationException"):
        aws.lenient_client().start_pipeline_execution(name="k8s", **wrong)
    assert aws.list_executions() == []


def test_the_same_token_answers_the_same_execution(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    execution = aws.start(clientRequestToken="retry-1")
    aws.advance(days=1)
    assert aws.start(clientRequestToken="retry-1") == execution
    assert aws.start(clientRequestToken="retry-2") != execution
    aws.dials.token_memory = timedelta(hours=1)
    assert aws.start(clientRequestToken="retry-1") != execution


def test_a_new_pipeline_starts_automatically(aws: CodePipelineWorld) -> None:
    aws.dials.start_on_create = True
    aws.create([action("Build")])
    (summary,) = aws.list_executions()
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assert summary["trigger"] == {"triggerType": "CreatePipeline", "triggerDetail": root}


def test_a_push_that_is_noticed_starts_the_pipeline_with_its_revision(
    aws: CodePipelineWorld,
) -> None:
    aws.create([action("Build")])
    aws.backend.push("k8s", "Repo", "c0ffee", trigger_type="Webhook")
    aws.advance(10)
    (summary,) = aws.list_executions()
    assert summary["trigger"]["triggerType"] == "Webhook"
    assert summary["sourceRevisions"][0]["revisionId"] == "c0ffee"


def test_the_trigger_names_the_session_that_started(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    role = f"arn:aws:iam::{ACCOUNT}:role/retry"
    keys = assume_role(client("sts", REGION), role, "s1")
    session = session_client("codepipeline", keys, region_name=REGION)
    execution = session.start_pipeline_execution(name="k8s")["pipelineExecutionId"]
    assert aws.execution(execution)["trigger"] == {
        "triggerType": "StartPipelineExecution",
        "triggerDetail": f"arn:aws:sts::{ACCOUNT}:assumed-role/retry/s1",
    }


ACTIONS = [action("A")]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (declaration([action("A"), action("A")]), "InvalidActionDeclaration"),
        (declaration(ACTIONS, [source()]), "InvalidStructure"),
        (declaration(ACTIONS, sources=[action("B")]), "InvalidStructure"),
        (declaration(ACTIONS, mode="QUEUED", pipelineType="V1"), "InvalidStructure"),
        (declaration(ACTIONS, variables=VARIABLES, pipelineType="V1"), "InvalidStructure"),
        (declaration(ACTIONS, artifactStores={}), "InvalidStructure"),
        (declaration([gate(UserParameters="p" * 1001)]), "Validation"),
        (declaration(ACTIONS, name="k" * 101), "Validation"),
        (declaration(ACTIONS, name="k 8 s"), "Validation"),
        (declaration(), "InvalidStructure"),
    ],
)
def test_a_wrong_pipeline_is_refused(
    aws: CodePipelineWorld, wrong: dict[str, Any], code: str
) -> None:
    with refused(f"{code}Exception"):
        aws.client.create_pipeline(pipeline=wrong)
    assert aws.client.list_pipelines()["pipelines"] == []


def test_a_pipeline_s_name_is_taken_once(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    with refused("PipelineNameInUseException"):
        aws.create([action("Build")])
