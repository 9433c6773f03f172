"""A held execution continues with what was held: its revisions, unless it was an ordinary push."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import retry, runtime
from chalicelib.holds.hold import Restart
from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.connections import connection_source, trigger
from tests.support.explaining import explains
from tests.support.held import RULE_MODES, edit
from tests.support.logs import read_log
from tests.support.scene import Scene

OLD, HEAD = "01d01d0", "bead000"
"""Commits. The second is the newest of main while k8s is held."""
OLD_IMAGE, NEW_IMAGE = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"
FILTERS = [
    trigger(
        push=[{"tags": {"includes": ["v*"]}}, {"branches": {"includes": ["release/*"]}}],
        pullRequest=[{"branches": {"includes": ["main"]}}],
    )
]
Begin = Callable[[Scene], object]


def source(provider: str, name: str = "Source", **configuration: str) -> dict[str, Any]:
    if provider == "CodeStarSourceConnection":
        return connection_source(name, **configuration)
    owned = connection_source(name)
    type_id = {**owned["actionTypeId"], "provider": provider}
    return {**owned, "actionTypeId": type_id, "configuration": configuration}


def override(value: str, kind: str = "COMMIT_ID", action: str = "Source") -> dict[str, str]:
    return {"actionName": action, "revisionType": kind, "revisionValue": value}


def start_at(*overrides: dict[str, str]) -> Begin:
    """A person starts k8s at these revisions."""
    return lambda scene: scene.start("k8s", sourceRevisions=list(overrides))


def push_tag(scene: Scene) -> object:
    return scene.push_tag("v1.2", OLD)


def hold(scene: Scene, begin: Begin, mode: str = "SUPERSEDED", **options: Any) -> str:
    """infra runs from now on for ten minutes, and k8s is held for it. Its execution."""
    keys = ("sources", "triggers", "variables")
    members = {key: options.pop(key) for key in keys if key in options}
    scene.pipeline("infra")
    scene.gated("k8s", ask(**options), mode=mode, **members)
    scene.start("infra")
    begin(scene)
    scene.wait(seconds=20)
    return scene.executions()[0]["pipelineExecutionId"]


def read_end(scene: Scene, minutes: float = 16) -> tuple[str, dict[str, str]]:
    """After some time, the execution of k8s that succeeded, and its revisions by source."""
    scene.wait(minutes=minutes)
    (succeeded,) = [one for one in scene.executions() if one["status"] == "Succeeded"]
    revisions = {each["actionName"]: each["revisionId"] for each in succeeded["sourceRevisions"]}
    return succeeded["pipelineExecutionId"], revisions


# Started by a person or a program


@pytest.mark.parametrize(
    ("declared", "kind", "old", "new"),
    [
        (source("CodeCommit", BranchName="main"), "COMMIT_ID", OLD, HEAD),
        (source("CodeStarSourceConnection", DetectChanges="false"), "COMMIT_ID", OLD, HEAD),
        (source("ECR", RepositoryName="shop"), "IMAGE_DIGEST", OLD_IMAGE, NEW_IMAGE),
        (source("S3", S3Bucket="b", S3ObjectKey="app.zip"), "S3_OBJECT_VERSION_ID", "v1", "v2"),
    ],
)
def test_an_execution_that_a_person_started_keeps_its_revision(
    scene: Scene, declared: dict[str, Any], kind: str, old: str, new: str
) -> None:
    held = hold(scene, start_at(override(old, kind)), sources=[declared])
    scene.push("k8s", new)
    restart, revisions = read_end(scene)
    assert revisions == {"Source": old}
    assert restart != held
    assert scene.rules() == []


def test_an_execution_of_a_person_keeps_what_was_the_newest_then(scene: Scene) -> None:
    hold(scene, lambda scene: scene.start("k8s"))
    before = scene.executions()[0]["sourceRevisions"][0]["revisionId"]
    scene.push("k8s", HEAD)
    assert read_end(scene)[1] == {"Source": before}


def test_every_source_keeps_its_revision(scene: Scene) -> None:
    sources = [
        source("CodeCommit", "Code", BranchName="main"),
        source("ECR", "Image", RepositoryName="shop"),
        source("S3", "Config", S3Bucket="b", S3ObjectKey="c.zip"),
    ]
    hold(
        scene,
        start_at(override(OLD, action="Code"), override(OLD_IMAGE, "IMAGE_DIGEST", "Image")),
        sources=sources,
    )
    (config,) = [
        each["revisionId"]
        for each in scene.executions()[0]["sourceRevisions"]
        if each["actionName"] == "Config"
    ]
    backend = scene._backend
    for name, revision in (("Code", HEAD), ("Image", NEW_IMAGE), ("Config", "v2")):
        backend.push("k8s", name, revision)
    assert read_end(scene)[1] == {"Code": OLD, "Image": OLD_IMAGE, "Config": config}


def test_another_execution_that_a_rule_started_takes_the_latest(scene: Scene) -> None:
    hold(scene, lambda scene: scene.start_from_rule("k8s", []))
    scene.push("k8s", HEAD)
    assert read_end(scene)[1] == {"Source": HEAD}


# Started by a push


def test_an_ordinary_push_continues_with_the_latest(scene: Scene) -> None:
    """A newer push would have started an execution: here it is to a source that detects nothing."""
    hold(
        scene,
        lambda scene: scene.push_commit("main", OLD),
        sources=[source("CodeStarSourceConnection"), source("CodeCommit", "Config")],
    )
    scene._backend.push("k8s", "Config", HEAD)
    assert read_end(scene)[1] == {"Source": OLD, "Config": HEAD}


def test_a_newer_push_replaces_the_held_execution(scene: Scene) -> None:
    hold(
        scene,
        lambda scene: scene.push_commit("main", OLD),
        sources=[source("CodeStarSourceConnection")],
    )
    scene.push_commit("main", HEAD)
    assert read_end(scene)[1] == {"Source": HEAD}
    assert len(scene.executions()) == 3


@pytest.mark.parametrize(
    "begin",
    [
        push_tag,
        lambda scene: scene.push_commit("release/1", OLD),
        lambda scene: scene.change_pull_request("fix", "main", OLD),
    ],
    ids=["tag", "branch", "pull request"],
)
def test_an_execution_of_a_filter_continues_itself(scene: Scene, begin: Begin) -> None:
    held = hold(scene, begin, sources=[connection_source()], triggers=FILTERS)
    scene.push_commit("main", HEAD)
    assert read_end(scene) == (held, {"Source": OLD})
    assert len(scene.executions()) == 1
    assert scene.rules() == []


@pytest.mark.parametrize("error", ["AccessDeniedException", "ThrottlingException"])
def test_if_the_triggers_cannot_be_read_the_same_execution_continues(
    scene: Scene, calls: Calls, error: str
) -> None:
    calls.fail("GetPipeline", error)
    held = hold(scene, push_tag, sources=[connection_source()], triggers=FILTERS)
    assert read_end(scene) == (held, {"Source": OLD})


def test_the_structure_is_only_read_if_it_decides(scene: Scene, calls: Calls) -> None:
    hold(scene, start_at(override(OLD)))
    read_end(scene)
    assert "GetPipeline" not in calls.made


# What a start cannot reproduce


@pytest.mark.parametrize("begins", ["person", "rule"])
def test_an_object_with_another_key_continues_itself(scene: Scene, begins: str) -> None:
    bucket = source("S3", S3Bucket="b", S3ObjectKey="app.zip", AllowOverrideForS3ObjectKey="true")
    other = override("hotfix.zip", "S3_OBJECT_KEY")
    begin: Begin = (
        start_at(other)
        if begins == "person"
        else lambda scene: scene.start_from_rule("k8s", [other])
    )
    held = hold(scene, begin, sources=[bucket])
    (took,) = scene.executions()[0]["sourceRevisions"]
    scene.push("k8s", "v2")
    assert read_end(scene) == (held, {"Source": took["revisionId"]})


def test_an_execution_with_an_unknown_revision_continues_itself(scene: Scene) -> None:
    scene.world.dials.missing_members = {"revisionId"}
    held = hold(scene, start_at(override(OLD)))
    scene.push("k8s", HEAD)
    scene.wait(minutes=16)
    scene.world.dials.missing_members = set()
    assert read_end(scene, 0) == (held, {"Source": OLD})


@pytest.fixture
def late_list(scene: Scene) -> Iterator[None]:
    """During the first half minute, the list of actions is empty."""
    until = utcnow() + timedelta(seconds=30)

    def leave_out(parsed: dict[str, Any], **_: Any) -> None:
        if utcnow() < until:
            parsed["actionExecutionDetails"] = []

    events = runtime.aws.codepipeline._client.meta.events
    events.register("after-call.codepipeline.ListActionExecutions", leave_out)
    yield
    events.unregister("after-call.codepipeline.ListActionExecutions", leave_out)


@pytest.mark.usefixtures("late_list")
def test_a_stage_that_aws_does_not_show_yet_is_retried_later(scene: Scene) -> None:
    scene.pipeline("infra", seconds=15)
    scene.gated("k8s", ask(), sources=[connection_source()], triggers=FILTERS)
    scene.start("infra")
    push_tag(scene)
    held = scene.executions()[0]["pipelineExecutionId"]
    scene.wait(seconds=7)
    assert [line["decision"] for line in read_log("retry")][-1:] == ["waiting"]
    assert read_end(scene) == (held, {"Source": OLD})


# If the action says which, and in other modes


@pytest.mark.parametrize(("revisions", "expected"), [("held", OLD), ("latest", HEAD)])
@pytest.mark.parametrize("begin", [start_at(override(OLD)), push_tag], ids=["person", "tag"])
def test_the_action_can_say_which_revisions(
    scene: Scene, begin: Begin, revisions: str, expected: str
) -> None:
    held = hold(
        scene,
        begin,
        revisions=revisions,
        sources=[connection_source(DetectChanges="false")],
        triggers=FILTERS,
    )
    scene.push_commit("main", HEAD)
    restart, took = read_end(scene)
    assert took == {"Source": expected}
    assert restart != held


@pytest.mark.parametrize("begin", [start_at(override(OLD)), push_tag], ids=["person", "tag"])
def test_in_parallel_mode_every_execution_keeps_its_revision(scene: Scene, begin: Begin) -> None:
    held = hold(scene, begin, mode="PARALLEL", sources=[connection_source()], triggers=FILTERS)
    scene.push_commit("main", HEAD)
    restart, took = read_end(scene)
    assert took == {"Source": OLD}
    assert restart != held


@pytest.mark.usefixtures("sessions")
def test_in_parallel_mode_each_of_two_executions_continues_with_the_latest(scene: Scene) -> None:
    """The restart of one has the other's revision, and is not taken for the other's restart."""
    hold(scene, start_at(override(OLD)), mode="PARALLEL", revisions="latest")
    scene.push("k8s", HEAD)
    scene.start("k8s")
    scene.wait(minutes=16)
    restarts = [one for one in scene.executions() if one["status"] == "Succeeded"]
    assert [one["sourceRevisions"][0]["revisionId"] for one in restarts] == [HEAD, HEAD]


@pytest.mark.parametrize("mode", RULE_MODES)
def test_after_an_edit_the_revision_is_kept_too(scene: Scene, mode: str) -> None:
    held = hold(scene, start_at(override(OLD)), hold=mode)
    scene.push("k8s", HEAD)
    edit(scene)
    restart, took = read_end(scene)
    assert took == {"Source": OLD}
    assert restart != held


@pytest.mark.parametrize("mode", RULE_MODES)
def test_what_a_start_cannot_reproduce_is_given_up_after_an_edit(scene: Scene, mode: str) -> None:
    held = hold(scene, push_tag, hold=mode, sources=[connection_source()], triggers=FILTERS)
    scene.push_commit("main", HEAD)
    edit(scene)
    scene.wait(minutes=16)
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == []
    ended = read_log("retry")[-1]
    assert (ended["decision"], ended["execution"]) == ("gave up", held)
    command = (
        "aws codepipeline start-pipeline-execution --name k8s --source-revisions "
        f"actionName=Source,revisionType=COMMIT_ID,revisionValue={OLD}"
    )
    assert "a trigger with filters started it" in ended["reason"]
    assert ended["start_command"] == command
    said = explains("it could not be continued", "a trigger with filters", states=["gave up"])
    assert command in said.out


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (None, ["image"]),
        # Then it is not known which ones the pipeline still declares, and with which defaults.
        ("AccessDeniedException", ["image", "color", "gone"]),
    ],
)
def test_the_command_names_the_variables_without_their_values(
    scene: Scene, calls: Calls, error: str | None, names: list[str]
) -> None:
    def remove_variable(declared: Any) -> None:
        del declared["variables"][2]

    bucket = source("S3", S3Bucket="b", S3ObjectKey="app.zip", AllowOverrideForS3ObjectKey="true")
    variables = [{"name": name, "defaultValue": "v1"} for name in ("image", "color", "gone")]

    def begin(scene: Scene) -> None:
        values = [{"name": "image", "value": "confidential"}, {"name": "gone", "value": "v2"}]
        overrides = [override("hotfix.zip", "S3_OBJECT_KEY")]
        scene.start("k8s", variables=values, sourceRevisions=overrides)

    held = hold(scene, begin, sources=[bucket], variables=variables)
    edit(scene, change=remove_variable)
    if error:
        calls.fail("GetPipeline", error)
    scene.wait(minutes=16)
    ended = read_log("retry")[-1]
    filled_in = " ".join(f"name={name},value=" for name in names)
    assert ended["start_command"].endswith(f"revisionValue=hotfix.zip --variables {filled_in}")
    assert "confidential" not in str([*read_log("gate"), *read_log("retry")])
    said = explains("fill in the values of its variables", states=["gave up"])
    assert f"--pipeline-execution-id {held} --query pipelineExecution.variables" in said.out


def test_a_source_that_was_renamed_does_not_bring_another_revision(scene: Scene) -> None:
    def rename(declared: Any) -> None:
        declared["stages"][0]["actions"][0]["name"] = "Code"

    hold(scene, start_at(override(OLD)))
    scene.push("k8s", HEAD)
    edit(scene, change=rename)
    scene.wait(minutes=16)
    assert scene.statuses() == ["Failed"]
    ended = read_log("retry")[-1]
    assert ended["decision"] == "gave up"
    assert "the pipeline has a new source, Code" in ended["reason"]


@pytest.mark.parametrize(
    ("begin", "same"), [(start_at(override(OLD)), False), (push_tag, True)], ids=["person", "tag"]
)
def test_after_23_hours_of_waiting_the_revision_is_kept_too(
    scene: Scene, begin: Begin, same: bool
) -> None:
    scene.pipeline("infra", seconds=24 * 3600)
    scene.gated("k8s", ask(hold="wait"), sources=[connection_source()], triggers=FILTERS)
    scene.start("infra")
    begin(scene)
    scene.push_commit("main", HEAD)
    held = scene.executions()[0]["pipelineExecutionId"]
    continued, took = read_end(scene, 24.5 * 60)
    assert took == {"Source": OLD}
    assert (continued == held) == same


# Held again


@pytest.mark.usefixtures("sessions")
@pytest.mark.parametrize("by_hand", [True, False], ids=["person", "push"])
def test_a_restart_that_is_held_again_keeps_what_it_was(scene: Scene, by_hand: bool) -> None:
    begin: Begin = (
        start_at(override(OLD)) if by_hand else lambda scene: scene.start_from_rule("k8s", [])
    )
    hold(scene, begin)
    scene.push("k8s", "aaaaaaa")
    for commit in ("bbbbbbb", HEAD):
        count = len(scene.executions())
        while len(scene.executions()) == count:
            scene.wait(seconds=0.5)
        scene.codepipeline.start_pipeline_execution(name="infra")
        scene.wait(seconds=30)
        scene.push("k8s", commit)
    assert read_end(scene)[1] == {"Source": OLD if by_hand else HEAD}
    assert len(scene.executions()) == 4


# Holds from before


@pytest.mark.parametrize("parallel", [False, True])
def test_a_hold_of_an_older_gate_keeps_its_meaning(scene: Scene, parallel: bool) -> None:
    held = hold(scene, start_at(override(OLD)), mode="PARALLEL" if parallel else "SUPERSEDED")
    scene.push("k8s", HEAD)
    rule, events = f"pipeline-gate-dev-{held}", runtime.aws.eventbridge
    kept = events.read_hold(rule)
    assert kept
    retry = json.loads(json.dumps(scene.events.list_targets_by_rule(Rule=rule)["Targets"]))[0]
    events.put_target(replace(kept, revisions=None), retry["Arn"])
    assert read_end(scene)[1] == {"Source": OLD if parallel else HEAD}


# If AWS refuses


@pytest.fixture
def sleeping(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes while the functions sleep."""
    monkeypatch.setattr(time, "sleep", lambda seconds: scene.wait(seconds=seconds))


