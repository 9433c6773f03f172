"""Which revision a source action works on (the one that the start asks for, the commit of its
trigger, or the newest), and the variables that the action puts out.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from sandbox.clock import utcnow
from sandbox.codepipeline.exceptions import ValidationException
from sandbox.codepipeline.execution import (
    ActionExecution,
    Declaration,
    SourceRevision,
    SourceRevisionOverride,
)
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.codepipeline.triggers import CONNECTION
from sandbox.world import current_world

COMMIT_TYPES = ("COMMIT_ID",)
REVISION_TYPES = {"ECR": ("IMAGE_DIGEST",), "S3": ("S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY")}
"""By provider; all others are repositories of commits (model: SourceRevisionOverride; guide:
pipelines-trigger-source-overrides).
"""
AUTHOR = "sandbox"


class LostRevision(Exception):
    """An override names a revision that its source does not have."""


def list_source_actions(pipeline: Pipeline) -> dict[str, Declaration]:
    """The source actions by name. All are in the first stage."""
    return {action["name"]: action for action in pipeline.stages[0].declaration["actions"]}


# Overrides


def parse_overrides(
    pipeline: Pipeline, requested: list[dict[str, Any]]
) -> list[SourceRevisionOverride]:
    """StartPipelineExecution's sourceRevisions. ValidationException, the only error of the model
    that fits, if one does not fit a source action of the pipeline.
    """
    sources = list_source_actions(pipeline)
    for item in requested:
        action = sources.get(item["actionName"])
        if action is None:
            raise ValidationException(
                f"Pipeline '{pipeline.name}' does not have a source action '{item['actionName']}'"
            )
        types = list_revision_types(action)
        if item["revisionType"] not in types:
            raise ValidationException(
                f"The revision type {item['revisionType']} does not fit the source action "
                f"'{item['actionName']}' "
                f"(provider {action['actionTypeId']['provider']}): it takes {' or '.join(types)}"
            )
        # (guide: action-reference-S3)
        allows_key = (action.get("configuration") or {}).get("AllowOverrideForS3ObjectKey")
        if item["revisionType"] == "S3_OBJECT_KEY" and str(allows_key).lower() != "true":
            raise ValidationException(
                f"The source action '{item['actionName']}' does not allow another object key: its "
                "AllowOverrideForS3ObjectKey is not true"
            )
        if current_world().dials.lost_revision_fails == "start" and _is_lost(item["revisionValue"]):
            raise ValidationException(
                f"The revision '{item['revisionValue']}' of source action '{item['actionName']}' "
                "does not exist"
            )
    return [
        SourceRevisionOverride(item["actionName"], item["revisionType"], item["revisionValue"])
        for item in requested
    ]


def _is_lost(revision_id: str) -> bool:
    return not current_world().dials.lost_revisions.isdisjoint({"*", revision_id})


def list_revision_types(action: Declaration) -> tuple[str, ...]:
    """The revision types that fit a source action; the first is the one that its revision has."""
    return REVISION_TYPES.get(action["actionTypeId"]["provider"], COMMIT_TYPES)


# Revisions


def choose_revision(pipeline: Pipeline, action: ActionExecution) -> SourceRevision:
    """The revision that a source action works on. LostRevision if an override's does not exist.

    An override with an object key alone takes that object's newest version. One with a version
    alone takes this version of the configured object: a version belongs to one object (guide of
    S3: versioning-workflows).
    """
    overrides = {
        override.type: override.value
        for override in action.execution.overrides
        if override.action == action.name
    }
    key = overrides.pop("S3_OBJECT_KEY", None)
    if not overrides:
        newest = find_newest_revision(pipeline, action.declaration, key)
        return action.execution.triggered_revisions.get(action.name, newest)
    (revision_id,) = overrides.values()
    expected_key = key or action.configuration.get("S3ObjectKey")
    recorded = pipeline.backend.revisions.by_id.get(
        (_find_origin(pipeline, action.declaration), revision_id)
    )
    if _is_lost(revision_id) or (recorded is not None and recorded.key != expected_key):
        raise LostRevision(f"Source action '{action.name}': no revision '{revision_id}'")
    if recorded is None:
        return SourceRevision(revision_id, utcnow(), key=expected_key)
    # How the commit came to the repository does not matter to an override.
    return replace(recorded, branch=None, tag=None)


def find_newest_revision(
    pipeline: Pipeline, source: Declaration, key: str | None = None
) -> SourceRevision:
    """What was last pushed to a source, or to the object `key` of its bucket. The first revision
    depends only on the names, so that runs are repeatable.
    """
    history, place = pipeline.backend.revisions, _find_place(pipeline, source, key)
    if place not in history.newest:
        first = hashlib.sha256(place.encode()).hexdigest()
        is_image = source["actionTypeId"]["provider"] == "ECR"
        _record(pipeline, source, f"sha256:{first}" if is_image else first[:40], key)
    return history.newest[place]


def push_revision(pipeline: Pipeline, source: str, revision_id: str) -> None:
    """Make a revision the newest of a source action's place."""
    _record(pipeline, list_source_actions(pipeline)[source], revision_id)


