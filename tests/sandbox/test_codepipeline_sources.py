"""What sources put out, and overrides of their revisions."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.account import ACCOUNT
from tests.sandbox.codepipeline_world import REGION, CodePipelineWorld, action, gate, source
from tests.support.clients import refused
from tests.support.connections import CONNECTION_ARN, REPOSITORY, connection_source, trigger

S3 = {"S3Bucket": "releases", "S3ObjectKey": "app.zip"}
OTHER_KEY = {**S3, "AllowOverrideForS3ObjectKey": "true"}
ECR = {"RepositoryName": "app"}
GIT = {"RepositoryName": "app", "BranchName": "main"}
DATE = "2026-03-02T12:00:00Z"


def override(**values: str) -> list[dict[str, str]]:
    """Source revisions of the action Repo, by type."""
    return [
        {"actionName": "Repo", "revisionType": kind, "revisionValue": value}
        for kind, value in values.items()
    ]


def create(aws: CodePipelineWorld, provider: str, configuration: dict[str, str]) -> None:
    aws.create([action("Build")], sources=[source("Repo", provider, configuration=configuration)])


def read_variables(aws: CodePipelineWorld) -> dict[str, str]:
    """The output variables of the source's latest run."""
    aws.advance(10)
    runs = [run for run in aws.list_actions() if run["stageName"] == "Source"]
    return dict(runs[0]["output"]["outputVariables"])


@pytest.mark.parametrize(
    ("provider", "configuration", "variables"),
    [
        (
            "CodeCommit",
            GIT,
            {
                "AuthorDate": DATE,
                "BranchName": "main",
                "CommitId": "c0ffee",
                "CommitMessage": "Commit c0ffee",
                "CommitterDate": DATE,
                "RepositoryName": "app",
            },
        ),
        (
            "ECR",
            ECR,
            {
                "ImageDigest": "c0ffee",
                "ImageTag": "latest",
                "ImageURI": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app@c0ffee",
                "RegistryId": ACCOUNT,
                "RepositoryName": "app",
            },
        ),
        (
            "S3",
            S3,
            {
                "BucketName": "releases",
                "ETag": "fb0288872031fc4818c03a7253bd3a78",
                "ObjectKey": "app.zip",
                "VersionId": "c0ffee",
            },
        ),
    ],
)
def test_a_source_puts_out_variables(
    aws: CodePipelineWorld, provider: str, configuration: dict[str, str], variables: dict[str, str]
) -> None:
    create(aws, provider, configuration)
    aws.backend.push("k8s", "Repo", "c0ffee")
    aws.start()
    assert read_variables(aws) == variables


def test_a_connection_puts_out_the_branch_or_the_tag(aws: CodePipelineWorld) -> None:
    filters = trigger(push=[{"tags": {"includes": ["*"]}}, {"branches": {"includes": ["*"]}}])
    aws.create([action("Build")], sources=[connection_source()], triggers=[filters])
    aws.backend.push_tag(REPOSITORY, "v1", "c0ffee", message="Release")
    variables = read_variables(aws)
    assert variables["TagName"] == "v1"
    assert "BranchName" not in variables
    assert variables["CommitMessage"] == "Release"
    assert variables["FullRepositoryName"] == REPOSITORY
    assert variables["ConnectionArn"] == CONNECTION_ARN
    assert {"AuthorDate", "AuthorId", "AuthorEmail", "CommitId"} < variables.keys()
    assert aws.list_executions()[0]["sourceRevisions"][0]["revisionSummary"] == "Release"
    aws.backend.push_commit(REPOSITORY, "fix", "beef")
    variables = read_variables(aws)
    assert variables["BranchName"] == "fix"
    assert "TagName" not in variables


def test_an_overridden_commit_is_not_known_by_its_tag(aws: CodePipelineWorld) -> None:
    """That BranchName is the configured one then is assumed."""
    aws.create([action("Build")], sources=[connection_source("Repo")])
    aws.backend.push_tag(REPOSITORY, "v1", "c0ffee", message="Release")
    aws.start(sourceRevisions=override(COMMIT_ID="c0ffee"))
    variables = read_variables(aws)
    assert variables["CommitMessage"] == "Release"
    assert variables["BranchName"] == "main"
    assert "TagName" not in variables


def test_an_overridden_image_has_no_tag(aws: CodePipelineWorld) -> None:
    """(guide: action-reference-ECR)"""
    create(aws, "ECR", ECR)
    aws.start(sourceRevisions=override(IMAGE_DIGEST="sha256:1"))
    variables = read_variables(aws)
    assert variables["ImageDigest"] == "sha256:1"
    assert "ImageTag" not in variables