@pytest.mark.parametrize("fails", ["start", "source"])
@pytest.mark.usefixtures("sleeping")
def test_if_aws_refuses_the_revision_the_stage_is_retried(scene: Scene, fails: Any) -> None:
    held = hold(scene, start_at(override(OLD)))
    scene.push("k8s", HEAD)
    scene.world.dials.lost_revisions = {OLD}
    scene.world.dials.lost_revision_fails = fails
    assert read_end(scene) == (held, {"Source": OLD})
    (ended,) = [line for line in read_log("retry") if line["decision"] == "retried"]
    assert ("could not be started with commit 01d01d0" in ended["reason"]) == (fails == "start")
    scene.wait(minutes=16)
    assert scene.rules() == []


@pytest.mark.usefixtures("sleeping", "sessions")
def test_a_retry_that_dies_after_its_start_still_retries_the_stage_of_a_lost_revision(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, deaths = retry._list_until, [RuntimeError("killed")]

    def list_until(*arguments: Any) -> Any:
        if deaths:
            raise deaths.pop()
        return real(*arguments)

    held = hold(scene, start_at(override(OLD)))
    scene.world.dials.lost_revisions = {OLD}
    scene.world.dials.lost_revision_fails = "source"
    monkeypatch.setattr(retry, "_list_until", list_until)
    assert read_end(scene, minutes=21) == (held, {"Source": OLD})
    scene.wait(minutes=6)
    assert scene.rules() == []


@pytest.mark.usefixtures("sleeping", "sessions")
def test_a_firing_that_still_names_the_failed_restart_leaves_the_new_hold_alone(
    scene: Scene,
) -> None:
    """Its stage was retried since, and the gate holds it again by the same rule."""
    held = hold(scene, start_at(override(OLD)))
    scene.world.dials.lost_revisions = {OLD}
    scene.world.dials.lost_revision_fails = "source"
    kept = runtime.aws.eventbridge.read_hold(f"pipeline-gate-dev-{held}")
    assert kept
    while len(scene.executions()) == 1:
        scene.wait(seconds=1)
    scene.codepipeline.start_pipeline_execution(name="infra")
    scene.wait(seconds=40)
    assert scene.statuses() == ["Failed", "Failed"]
    started = scene.executions()[0]["pipelineExecutionId"]
    stale = replace(kept, restart=Restart(started, "started")).as_input()
    anew = runtime.aws.eventbridge.read_hold(kept.rule)
    Client(app.app).lambda_.invoke("retry", json.loads(stale))
    assert runtime.aws.eventbridge.read_hold(kept.rule) == anew != kept
    assert read_end(scene) == (held, {"Source": OLD})


@pytest.mark.parametrize("fails", ["start", "source"])
@pytest.mark.usefixtures("sleeping")
def test_if_the_stage_cannot_be_retried_either_the_hold_is_given_up(
    scene: Scene, fails: Any
) -> None:
    variables = [{"name": "image", "defaultValue": "v1"}]
    held = hold(scene, start_at(override(OLD)), variables=variables)
    edit(scene, change=lambda declared: declared.pop("variables"))
    scene.world.dials.lost_revisions = {"*"}
    scene.world.dials.lost_revision_fails = fails
    scene.wait(minutes=11)
    firings = [line["decision"] for line in read_log("retry")]
    ended = read_log("retry")[-1]
    assert firings[-1] == "gave up"
    assert scene.rules() == []
    assert ended["start_command"] == "aws codepipeline start-pipeline-execution --name k8s"
    if fails == "start":
        assert "commit 01d01d0" in ended["reason"]
        explains("commit 01d01d0", states=["gave up"], execution=held)
    else:
        assert f"execution {ended['started']} failed" in ended["reason"]


def test_an_edited_pipeline_whose_start_is_refused_is_given_up_in_the_mode_retry(
    scene: Scene,
) -> None:
    hold(scene, start_at(override(OLD)), hold="retry")
    edit(scene)
    scene.world.dials.lost_revisions = {"*"}
    scene.world.dials.lost_revision_fails = "start"
    scene.wait(minutes=11)
    assert [line["decision"] for line in read_log("retry")].count("gave up") == 1
    assert scene.rules() == []


# What else began


def test_an_execution_that_began_just_before_the_start_is_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = runtime.aws.codepipeline.start_pipeline, []

    def start_late(*arguments: Any) -> str:
        others.append(scene._backend.start_from_rule("k8s", []))
        return real(*arguments)

    monkeypatch.setattr(runtime.aws.codepipeline, "start_pipeline", start_late)
    hold(scene, start_at(override(OLD)))
    scene.wait(minutes=16)
    started = [line for line in read_log("retry") if line["decision"] == "started"]
    assert started[0]["also_started"] == others[:1]
