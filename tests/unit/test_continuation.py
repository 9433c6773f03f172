"""With which revisions a held execution continues, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.holds.continuation import (
    BY_TRIGGER,
    PUSHES,
    START,
    Continuation,
    Way,
    find_continuation,
    has_filters,
    list_needed_variables,
)
from chalicelib.pipelines.execution import (
    Attempt,
    Execution,
    ExecutionDetail,
    Origin,
    Revision,
    SourceOutput,
)
from chalicelib.wording.continuation import (
    describe_continuation,
    describe_expected_revisions,
    describe_revisions,
    describe_start_command,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RETRY = "pipeline-gate-dev-retry"
BY_RETRY = f"arn:aws:sts::123456789012:assumed-role/some-role/{RETRY}"
HELD, LATEST, SAME = Way.HELD_REVISIONS, Way.LATEST_REVISIONS, Way.SAME_EXECUTION
COMMIT = "1a2b3c4d5e6f"


def run(id_: str = "held", minute: int = 0, revision: str = COMMIT, **more: Any) -> Execution:
    at = NOON + timedelta(minutes=minute)
    return Execution(id_, "Failed", at, at, revisions={"Source": revision}, **more)


def take(provider: str = "CodeCommit", **output: Any) -> Attempt:
    """The attempt of a source action."""
    return Attempt("Source", "Source", "Succeeded", NOON, provider, source=SourceOutput(**output))


def continue_held(
    held: Execution, revisions: str | None = BY_TRIGGER, *older: Execution, **more: Any
) -> Continuation:
    attempts = more.pop("attempts", [take()])
    return find_continuation(held, revisions, attempts, [held, *older], RETRY, **more)


@pytest.mark.parametrize("trigger", ["", START, "SomethingNew", *sorted(PUSHES)])
def test_only_a_push_continues_with_the_latest_revisions(trigger: str) -> None:
    way = continue_held(run(trigger=trigger, started_by="arn:aws:iam::123456789012:root")).way
    assert way is (LATEST if trigger in PUSHES else HELD)


@pytest.mark.parametrize(
    ("revisions", "mode", "kind", "way"),
    [
        ("held", "SUPERSEDED", "STANDARD", HELD),
        ("latest", "SUPERSEDED", "STANDARD", LATEST),
        ("latest", "PARALLEL", "STANDARD", LATEST),
        (BY_TRIGGER, "PARALLEL", "STANDARD", HELD),
        # A rule from before.
        (None, "PARALLEL", "STANDARD", HELD),
        (None, "QUEUED", "STANDARD", LATEST),
        ("held", "SUPERSEDED", "ROLLBACK", SAME),
        ("latest", "SUPERSEDED", "ROLLBACK", SAME),
    ],
)
@pytest.mark.parametrize("trigger", [START, "Webhook", "WebhookV2"])
def test_the_trigger_does_not_always_count(
    trigger: str, revisions: str | None, mode: str, kind: str, way: Way
) -> None:
    held = run(trigger=trigger, mode=mode, kind=kind)
    assert continue_held(held, revisions, filtered=True).way is way


@pytest.mark.parametrize(("filtered", "way"), [(True, SAME), (None, SAME), (False, LATEST)])
def test_a_git_trigger_depends_on_its_filters(filtered: bool | None, way: Way) -> None:
    assert continue_held(run(trigger="WebhookV2"), filtered=filtered).way is way


@pytest.mark.parametrize(
    ("triggers", "filtered"),
    [
        (None, False),
        ([], False),
        ([{"gitConfiguration": {"sourceActionName": "Source"}}], False),
        ([{}, {"gitConfiguration": {"push": [{"tags": {"includes": ["v*"]}}]}}], True),
        ([{"gitConfiguration": {"pullRequest": [{"events": ["OPEN"]}]}}], True),
    ],
)
def test_triggers_have_filters(triggers: Any, *, filtered: bool) -> None:
    assert has_filters({"triggers": triggers}) is filtered


@pytest.mark.parametrize("provider", ["CodeCommit", "ECR", "S3"])
def test_a_start_takes_the_held_revisions(provider: str) -> None:
    continuation = continue_held(run(trigger=START), attempts=[take(provider)])
    assert continuation.revisions == (Revision("Source", provider, COMMIT),)


def test_a_source_whose_provider_aws_does_not_tell_keeps_its_revision() -> None:
    continuation = continue_held(run(trigger=START), attempts=[])
    assert continuation.revisions == (Revision("Source", "", COMMIT),)


OTHER = Attempt("Source", "Other", "Succeeded", NOON, "ECR", source=SourceOutput())
OPEN_KEY = take("S3", allows_other_keys=True)


@pytest.mark.parametrize(
    ("held", "attempts", "obstacle"),
    [
        (run(revision="", trigger=START), [take()], "which revision its source Source took"),
        (run(trigger=START), [take(), OTHER], "which revision its source Other took"),
        (
            Execution("held", "Failed", NOON, NOON, trigger=START),
            [],
            "which revision its sources took",
        ),
        (run(trigger=START), [OPEN_KEY], "its source Source may have taken another S3 key"),
        (run(trigger="Webhook"), [OPEN_KEY], "its source Source may have taken another S3 key"),
    ],
)
def test_what_a_start_cannot_reproduce_continues_itself(
    held: Execution, attempts: list[Attempt], obstacle: str
) -> None:
    continuation = continue_held(held, attempts=attempts)
    assert continuation.way is SAME
    assert obstacle in continuation.obstacle


@pytest.mark.parametrize(
    ("older", "way"),
    [
        ([run("first", -5, trigger=START)], HELD),
        ([run("first", -5, trigger=START), run("x", -9, "c0ffee1", trigger="Webhook")], HELD),
        ([run("first", -5, "c0ffee1", trigger=START)], LATEST),
        ([run("first", -5, trigger="Webhook")], LATEST),
        # Between them, something else began, or the first one was a restart itself.
        ([run("x", -1, "c0ffee1", trigger="Webhook"), run("first", -5, trigger=START)], HELD),
        (
            [
                run("second", -2, trigger=START, started_by=BY_RETRY),
                run("first", -5, trigger=START),
            ],
            HELD,
        ),
        ([run("second", -2, trigger=START, started_by=BY_RETRY)], LATEST),
        ([], HELD),
    ],
)
def test_a_restart_keeps_on_as_it_was_started(older: list[Execution], way: Way) -> None:
    restart = run(trigger=START, started_by=BY_RETRY)
    assert continue_held(restart, BY_TRIGGER, *older).way is way


# In words


@pytest.mark.parametrize(
    ("revisions", "sources", "text"),
    [
        ({"S": COMMIT}, {}, "commit 1a2b3c4"),
        ({"S": COMMIT}, {"S": SourceOutput(tag="v1.2")}, "tag v1.2, commit 1a2b3c4"),
        ({"S": COMMIT}, {"S": SourceOutput(branch="main")}, "commit 1a2b3c4 of main"),
        ({"S": f"sha256:{'ab' * 32}"}, {}, "image sha256:abababab"),
        (
            {"S": "Xy_" * 10},
            {"S": SourceOutput(object_key="a.zip")},
            "revision Xy_Xy_Xy_Xy_ of a.zip",
        ),
        ({"S": ""}, {}, "its revision"),
        ({"A": COMMIT, "B": ""}, {}, "A: commit 1a2b3c4 and B: its revision"),
        ({}, {}, ""),
    ],
)
def test_revisions_in_words(
    revisions: dict[str, str], sources: dict[str, SourceOutput], text: str
) -> None:
    assert describe_revisions(revisions, sources) == text


@pytest.mark.parametrize(
    ("way", "sources", "text"),
    [
        (HELD, {"S": SourceOutput(branch="main")}, "commit 1a2b3c4 of main"),
        (LATEST, {"S": SourceOutput(branch="main")}, "the latest commit of main"),
        (LATEST, {"S": SourceOutput()}, "the latest revision"),
        (LATEST, {"S": SourceOutput(branch="main"), "T": SourceOutput()}, "the latest revision"),
        (None, {"S": SourceOutput(tag="v1")}, "tag v1, commit 1a2b3c4"),
    ],
)
def test_a_continuation_in_words(
    way: Way | None, sources: dict[str, SourceOutput], text: str
) -> None:
    continuation = way and Continuation(way)
    assert describe_continuation(continuation, {"S": COMMIT}, sources) == text


@pytest.mark.parametrize(
    ("trigger", "started_by", "revision", "text"),
    [
        (START, "root", COMMIT, "commit 1a2b3c4"),
        ("Webhook", "", COMMIT, "the latest revision"),
        ("CloudWatchEvent", "", f"sha256:{'ab' * 32}", "the latest revision"),
        (
            "CloudWatchEvent",
            "",
            "Xy",
            "the latest revision, or with revision Xy if its S3 source allows another key",
        ),
        (
            "WebhookV2",
            "",
            COMMIT,
            "commit 1a2b3c4 if its triggers have filters, otherwise with the latest revision",
        ),
        (
            START,
            BY_RETRY,
            COMMIT,
            "commit 1a2b3c4, or with the latest revision if a push began this",
        ),
    ],
)
def test_what_the_gate_foresees(trigger: str, started_by: str, revision: str, text: str) -> None:
    origin = Origin(trigger=trigger, started_by=started_by)
    detail = ExecutionDetail("InProgress", {}, origin, {"source": revision})
    words = {
        starts_over: describe_expected_revisions(detail, BY_TRIGGER, RETRY, starts_over=starts_over)
        for starts_over in (True, False)
    }
    held = describe_revisions({"source": revision}, {})
    assert words == {True: text, False: held}


def test_the_command_that_starts_by_hand_names_all_that_is_known() -> None:
    revisions = [
        Revision("App", "CodeStarSourceConnection", COMMIT),
        Revision("Zip", "S3", "v1"),
        Revision("Image", "ECR", ""),
    ]
    sources = {"Zip": SourceOutput(object_key="my app.zip", allows_other_keys=True)}
    assert describe_start_command("k8s", revisions, sources) == (
        "aws codepipeline start-pipeline-execution --name k8s --source-revisions "
        f"actionName=App,revisionType=COMMIT_ID,revisionValue={COMMIT} "
        "actionName=Zip,revisionType=S3_OBJECT_VERSION_ID,revisionValue=v1 "
        "'actionName=Zip,revisionType=S3_OBJECT_KEY,revisionValue=my app.zip'"
    )
    start = "aws codepipeline start-pipeline-execution --name k8s"
    assert describe_start_command("k8s") == start
    variables = describe_start_command("k8s", variables=["image", "color"])
    assert variables == f"{start} --variables name=image,value= name=color,value="


def test_a_start_by_hand_needs_the_variables_whose_value_is_not_the_default() -> None:
    held = {"image": "v1", "color": "red", "empty": "", "gone": "x", "required": "y"}
    defaults = {"image": "v2", "color": "red", "empty": "z", "new": "z"}
    declared: list[dict[str, str]] = [
        *({"name": name, "defaultValue": value} for name, value in defaults.items()),
        {"name": "required"},
    ]
    assert list_needed_variables(held, {"variables": declared}) == ["image", "required"]
    assert list_needed_variables(held, {}) == []
