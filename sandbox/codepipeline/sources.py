"""Which revision a source action works on: the one that the start asks for, or the newest."""

from __future__ import annotations

import hashlib
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

COMMIT_TYPES = ("COMMIT_ID",)
REVISION_TYPES = {"ECR": ("IMAGE_DIGEST",), "S3": ("S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY")}
"""By provider; all others are repositories of commits (model: SourceRevisionOverride; guide:
pipelines-trigger-source-overrides).
"""

OUTPUT_VARIABLES = {
    "COMMIT_ID": "CommitId",
    "IMAGE_DIGEST": "ImageDigest",
    "S3_OBJECT_VERSION_ID": "VersionId",
}
"""The output variable that names the revision (guide: reference-variables)."""


def list_source_actions(pipeline: Pipeline) -> dict[str, Declaration]:
    """The source actions by name. All are in the first stage."""
    return {action["name"]: action for action in pipeline.stages[0].declaration["actions"]}


def parse_overrides(
    pipeline: Pipeline, requested: list[dict[str, Any]]
) -> list[SourceRevisionOverride]:
    """StartPipelineExecution's sourceRevisions. ValidationException if one does not fit
    a source action of the pipeline.
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
    return [
        SourceRevisionOverride(item["actionName"], item["revisionType"], item["revisionValue"])
        for item in requested
    ]


def list_revision_types(action: Declaration) -> tuple[str, ...]:
    """The revision types that fit a source action; the first is the one that its revision has."""
    return REVISION_TYPES.get(action["actionTypeId"]["provider"], COMMIT_TYPES)


def choose_revision(pipeline: Pipeline, action: ActionExecution) -> SourceRevision:
    """The revision that a source action works on. An override with an object key names no version,
    so the newest is used.
    """
    for override in action.execution.overrides:
        if override.action == action.name and override.type != "S3_OBJECT_KEY":
            return SourceRevision(override.value, utcnow())
    return find_newest_revision(pipeline, action.name)


def record_revision(action: ActionExecution, taken: SourceRevision) -> None:
    """Make `taken` the execution's revision of this source, and the action's output variable."""
    action.execution.revisions[action.name] = taken
    action.external_id = taken.id
    action.output_variables = {
        OUTPUT_VARIABLES[list_revision_types(action.declaration)[0]]: taken.id
    }


def find_newest_revision(pipeline: Pipeline, action: str) -> SourceRevision:
    """What was last pushed to a source. The first revision depends only on the names, so that runs
    are repeatable.
    """
    if action not in pipeline.revisions:
        first = hashlib.sha256(f"{pipeline.name}/{action}".encode()).hexdigest()[:40]
        pipeline.revisions[action] = SourceRevision(first, utcnow())
    return pipeline.revisions[action]
