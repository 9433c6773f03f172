"""What the lists and the events say."""

from __future__ import annotations

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.codepipeline_world import (
    REGION,
    START,
    UNKNOWN,
    CodePipelineWorld,
    action,
    codepipeline_world,
    declaration,
    read_ids,
)
from tests.support.clients import refused


@pytest.fixture
def k8s(aws: CodePipelineWorld) -> CodePipelineWorld:
    """A world with a pipeline of one stage."""
    aws.create([action("Build")])
    return aws


def test_executions_are_listed_newest_first_and_a_hundred_a_page(k8s: CodePipelineWorld) -> None:
    executions = [k8s.start() for _ in range(250)]
    paginator = k8s.client.get_paginator("list_pipeline_executions")
    pages = [
        read_ids(page["pipelineExecutionSummaries"])
        for page in paginator.paginate(pipelineName="k8s")
    ]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert [*pages[0], *pages[1], *pages[2]] == executions[::-1]


def test_a_page_is_not_shifted_by_what_starts_meanwhile(k8s: CodePipelineWorld) -> None:
    executions = [k8s.start() for _ in range(4)]
    first = k8s.client.list_pipeline_executions(pipelineName="k8s", maxResults=2)
    k8s.start()
    second = k8s.client.list_pipeline_executions(
        pipelineName="k8s", maxResults=2, nextToken=first["nextToken"]
    )
    assert read_ids(second["pipelineExecutionSummaries"]) == executions[1::-1]
    assert "nextToken" not in second


@pytest.mark.parametrize("size", [0, 101])
def test_max_results_has_its_limits(k8s: CodePipelineWorld, size: int) -> None:
    with refused("ValidationException"):
        k8s.lenient_client().list_pipeline_executions(pipelineName="k8s", maxResults=size)


def test_a_token_of_another_list_is_refused(k8s: CodePipelineWorld) -> None:
    k8s.create([action("Build")], name="infra")
    for name in ("infra", "k8s", "infra", "k8s"):
        k8s.client.start_pipeline_execution(name=name)
    token = k8s.client.list_pipeline_executions(pipelineName="infra", maxResults=1)["nextToken"]
    for wrong in (token, "garbage"):
        with refused("InvalidNextTokenException"):
            k8s.list_executions(nextToken=wrong)


def test_a_summary_says_what_the_gate_needs(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")], mode="QUEUED")
    execution = aws.start(60)
    (summary,) = aws.list_executions()
    assert (summary["pipelineExecutionId"], summary["status"]) == (execution, "Succeeded")
    assert (summary["executionMode"], summary["executionType"]) == ("QUEUED", "STANDARD")
    assert summary["startTime"] == START
    assert (summary["lastUpdateTime"] - START).total_seconds() == 4


def test_history_goes_back_twelve_months(k8s: CodePipelineWorld) -> None:
    k8s.start()
    k8s.advance(days=300)
    recent = k8s.start()
    k8s.advance(days=100)
    assert read_ids(k8s.list_executions()) == [recent]


def test_executions_can_be_filtered_by_a_stage_that_succeeded(k8s: CodePipelineWorld) -> None:
    succeeded = k8s.start(10)
    k8s.fail_next("Build")
    k8s.start(10)
    succeeded_in_stage = {"succeededInStage": {"stageName": "S1"}}
    assert read_ids(k8s.list_executions(filter=succeeded_in_stage)) == [succeeded]


def test_actions_are_listed_newest_first_of_one_execution_or_all(k8s: CodePipelineWorld) -> None:
    first = k8s.start(10)
    k8s.start(10)
    page = k8s.client.list_action_executions(pipelineName="k8s", maxResults=3)
    second_page = k8s.client.list_action_executions(pipelineName="k8s", nextToken=page["nextToken"])
    assert [
        [run["actionName"] for run in answer["actionExecutionDetails"]]
        for answer in (page, second_page)
    ] == [["Build", "Repo", "Build"], ["Repo"]]
    assert set(read_ids(k8s.list_actions(first))) == {first}
    with refused("PipelineExecutionNotFoundException"):
        k8s.list_actions(UNKNOWN)


def test_unknown_pipelines_and_executions(aws: CodePipelineWorld) -> None:
    for call in (aws.start, aws.list_executions, aws.list_actions, aws.stage):
        with refused("PipelineNotFoundException"):
            call()
    aws.create([action("Build")])
    with refused("PipelineExecutionNotFoundException"):
        aws.execution(UNKNOWN)


def test_events_follow_an_execution(k8s: CodePipelineWorld) -> None:
    execution = k8s.start(10)
    assert [
        (event["kind"], event.get("action") or event.get("stage"), event["state"])
        for event in k8s.events
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
    assert k8s.events[0] == {
        "kind": "Pipeline",
        "account": ACCOUNT,
        "region": REGION,
        "arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:k8s",
        "pipeline": "k8s",
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


def test_no_events_when_they_are_off(k8s: CodePipelineWorld) -> None:
    k8s.dials.events_on = False
    k8s.start(10)
    assert k8s.events == []


def test_a_fresh_mock_is_empty() -> None:
    for _ in range(2):
        with codepipeline_world() as aws:
            assert aws.client.list_pipelines()["pipelines"] == []
            aws.create([action("Build")])
            aws.start()


def test_tags_and_get_pipeline_still_work(aws: CodePipelineWorld) -> None:
    tags = [{"key": "team", "value": "platform"}]
    created = aws.client.create_pipeline(pipeline=declaration([action("Build")]), tags=tags)
    assert created["pipeline"]["version"] == 1
    got = aws.client.get_pipeline(name="k8s")
    assert got["pipeline"]["executionMode"] == "SUPERSEDED"
    arn = got["metadata"]["pipelineArn"]
    assert aws.client.list_tags_for_resource(resourceArn=arn)["tags"] == tags
