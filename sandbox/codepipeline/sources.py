"""Which revision a source action works on: the one that the start asks for, or the newest."""

from __future__ import annotations

import hashlib
from typing import Any

from sandbox.clock import utcnow
from sandbox.codepipeline.exceptions import ValidationException
from sandbox.codepipeline.execution import (
    ActionExecution,
    Declaration,
    Revision,
    SourceRevisionOverride,
)
from sandbox.codepipeline.pipeline import Pipeline

COMMIT = ("COMMIT_ID",)
REVISION_TYPES = {"ECR": ("IMAGE_DIGEST",), "S3": ("S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY")}
"""By provider; all others are repositories of commits (model: SourceRevisionOverride; guide:
pipelines-trigger-source-overrides).
"""

VARIABLE = {
    "COMMIT_ID": "CommitId",
    "IMAGE_DIGEST": "ImageDigest",
    "S3_OBJECT_VERSION_ID": "VersionId",
}
"""The output variable that names the revision (guide: reference-variables)."""


def source_actions(pipeline: Pipeline) -> dict[str, Declaration]:
    """The source actions by name; all stand in the first stage."""
    return {action["name"]: action for action in pipeline.stages[0].declaration["actions"]}


def overrides(pipeline: Pipeline, given: list[dict[str, Any]]) -> list[SourceRevisionOverride]:
    """StartPipelineExecution's sourceRevisions. ValidationException for one that fits no source
    action of the pipeline.
    """
    sources = source_actions(pipeline)
    for item in given:
        action = sources.get(item["actionName"])
        if action is None:
            raise ValidationException(
                f"Pipeline '{pipeline.name}' does not have a source action '{item['actionName']}'"
            )
        types = revision_types(action)
        if item["revisionType"] not in types:
            raise ValidationException(
                f"The revision type {item['revisionType']} does not fit the source action "
                f"'{item['actionName']}' "
                f"(provider {action['actionTypeId']['provider']}): it takes {' or '.join(types)}"
            )
    return [
        SourceRevisionOverride(item["actionName"], item["revisionType"], item["revisionValue"])
        for item in given
    ]


def revision_types(action: Declaration) -> tuple[str, ...]:
    """The revision types that fit a source action; the first is the one that its revision has."""
    return REVISION_TYPES.get(action["actionTypeId"]["provider"], COMMIT)


def revision(pipeline: Pipeline, action: ActionExecution) -> Revision:
    """The revision that a source action works on. (An object key says where to look, not which
    version: newest it is.)
    """
    for override in action.execution.overrides:
        if override.action == action.name and override.type != "S3_OBJECT_KEY":
            return Revision(override.value, utcnow())
    return newest(pipeline, action.name)


def take(action: ActionExecution, taken: Revision) -> None:
    """Make `taken` the execution's revision of this source, and the action's output variable."""
    action.execution.revisions[action.name] = taken
    action.external_id = taken.id
    action.output_variables = {VARIABLE[revision_types(action.declaration)[0]]: taken.id}


def newest(pipeline: Pipeline, action: str) -> Revision:
    """What was last pushed to a source; at first a revision that depends on the names alone, so
    that runs can be repeated.
    """
    if action not in pipeline.revisions:
        first = hashlib.sha256(f"{pipeline.name}/{action}".encode()).hexdigest()[:40]
        pipeline.revisions[action] = Revision(first, utcnow())
    return pipeline.revisions[action]
