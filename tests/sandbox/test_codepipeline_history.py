"""What the lists and the events say."""

from __future__ import annotations

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import (
    REGION,
    START,
    CodePipelineWorld,
    action,
    codepipeline_world,
    declaration,
)


def test_executions_are_listed_newest_first_and_a_hundred_a_page(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    executions = [aws.start("infra") for _ in range(250)]
    pages = list(
        aws.client.get_paginator("list_pipeline_executions").paginate(pipelineName="infra")
    )
    assert [len(page["pipelineExecutionSummaries"]) for page in pages] == [100, 100, 50]
    listed = [
        summary["pipelineExecutionId"]
        for page in pages
        for summary in page["pipelineExecutionSummaries"]
    ]
    assert listed == executions[::-1]


def test_a_page_is_not_shifted_by_what_starts_meanwhile(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    executions = [aws.start("infra") for _ in range(4)]
    first = aws.client.list_pipeline_executions(pipelineName="infra", maxResults=2)
    aws.start("infra")
    second = aws.client.list_pipeline_executions(
        pipelineName="infra", maxResults=2, nextToken=first["nextToken"]
    )
    assert [
        each["pipelineExecutionId"] for each in second["pipelineExecutionSummaries"]
    ] == executions[1::-1]
    assert "nextToken" not in second


@pytest.mark.parametrize("size", [0, 101])
def test_max_results_has_its_limits(aws: CodePipelineWorld, size: int) -> None:
    aws.create("infra", [action("Build")])
    with refused("ValidationException"):
        aws.lenient_client().list_pipeline_executions(pipelineName="infra", maxResults=size)


def test_a_token_of_another_list_is_refused(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    aws.create("k8s", [action("Build")])
    for _ in range(2):
        aws.start("infra")
        aws.start("k8s")
    token = aws.client.list_pipeline_executions(pipelineName="infra", maxResults=1)["nextToken"]
    for wrong in (token, "garbage"):
        with refused("InvalidNextTokenException"):
            aws.client.list_pipeline_executions(pipelineName="k8s", nextToken=wrong)


def test_a_summary_says_what_the_gate_needs(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")], mode="QUEUED")
    execution = aws.start("infra")
    aws.advance(60)
    (summary,) = aws.client.list_pipeline_executions(pipelineName="infra")[
        "pipelineExecutionSummaries"
    ]
    assert (summary["pipelineExecutionId"], summary["status"]) == (execution, "Succeeded")
    assert (summary["executionMode"], summary["executionType"]) == ("QUEUED", "STANDARD")
    assert summary["startTime"] == START
    assert (summary["lastUpdateTime"] - START).total_seconds() == 4


def test_history_goes_back_twelve_months(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    aws.start("infra")
    aws.advance(days=300)
    recent = aws.start("infra")
    aws.advance(days=100)
    listed = aws.client.list_pipeline_executions(pipelineName="infra")["pipelineExecutionSummaries"]
    assert [each["pipelineExecutionId"] for each in listed] == [recent]


def test_executions_can_be_filtered_by_a_stage_that_succeeded(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    succeeded = aws.start("infra")
    aws.advance(10)
    aws.backend.outcome = lambda _execution, _stage, _name: (1, "Failed")
    aws.start("infra")
    aws.advance(10)
    succeeded_in_stage = {"succeededInStage": {"stageName": "S1"}}
    listed = aws.client.list_pipeline_executions(pipelineName="infra", filter=succeeded_in_stage)[
        "pipelineExecutionSummaries"
    ]
    assert [each["pipelineExecutionId"] for each in listed] == [succeeded]


def test_actions_are_listed_newest_first_of_one_execution_or_all(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    first = aws.start("infra")
    aws.advance(10)
    aws.start("infra")
    aws.advance(10)
    of_all = aws.client.list_action_executions(pipelineName="infra", maxResults=3)
    assert [run["actionName"] for run in of_all["actionExecutionDetails"]] == [
        "Build",
        "Repo",
        "Build",
    ]
    second_page = aws.client.list_action_executions(
        pipelineName="infra", nextToken=of_all["nextToken"]
    )
    assert [run["actionName"] for run in second_page["actionExecutionDetails"]] == ["Repo"]
    of_one = aws.client.list_action_executions(
        pipelineName="infra", filter={"pipelineExecutionId": first}
    )
    assert {run["pipelineExecutionId"] for run in of_one["actionExecutionDetails"]} == {first}
    with refused("PipelineExecutionNotFoundException"):
        aws.client.list_action_executions(
            pipelineName="infra", filter={"pipelineExecutionId": _UNKNOWN}
        )


def test_unknown_pipelines_and_executions(aws: CodePipelineWorld) -> None:
    for call in (
        lambda: aws.start("nowhere"),
        lambda: aws.client.list_pipeline_executions(pipelineName="nowhere"),
        lambda: aws.client.list_action_executions(pipelineName="nowhere"),
        lambda: aws.client.get_pipeline_state(name="nowhere"),
    ):
        with refused("PipelineNotFoundException"):
            call()
    aws.create("infra", [action("Build")])
    with refused("PipelineExecutionNotFoundException"):
        aws.execution("infra", _UNKNOWN)


def test_events_follow_an_execution(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    execution = aws.start("infra")
    aws.advance(10)
    assert [
        (event["kind"], event.get("action") or event.get("stage"), event["state"])
        for event in aws.events
    ] == [
        ("Pipeline", None, "STARTED"),
        ("Stage", "Source", "STARTED"),
        ("Action", "Repo", "STARTED"),
        ("Action", "Repo", "SUCCEEDED"),
        ("Stage", "Source", "SUCCEEDED"),
        ("Stage", "S1", "STARTED"),
        ("Action", "Build", "STARTED"),
        ("Action", "Build", "SUCCEEDED"),
        ("Stage", "S1", "SUCCEEDED"),
        ("Pipeline", None, "SUCCEEDED"),
    ]
    assert aws.events[0] == {
        "kind": "Pipeline",
        "account": ACCOUNT,
        "region": REGION,
        "arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra",
        "pipeline": "infra",
        "execution-id": execution,
        "start-time": "2026-03-02T12:00:00.000Z",
        "execution-trigger": {
            "trigger-type": "StartPipelineExecution",
            "trigger-detail": f"arn:aws:iam::{ACCOUNT}:root",
        },
        "state": "STARTED",
        "version": 1.0,
        "pipeline-execution-attempt": 1.0,
    }


def test_no_events_when_they_are_off(aws: CodePipelineWorld) -> None:
    aws.dials.events_on = False
    aws.create("infra", [action("Build")])
    aws.start("infra")
    aws.advance(10)
    assert aws.events == []


def test_a_fresh_mock_is_empty() -> None:
    for _ in range(2):
        with codepipeline_world() as aws:
            assert aws.client.list_pipelines()["pipelines"] == []
            aws.create("infra", [action("Build")])
            aws.start("infra")


def test_tags_and_get_pipeline_still_work(aws: CodePipelineWorld) -> None:
    created = aws.client.create_pipeline(
        pipeline=declaration("infra", [action("Build")]),
        tags=[{"key": "team", "value": "platform"}],
    )
    assert created["pipeline"]["version"] == 1
    got = aws.client.get_pipeline(name="infra")
    assert got["pipeline"]["executionMode"] == "SUPERSEDED"
    tags = aws.client.list_tags_for_resource(resourceArn=got["metadata"]["pipelineArn"])["tags"]
    assert tags == [{"key": "team", "value": "platform"}]


_UNKNOWN = "00000000-0000-0000-0000-000000000000"
