"""Git triggers: which pipelines an event in a repository starts, and at which commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.codepipeline.triggers import matches_glob
from tests.sandbox.codepipeline_world import CodePipelineWorld, action, declaration, source
from tests.support.clients import refused
from tests.support.connections import CONNECTION_ARN, REPOSITORY, connection_source, trigger

Backend = Any
COMMIT = "c0ffee"
RELEASES = trigger(push=[{"tags": {"includes": ["v*"], "excludes": ["*-rc?"]}}])
BRANCHES = trigger(
    push=[
        {"branches": {"includes": ["release/**"]}, "filePaths": {"excludes": ["docs/**"]}},
        {"branches": {"includes": ["hotfix"]}},
    ]
)
NOT_MAIN = trigger(push=[{"branches": {"excludes": ["main"]}}])
PULL_REQUESTS = trigger(
    pullRequest=[{"events": ["OPEN", "CLOSED"], "branches": {"includes": ["main"]}}]
)
ALL_PULL_REQUESTS = trigger(pullRequest=[{"branches": {"includes": ["**"]}}])


def create(aws: CodePipelineWorld, *triggers: dict[str, Any], **configuration: str) -> None:
    aws.create(
        [action("Build")],
        sources=[connection_source(**configuration)],
        **({"triggers": list(triggers)} if triggers else {}),
    )


def list_starts(aws: CodePipelineWorld) -> list[tuple[str, str]]:
    """Of each execution, newest first: trigger type and commit."""
    aws.advance(10)
    return [
        (execution["trigger"]["triggerType"], execution["sourceRevisions"][0]["revisionId"])
        for execution in aws.list_executions()
    ]


def push(branch: str, *paths: str) -> Callable[[Backend], list[str]]:
    return lambda backend: backend.push_commit(
        REPOSITORY, branch, COMMIT, paths=paths or ("README.md",)
    )


def push_tag(tag: str) -> Callable[[Backend], list[str]]:
    return lambda backend: backend.push_tag(REPOSITORY, tag, COMMIT)


def pull_request(event: str, target: str = "main") -> Callable[[Backend], list[str]]:
    return lambda backend: backend.change_pull_request(REPOSITORY, "fix", target, COMMIT, event)


@pytest.mark.parametrize(
    ("filters", "event", "starts"),
    [
        (RELEASES, push_tag("v1.2"), True),
        (RELEASES, push_tag("v1.2-rc1"), False),
        (RELEASES, push_tag("nightly"), False),
        (RELEASES, push("v1.2"), False),
        (RELEASES, pull_request("OPEN"), False),
        (BRANCHES, push("release/1/2"), True),
        (BRANCHES, push("release/1", "docs/a.md", "src/a.py"), True),
        (BRANCHES, push("release/1", "docs/a.md"), False),
        (BRANCHES, push("hotfix", "docs/a.md"), True),
        (BRANCHES, push("main"), False),
        (BRANCHES, push_tag("hotfix"), False),
        (NOT_MAIN, push("fix"), True),
        (NOT_MAIN, push("main"), False),
        (PULL_REQUESTS, pull_request("OPEN"), True),
        (PULL_REQUESTS, pull_request("CLOSED"), True),
        (PULL_REQUESTS, pull_request("UPDATED"), False),
        (PULL_REQUESTS, pull_request("OPEN", "develop"), False),
        (PULL_REQUESTS, push("main"), False),
        (ALL_PULL_REQUESTS, pull_request("UPDATED", "release/1"), True),
    ],
)
def test_filters_choose_the_events_that_start_a_pipeline_at_their_commit(
    aws: CodePipelineWorld,
    filters: dict[str, Any],
    event: Callable[[Backend], list[str]],
    *,
    starts: bool,
) -> None:
    create(aws, filters)
    ids = event(aws.backend)
    assert list_starts(aws) == ([("WebhookV2", COMMIT)] if starts else [])
    assert len(ids) == starts


def test_a_manual_start_takes_the_branch_and_not_the_commit_of_the_trigger(
    aws: CodePipelineWorld,
) -> None:
    create(aws, RELEASES)
    aws.backend.push_commit(REPOSITORY, "main", "aaaaaaa")
    aws.backend.push_tag(REPOSITORY, "v1", COMMIT)
    aws.backend.push_commit(REPOSITORY, "main", "bbbbbbb")
    assert list_starts(aws) == [("WebhookV2", COMMIT)]
    aws.start()
    assert list_starts(aws)[0] == ("StartPipelineExecution", "bbbbbbb")


def test_a_retry_of_the_source_keeps_the_commit_of_the_trigger(aws: CodePipelineWorld) -> None:
    create(aws, RELEASES)
    aws.fail_next("Source", times=1)
    (execution,) = aws.backend.push_tag(REPOSITORY, "v1", COMMIT)
    aws.advance(10)
    aws.retry(execution, stage="Source")
    assert list_starts(aws) == [("WebhookV2", COMMIT)]


@pytest.mark.parametrize("triggers", [[], [trigger()]])
def test_without_filters_a_push_to_the_branch_of_the_source_starts(
    aws: CodePipelineWorld, triggers: list[dict[str, Any]]
) -> None:
    create(aws, *triggers)
    aws.backend.push_commit(REPOSITORY, "fix", "aaaaaaa")
    aws.backend.push_commit("acme/other", "main", "bbbbbbb")
    aws.backend.push_tag(REPOSITORY, "v1", "ddddddd")
    aws.backend.change_pull_request(REPOSITORY, "main", "fix", "eeeeeee")
    aws.backend.push_commit(REPOSITORY, "main", COMMIT)
    assert list_starts(aws) == [("Webhook", COMMIT)]
    assert aws.list_executions()[0]["trigger"]["triggerDetail"] == CONNECTION_ARN


def test_a_source_need_not_detect_changes(aws: CodePipelineWorld) -> None:
    create(aws, DetectChanges="false")
    assert aws.backend.push_commit(REPOSITORY, "main", COMMIT) == []


def test_pipelines_share_a_repository(aws: CodePipelineWorld) -> None:
    create(aws)
    aws.create([action("Build")], sources=[connection_source()], name="other")
    assert len(aws.backend.push_commit(REPOSITORY, "main", COMMIT)) == 2
    aws.create([action("Build")], sources=[connection_source()], name="later")
    later = aws.client.start_pipeline_execution(name="later")["pipelineExecutionId"]
    aws.advance(10)
    answer = aws.client.get_pipeline_execution(pipelineName="later", pipelineExecutionId=later)
    assert answer["pipelineExecution"]["artifactRevisions"][0]["revisionId"] == COMMIT


def test_an_event_at_the_limit_of_executions_is_lost(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")], sources=[connection_source()], mode="PARALLEL")
    for _ in range(50):
        aws.start()
    assert aws.backend.push_commit(REPOSITORY, "main", COMMIT) == []


def test_the_last_event_of_an_execution_names_its_tag(aws: CodePipelineWorld) -> None:
    """(guide: detect-state-changes-cloudwatch-events, "example with Git tags")"""
    create(aws, RELEASES)
    aws.backend.push_tag(REPOSITORY, "v1", COMMIT, message="Release")
    aws.advance(10)
    first, *_, last = [event for event in aws.events if event["kind"] == "Pipeline"]
    assert first["execution-trigger"] == {
        "trigger-type": "WebhookV2",
        "trigger-detail": CONNECTION_ARN,
    }
    assert last["execution-trigger"] == {
        "author-date": "2026-03-02T12:00:00Z",
        "author-display-name": "sandbox",
        "author-email": "sandbox@example.com",
        "author-id": "sandbox",
        "commit-id": COMMIT,
        "commit-message": "Release",
        "connection-arn": CONNECTION_ARN,
        "full-repository-name": REPOSITORY,
        "provider-type": "GitHub",
        "tag-name": "v1",
    }


TAGS = {"tags": {"includes": ["v1"]}}
BRANCH = {"branches": {"includes": ["main"]}}
PATHS = {"filePaths": {"includes": ["src/**"]}}
COMBINATIONS = "Make sure to choose valid filter combinations"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"pipelineType": "V1", "triggers": [trigger(push=[TAGS])]}, "only be used with V2"),
        ({"triggers": [trigger("Other", push=[TAGS])]}, "must reference a CodeStarSource"),
        ({"triggers": [trigger("Repo", push=[TAGS])]}, "must reference a CodeStarSource"),
        (
            {"triggers": [trigger(push=[TAGS]), trigger(push=[BRANCH])]},
            "more than one trigger per source action",
        ),
        ({"triggers": [trigger(push=[TAGS | BRANCH])]}, COMBINATIONS),
        ({"triggers": [trigger(push=[BRANCH, PATHS])]}, COMBINATIONS),
        ({"triggers": [trigger(push=[{}])]}, COMBINATIONS),
        ({"triggers": [trigger(pullRequest=[PATHS])]}, COMBINATIONS),
    ],
)
def test_a_wrong_trigger_is_refused(
    aws: CodePipelineWorld, members: dict[str, Any], message: str
) -> None:
    sources = [connection_source(), source()]
    create(aws)
    for operation in (aws.client.create_pipeline, aws.client.update_pipeline):
        name = "k8s" if operation == aws.client.update_pipeline else "new"
        wrong = declaration([action("Build")], sources=sources, name=name, **members)
        with refused("InvalidStructureException", message):
            operation(pipeline=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        trigger(push=[]),
        trigger(push=[TAGS] * 4),
        trigger(push=[{"tags": {"includes": ["v"] * 9}}]),
        trigger(pullRequest=[{"events": ["MERGED"], **BRANCH}]),
        trigger() | {"providerType": "CodeCommit"},
    ],
)
def test_a_trigger_beyond_the_limits_of_the_model_is_refused(
    aws: CodePipelineWorld, wrong: dict[str, Any]
) -> None:
    pipeline = declaration([action("Build")], sources=[connection_source()], triggers=[wrong])
    with refused("ValidationException"):
        aws.lenient_client().create_pipeline(pipeline=pipeline)


def test_a_pipeline_with_triggers_is_of_type_v2(aws: CodePipelineWorld) -> None:
    pipeline = declaration([action("Build")], sources=[connection_source()], triggers=[RELEASES])
    del pipeline["pipelineType"]
    assert aws.client.create_pipeline(pipeline=pipeline)["pipeline"]["pipelineType"] == "V2"


@pytest.mark.parametrize(
    ("pattern", "matching", "differing"),
    [
        ("*.java", ["a.java", ".java"], ["a/b.java", "a.jav"]),
        ("*.*", ["a.b"], ["ab"]),
        ("*.{java,cl?ss}", ["a.java", "a.class"], ["a.js"]),
        ("foo.?", ["foo.a"], ["foo.", "foo./", "foo.ab"]),
        ("**", ["a", "a/b"], []),
        ("directory/**", ["directory/a", "directory/a/b"], ["directory", "other/a"]),
        ("directory/*", ["directory/a"], ["directory/a/b"]),
        ("common/**/*.js", ["common/a/b.js"], ["common/b.js"]),
        ("v[0-9]", ["v1"], ["vx", "v12"]),
        ("v[!0-9]", ["vx"], ["v1", "v/"]),
        ("[*?\\]", ["*", "?", "\\"], ["a"]),
        ("a\\*[b{c", ["a*[b{c"], ["ax[b{c"]),
        ("v1.2+x", ["v1.2+x"], ["v112+x", "v1.2x"]),
    ],
)
def test_glob_patterns(pattern: str, matching: list[str], differing: list[str]) -> None:
    """(guide: syntax-glob)"""
    assert [name for name in matching + differing if matches_glob(pattern, name)] == matching
