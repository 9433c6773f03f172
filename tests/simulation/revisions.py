"""Pipelines that continue with what was held: each kind of source, and what starts an execution."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.sources import list_revision_types
from sandbox.world import current_world
from tests.simulation.cast import MODES, Cast, configure, declaration
from tests.simulation.people import ANN, COMMITS, People
from tests.support.connections import REPOSITORY, connection_source, trigger

FILTERS = [
    trigger(
        push=[{"tags": {"includes": ["v*"]}}, {"branches": {"includes": ["release/*"]}}],
        pullRequest=[{"branches": {"includes": ["main"]}}],
    )
]
OBJECT = {"S3Bucket": "artifacts", "S3ObjectKey": "app.zip"}
SOURCES: tuple[tuple[str, dict[str, str], bool], ...] = (
    *[("CodeStarSourceConnection", {}, True)] * 3,
    ("CodeStarSourceConnection", {}, False),
    *[("S3", {**OBJECT, "AllowOverrideForS3ObjectKey": "true"}, False)] * 2,
    ("S3", OBJECT, False),
    ("CodeCommit", {"RepositoryName": "shop", "BranchName": "main"}, False),
    ("ECR", {"RepositoryName": "shop"}, False),
)
"""The provider of a source, its configuration, and whether triggers with filters start it."""


def add_sources(random: Random, plain: Cast) -> Cast:
    """Each dependent waits for infra, and has a source of one of these kinds."""
    declarations = {"infra": plain.declarations["infra"]}
    for name in plain.dependents[:2]:
        keys: dict[str, Any] = {
            "depends_on": ["infra"],
            "pipeline": name,
            "execution": "#{codepipeline.PipelineExecutionId}",
            "hold": random.choice((*["restart"] * 4, "retry", "wait")),
            "retry_minutes": random.choice((1, 5)),
        }
        if random.random() < 0.2:
            keys["revisions"] = random.choice(("held", "latest"))
        declared = declaration(random, name, [configure(keys)])
        provider, configuration, filtered = random.choice(SOURCES)
        (source,) = declared["stages"][0]["actions"]
        source["actionTypeId"]["provider"] = provider
        source["configuration"] = configuration
        if provider == "CodeStarSourceConnection":
            source["configuration"] = connection_source()["configuration"]
        if filtered:
            declared["triggers"] = FILTERS
        declarations[name] = {**declared, "executionMode": random.choice(MODES)}
    return Cast(declarations, plain.dependents[:2])


def plan(random: Random, people: People, cast: Cast, minutes: float) -> None:
    """A few times, infra starts, a dependent soon after it, and then its source changes. In some
    runs, AWS refuses the revisions of the past from some moment on.
    """
    for _ in range(4):
        when, name = random.uniform(0.5, 0.8 * minutes), random.choice(cast.dependents)
        people.at(when - 0.4, partial(people.start_one, "infra"))
        people.at(when, partial(_begin, random, people, name))
        people.at(when + random.uniform(0.3, 1), partial(people.push_to, name))
        if random.random() < 0.1:
            people.at(when + random.uniform(0.3, 2), partial(people.edit_variables, name))
    if random.random() < 0.5:
        current_world().dials.lost_revision_fails = random.choice(("start", "source"))
        lose = partial(current_world().dials.lost_revisions.add, "*")
        people.at(random.uniform(0.2, 0.8) * minutes, lose)


def _begin(random: Random, people: People, name: str) -> None:
    """An execution of the pipeline begins, by a person or by what happens in its source."""
    backend, commit = people.backend, random.choice(COMMITS)
    (source,) = backend.pipeline(name).pipeline["stages"][0]["actions"]
    kind = list_revision_types(source)[0]
    if allows_other_keys(source) and random.random() < 0.7:
        kind, commit = "S3_OBJECT_KEY", "hotfix.zip"
    override = {"actionName": "Source", "revisionType": kind, "revisionValue": commit}
    if random.random() < 0.4:
        request = {"name": name, "sourceRevisions": [override]}
        backend.start_pipeline_execution(request, ANN)
    elif source["actionTypeId"]["provider"] != "CodeStarSourceConnection":
        if kind == "S3_OBJECT_KEY":
            backend.start_from_rule(name, [override])
        else:
            backend.push(name, "Source", commit, "CloudWatchEvent")
    elif backend.pipeline(name).pipeline.get("triggers"):
        match random.choice(("tag", "branch", "pull request")):
            case "tag":
                backend.push_tag(REPOSITORY, "v1.2", commit)
            case "branch":
                backend.push_commit(REPOSITORY, "release/1", commit)
            case "pull request":
                backend.change_pull_request(REPOSITORY, "fix", "main", commit)
    else:
        backend.push_commit(REPOSITORY, "main", commit)


def allows_other_keys(source: dict[str, Any]) -> bool:
    """Whether a start of the pipeline can take another object than this source action names."""
    return bool(source["configuration"].get("AllowOverrideForS3ObjectKey") == "true")


def took_what_no_start_takes(execution: PipelineExecution) -> bool:
    """Whether a filter of a trigger started it, or its source takes one of several objects."""
    return execution.trigger_type == "WebhookV2" or any(
        allows_other_keys(action.declaration)
        for action in execution.actions
        if action.type["category"] == "Source"
    )
