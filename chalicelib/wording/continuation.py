"""With which revisions a held pipeline continues, in words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from chalicelib.holds.continuation import (
    BY_TRIGGER,
    GIT_TRIGGER,
    Continuation,
    Way,
    find_way,
)
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import (
    ExecutionDetail,
    Revision,
    SourceOutput,
    find_revision_type,
)

LATEST = "the latest revision"
_COMMIT, _DIGEST = re.compile(r"[0-9a-f]{7,64}"), re.compile(r"sha256:[0-9a-f]+")
COMMIT_LENGTH, DIGEST_LENGTH, ID_LENGTH = 7, 15, 12


def describe_revisions(revisions: Mapping[str, str], sources: Mapping[str, SourceOutput]) -> str:
    """Return what an execution took, such as "tag v1.2, commit 1a2b3c4"; "" if that is unknown.

    `revisions`: their ids by source. `sources`: what is known about them otherwise.
    """
    texts = {name: _describe_revision(id_, sources.get(name)) for name, id_ in revisions.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return join_names([f"{name}: {text}" for name, text in texts.items()]) if texts else ""


def _describe_revision(id_: str, source: SourceOutput | None) -> str:
    if not id_:
        return "its revision"
    if _DIGEST.fullmatch(id_):
        return f"image {id_[:DIGEST_LENGTH]}"
    if _COMMIT.fullmatch(id_):
        commit = f"commit {id_[:COMMIT_LENGTH]}"
        if source and source.tag:
            return f"tag {source.tag}, {commit}"
        return f"{commit} of {source.branch}" if source and source.branch else commit
    key = f" of {source.object_key}" if source and source.object_key else ""
    return f"revision {id_[:ID_LENGTH]}{key}"


def describe_continuation(
    continuation: Continuation | None,
    revisions: Mapping[str, str],
    sources: Mapping[str, SourceOutput],
) -> str:
    """Return with what a held pipeline continues. `continuation`: None if the same execution does.

    `revisions`, `sources`: those of the held execution, by the source action's name.
    """
    if continuation is None or continuation.way is not Way.LATEST_REVISIONS:
        return describe_revisions(revisions, sources)
    branches = {source.branch for source in sources.values() if source}
    if len(sources) == 1 and (branch := next(iter(branches), "")):
        return f"the latest commit of {branch}"
    return LATEST


def describe_expected_revisions(
    detail: ExecutionDetail, revisions: str | None, retry_function: str, *, starts_over: bool
) -> str:
    """Return the same by what a gate knows of the execution that it holds.

    `revisions`: as in Hold. `starts_over`: whether its hold mode does.
    """
    held = describe_revisions(detail.artifacts, {})
    if not starts_over or not held:
        return held
    way = find_way(detail.origin, revisions, retry_function)
    if way is None and detail.origin.trigger == GIT_TRIGGER:
        return f"{held} if its triggers have filters, otherwise with {LATEST}"
    if way is None:
        return f"{held}, or with {LATEST} if a push began this"
    if way is not Way.LATEST_REVISIONS:
        return held
    is_object = any(not _COMMIT.fullmatch(id_) for id_ in detail.artifacts.values())
    if revisions == BY_TRIGGER and is_object and "image" not in held:
        return f"{LATEST}, or with {held} if its S3 source allows another key"
    return LATEST


def describe_start_command(
    pipeline: str,
    revisions: Sequence[Revision] = (),
    sources: Mapping[str, SourceOutput] = MappingProxyType({}),
    variables: Sequence[str] = (),
) -> str:
    """Return the command that starts a pipeline by hand, with these revisions as far as they are
    known.

    `variables`: the names of those whose values a person fills in, because the log and the events
    contain no values. Until then, the AWS CLI refuses the command: no value is empty (model:
    PipelineVariableValue).
    """
    overrides = []
    for revision in revisions:
        source, kind = sources.get(revision.action), find_revision_type(revision.provider)
        action = f"actionName={revision.action}"
        if revision.id:
            overrides.append(f"{action},revisionType={kind},revisionValue={revision.id}")
        if source and source.allows_other_keys and source.object_key:
            key = source.object_key
            overrides.append(f"{action},revisionType=S3_OBJECT_KEY,revisionValue={key}")
    words = ["aws", "codepipeline", "start-pipeline-execution", "--name", pipeline]
    if overrides:
        words += ["--source-revisions", *overrides]
    if variables:
        words += ["--variables", *(f"name={name},value=" for name in variables)]
    return shlex.join(words)