@pytest.mark.parametrize(
    ("overrides", "key", "version"),
    [
        ({"S3_OBJECT_KEY": "old.zip"}, "old.zip", None),
        ({"S3_OBJECT_KEY": "old.zip", "S3_OBJECT_VERSION_ID": "v7"}, "old.zip", "v7"),
        ({"S3_OBJECT_VERSION_ID": "v7"}, "app.zip", "v7"),
    ],
)
def test_an_override_of_an_object(
    aws: CodePipelineWorld, overrides: dict[str, str], key: str, version: str | None
) -> None:
    create(aws, "S3", OTHER_KEY)
    aws.backend.push("k8s", "Repo", "v8")
    aws.backend.start_from_rule("k8s", override(**overrides))
    variables = read_variables(aws)
    assert variables["ObjectKey"] == key
    assert variables["VersionId"] != "v8"
    assert version in (None, variables["VersionId"])
    assert aws.list_executions()[0]["trigger"]["triggerType"] == "CloudWatchEvent"


def test_a_version_belongs_to_one_object(aws: CodePipelineWorld) -> None:
    create(aws, "S3", OTHER_KEY)
    aws.start(10, sourceRevisions=override(S3_OBJECT_KEY="old.zip"))
    version = aws.list_executions()[0]["sourceRevisions"][0]["revisionId"]
    wrong = aws.start(10, sourceRevisions=override(S3_OBJECT_VERSION_ID=version))
    assert aws.status(wrong) == "Failed"
    both = override(S3_OBJECT_VERSION_ID=version, S3_OBJECT_KEY="old.zip")
    assert aws.status(aws.start(10, sourceRevisions=both)) == "Succeeded"


@pytest.mark.parametrize("configuration", [S3, {**S3, "AllowOverrideForS3ObjectKey": "false"}])
def test_a_source_need_not_allow_another_key(
    aws: CodePipelineWorld, configuration: dict[str, str]
) -> None:
    """(guide: action-reference-S3)"""
    create(aws, "S3", configuration)
    with refused("ValidationException", "AllowOverrideForS3ObjectKey"):
        aws.start(sourceRevisions=override(S3_OBJECT_KEY="old.zip"))


def test_a_lost_revision_fails_the_source(aws: CodePipelineWorld) -> None:
    create(aws, "CodeCommit", GIT)
    aws.dials.lost_revisions = {"c0ffee"}
    execution = aws.start(10, sourceRevisions=override(COMMIT_ID="c0ffee"))
    assert aws.status(execution) == "Failed"
    error = aws.list_actions(execution)[0]["output"]["executionResult"]["errorDetails"]
    assert error["code"] == "RevisionUnavailable"
    assert aws.status(aws.start(10, sourceRevisions=override(COMMIT_ID="beef"))) == "Succeeded"


@pytest.mark.parametrize("lost", ["c0ffee", "*"])
def test_a_lost_revision_may_be_refused(aws: CodePipelineWorld, lost: str) -> None:
    create(aws, "CodeCommit", GIT)
    aws.dials.lost_revisions, aws.dials.lost_revision_fails = {lost}, "start"
    with refused("ValidationException", "c0ffee"):
        aws.start(sourceRevisions=override(COMMIT_ID="c0ffee"))
    assert aws.status(aws.start(10)) == "Succeeded"


def test_optional_members_may_be_missing(aws: CodePipelineWorld) -> None:
    create(aws, "CodeCommit", GIT)
    execution = aws.start(10)
    aws.dials.missing_members = {"revisionId", "startTime", "lastUpdateTime"}
    (summary,) = aws.list_executions()
    assert summary["sourceRevisions"] == [{"actionName": "Repo"}]
    assert {"startTime", "lastUpdateTime"}.isdisjoint(summary)
    assert {"startTime", "lastUpdateTime"}.isdisjoint(aws.list_actions()[0])
    assert "revisionId" not in aws.execution(execution)["artifactRevisions"][0]
    revision: dict[str, Any] = aws.stage("Source")["actionStates"][0]["currentRevision"]
    assert "revisionId" in revision, "required by the model"


def test_a_variable_that_a_build_exports_has_a_placeholder(aws: CodePipelineWorld) -> None:
    build = action("Build", namespace="build")
    later = gate(UserParameters="#{build.IMAGE} #{source.CommitId}") | {"runOrder": 2}
    aws.create([build, later], sources=[source("Repo", configuration=GIT, namespace="source")])
    aws.backend.push("k8s", "Repo", "c0ffee")
    aws.start(10)
    configuration = aws.invocations[0]["data"]["actionConfiguration"]["configuration"]
    assert configuration["UserParameters"] == "sandbox-IMAGE c0ffee"


@pytest.mark.parametrize("parameters", ["#{source.TagName}", "#{later.Name}", "#{unknown.Name}"])
def test_a_variable_that_nothing_puts_out_has_no_value(
    aws: CodePipelineWorld, parameters: str
) -> None:
    aws.create(
        [gate(UserParameters=parameters), action("Later", order=2, namespace="later")],
        sources=[source("Repo", configuration=GIT, namespace="source")],
    )
    assert aws.status(aws.start(10)) == "Failed"
    assert aws.invocations == []
