"""Git triggers: what happens in the repository of a connection, and which sources of a pipeline
start the pipeline then (model: PipelineTriggerDeclaration; guide: pipelines-triggers,
pipelines-filter).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from moto.codepipeline.exceptions import InvalidStructureException

from sandbox.codepipeline.execution import Declaration, SourceRevision

CONNECTION = "CodeStarSourceConnection"
"""The only provider that has triggers (model: PipelineTriggerProviderType)."""
PullRequestEvent = Literal["OPEN", "UPDATED", "CLOSED"]
"""What happened to a pull request (model: GitPullRequestEventType)."""


@dataclass(frozen=True)
class GitEvent:
    """What a connection reports of a repository (OWNER/NAME).

    `revision` is the commit, with the branch or tag that was pushed, or the source branch of the
    pull request: "the execution will use the commit from the source branch" (guide:
    pipelines-filter). `target` is the branch into which the pull request merges, `paths` are the
    changed files.
    """

    repository: str
    revision: SourceRevision
    kind: Literal["PUSH"] | PullRequestEvent = "PUSH"
    target: str = ""
    paths: tuple[str, ...] = ()


def find_trigger(
    pipeline: Declaration, source: Declaration, event: GitEvent
) -> Literal["WebhookV2", "Webhook"] | None:
    """How the event starts a pipeline by one of its source actions, or None if it does not.

    - WebhookV2: one of the trigger's filters matches. The execution works on exactly this commit
      (guide: pipelines-filter).
    - Webhook: a push to BranchName, if the source has no filters and DetectChanges is not false
      (guide: tutorials-github-featurebranches, "the Webhook event (change detection on all push
      events)"). AWS does not say whether a trigger of one source also turns that off for others:
      here it does not.
    """
    configuration = source.get("configuration") or {}
    if (
        source["actionTypeId"]["provider"] != CONNECTION
        or configuration.get("FullRepositoryId") != event.repository
    ):
        return None
    filters: dict[str, Any] = {}
    for trigger in pipeline.get("triggers") or []:
        if trigger["gitConfiguration"]["sourceActionName"] == source["name"]:
            filters = trigger["gitConfiguration"]
    if "push" in filters or "pullRequest" in filters:
        return "WebhookV2" if matches_filters(filters, event) else None
    detects_changes = str(configuration.get("DetectChanges", "true")).lower() == "true"
    is_pushed = event.kind == "PUSH" and event.revision.branch == configuration.get("BranchName")
    return "Webhook" if detects_changes and is_pushed else None


def matches_filters(configuration: dict[str, Any], event: GitEvent) -> bool:
    """Whether one of a trigger's filters matches (model: GitConfiguration). Filters are
    alternatives, and all criteria of a filter must hold (guide: pipelines-filter-cli).
    """
    if event.kind == "PUSH":
        return any(_matches_push(criteria, event) for criteria in configuration.get("push") or [])
    return any(
        # (CDK's documents, GitPullRequestFilter: "Default: - all events.")
        event.kind in criteria.get("events", [event.kind])
        and _matches(criteria.get("branches"), [event.target])
        and _matches(criteria.get("filePaths"), event.paths)
        for criteria in configuration.get("pullRequest") or []
    )


def _matches_push(criteria: dict[str, Any], event: GitEvent) -> bool:
    """A filter is about tags or about branches."""
    if event.revision.tag is not None:
        return "tags" in criteria and _matches(criteria["tags"], [event.revision.tag])
    return (
        "tags" not in criteria
        and _matches(criteria.get("branches"), [event.revision.branch or ""])
        and _matches(criteria.get("filePaths"), event.paths)
    )


def _matches(patterns: dict[str, list[str]] | None, names: Iterable[str]) -> bool:
    """Whether one of the names is included and not excluded: "excludes takes priority over
    includes" (CDK's documents, GitPushFilter). Without includes, all names are included. That one
    changed file is enough is assumed.
    """
    if patterns is None:
        return True
    includes, excludes = patterns.get("includes"), patterns.get("excludes") or []
    return any(
        (includes is None or any(matches_glob(pattern, name) for pattern in includes))
        and not any(matches_glob(pattern, name) for pattern in excludes)
        for name in names
    )


def matches_glob(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern (guide: syntax-glob, whose rules are those of Java's
    PathMatcher): `*` and `?` do not match a slash, `**` does; [a-c], {a,b} and \\ as usual.
    """
    return _compile_glob(pattern).fullmatch(name) is not None


@cache
def _compile_glob(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_translate_glob(pattern)), re.DOTALL)


TOKEN = re.compile(r"\\(?P<escaped>.)|\*\*|\*|\?|\[(?P<set>[^\]]+)\]|\{(?P<choice>[^}]*)\}|.", re.S)
WILDCARDS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translate_glob(pattern: str) -> Iterator[str]:
    """The pieces of the regular expression. A bracket or brace that is not closed means itself."""
    for token in TOKEN.finditer(pattern):
        if token["escaped"] is not None:
            yield re.escape(token["escaped"])
        elif token["set"] is not None:
            negation = "^" if token["set"].startswith("!") else ""
            members = re.sub(r"([\\\[\]^&|~])", r"\\\1", token["set"].removeprefix("!"))
            yield f"(?!/)[{negation}{members}]"
        elif token["choice"] is not None:
            choices = ["".join(_translate_glob(choice)) for choice in token["choice"].split(",")]
            yield f"(?:{'|'.join(choices)})"
        else:
            yield WILDCARDS.get(token[0], re.escape(token[0]))


def check_triggers(pipeline: Declaration) -> None:
    """InvalidStructureException for triggers that CreatePipeline refuses. The messages are AWS's,
    as public bug reports quote them (practice: hashicorp/terraform-provider-aws#43105,
    aws/aws-cdk#28694); which exception the first one comes with is assumed.
    """
    connections = [
        action["name"]
        for action in pipeline["stages"][0]["actions"]
        if action["actionTypeId"]["provider"] == CONNECTION
    ]
    for trigger in pipeline.get("triggers") or []:
        configuration = trigger["gitConfiguration"]
        if configuration["sourceActionName"] not in connections:
            raise InvalidStructureException(
                "Triggers for connection must reference a CodeStarSourceConnection action. Note "
                "that when you specify a trigger, you cant specify more than one trigger per "
                "source action."
            )
        connections.remove(configuration["sourceActionName"])
        for criteria in (
            *(configuration.get("push") or []),
            *(configuration.get("pullRequest") or []),
        ):
            # (guide: pipelines-filter, "Valid combinations are": tags, branches, branches and file
            # paths)
            if {"tags", "branches", "filePaths"} & criteria.keys() not in (
                {"tags"},
                {"branches"},
                {"branches", "filePaths"},
            ):
                raise InvalidStructureException(
                    "The trigger configuration for the source action is not valid. Make sure to "
                    "choose valid filter combinations."
                )