def _record(
    pipeline: Pipeline, source: Declaration, revision_id: str, key: str | None = None
) -> None:
    configuration = source.get("configuration") or {}
    revision = SourceRevision(revision_id, utcnow(), key=key or configuration.get("S3ObjectKey"))
    pipeline.backend.revisions.record(
        _find_origin(pipeline, source), _find_place(pipeline, source, key), revision
    )


def _find_origin(pipeline: Pipeline, source: Declaration) -> str:
    """The repository of a connection, which pipelines share; else each source has its own."""
    if source["actionTypeId"]["provider"] == CONNECTION:
        return str((source.get("configuration") or {}).get("FullRepositoryId"))
    return f"{pipeline.name}/{source['name']}"


def _find_place(pipeline: Pipeline, source: Declaration, key: str | None = None) -> str:
    origin, configuration = _find_origin(pipeline, source), source.get("configuration") or {}
    if source["actionTypeId"]["provider"] == CONNECTION:
        return find_branch_place(origin, str(configuration.get("BranchName")))
    if key is None or key == configuration.get("S3ObjectKey"):
        return origin
    return f"{origin}/{key}"


def find_branch_place(repository: str, branch: str) -> str:
    return f"{repository}@{branch}"


# What a source puts out


def record_revision(pipeline: Pipeline, action: ActionExecution, revision: SourceRevision) -> None:
    """Make a revision the execution's revision of this source, and set the action's output
    variables.
    """
    action.execution.revisions[action.name] = revision
    action.external_id = revision.id
    variables = _list_variables(pipeline, action, revision)
    action.output_variables = {
        name: value for name, value in variables.items() if value is not None
    }


def _list_variables(
    pipeline: Pipeline, action: ActionExecution, revision: SourceRevision
) -> dict[str, str | None]:
    """The output variables of a source action (guide: reference-variables and each provider's
    action reference). None: it has no value.

    A connection's TagName, provider and author are seen in public pipelines (practice), and are
    documented of its events only (guide: detect-state-changes-cloudwatch-events: there is "either
    tag-name or branch-name").
    """
    configuration, provider = action.configuration, action.type["provider"]
    if provider == "S3":
        return {
            "BucketName": configuration.get("S3Bucket"),
            "ETag": hashlib.sha256(revision.id.encode()).hexdigest()[:32],
            "ObjectKey": revision.key,
            "VersionId": revision.id,
        }
    if provider == "ECR":
        repository = configuration.get("RepositoryName")
        is_overridden = any(item.action == action.name for item in action.execution.overrides)
        registry = f"{pipeline.account_id}.dkr.ecr.{pipeline.region}.amazonaws.com"
        return {
            "ImageDigest": revision.id,
            # (guide: action-reference-ECR, "not output when the source revision is overridden")
            "ImageTag": None if is_overridden else configuration.get("ImageTag", "latest"),
            "ImageURI": f"{registry}/{repository}@{revision.id}",
            "RegistryId": pipeline.account_id,
            "RepositoryName": repository,
        }
    date = revision.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    branch = configuration.get("BranchName", configuration.get("Branch"))
    commit = {
        "AuthorDate": date,
        "BranchName": revision.branch or (None if revision.tag else branch),
        "CommitId": revision.id,
        "CommitMessage": revision.message or f"Commit {revision.id[:7]}",
    }
    if provider == CONNECTION:
        return commit | {
            "AuthorDisplayName": AUTHOR,
            "AuthorEmail": f"{AUTHOR}@example.com",
            "AuthorId": AUTHOR,
            "ConnectionArn": configuration.get("ConnectionArn"),
            "FullRepositoryName": configuration.get("FullRepositoryId"),
            "ProviderType": "GitHub",
            "TagName": revision.tag,
        }
    repository = configuration.get("RepositoryName", configuration.get("Repo"))
    return commit | {"CommitterDate": date, "RepositoryName": repository}
