"""Only the execution that is waiting at a job is held, and each gate's wait is its own: its
beginning, its deadline and its release.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib.pipelines.dependency import Dependency
from sandbox.inprocess import DrivenWorld
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.held import create_dev_and_prod, create_two_gates, forge_hold, hold_k8s
from tests.support.logs import read_retry_log
from tests.support.scene import Scene

DETAILS = ["nothing", "pipeline", "execution"]
"""What GetJobDetails may tell: AWS does not document it for Lambda actions."""


@pytest.fixture(params=DETAILS)
def told(request: pytest.FixtureRequest, world: DrivenWorld) -> str:
    world.dials.job_details = request.param
    return str(request.param)


# An action that claims to belong to another pipeline


def test_an_action_cannot_name_an_execution_of_another_pipeline_while_aws_does_not_answer(
    scene: Scene, told: str, calls: Calls
) -> None:
    """Both would be held by the same rule."""
    scene.pipeline("infra", seconds=3600)
    scene.start("infra")
    scene.gated("victim", ask("infra", pipeline="victim"))
    execution = scene.start("victim")
    (rule,) = scene.rules()
    before = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    calls.fail("GetPipelineExecution", "ServiceUnavailable")
    scene.gated("evil", {**ask("infra", pipeline="evil"), "execution": execution})
    scene.start("evil")
    scene.wait(minutes=5)
    assert scene.rules() == [rule]
    assert scene.events.list_targets_by_rule(Rule=rule)["Targets"] == before


def fail_victim(scene: Scene) -> str:
    """An execution of victim fails in its Deploy stage, while infra is idle."""
    scene.pipeline("infra", seconds=3600)
    scene.gated("victim", ask("infra", pipeline="victim"), outcome="Failed", seconds=5)
    execution = scene.start("victim")
    scene.wait(minutes=2)
    assert scene.statuses("victim") == ["Failed"]
    return execution


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
@pytest.mark.parametrize("settings", [{}, {"give_up_minutes": 1}, {"revisions": "held"}])
def test_an_action_cannot_hold_another_pipeline(
    scene: Scene, told: str, mode: str, settings: dict[str, Any]
) -> None:
    execution = fail_victim(scene)
    scene.start("infra")
    claim = {**ask("infra", pipeline="victim", hold=mode, **settings), "execution": execution}
    kind, message = scene.refusal(claim, "evil")
    assert (kind, scene.rules()) == ("ConfigurationError", [])
    assert "victim" in message
    scene.wait(minutes=90)
    assert scene.statuses("victim") == ["Failed"]


def test_an_action_cannot_change_the_hold_of_another_pipeline(scene: Scene, told: str) -> None:
    execution = hold_k8s(scene, seconds=3600, minutes=1)
    (rule,) = scene.rules()
    before = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    scene.pipeline("network", seconds=7200)
    scene.start("network")
    claim = {**ask("network", give_up_minutes=1), "execution": execution}
    assert scene.refusal(claim, "evil")[0] == "ConfigurationError"
    assert scene.events.list_targets_by_rule(Rule=rule)["Targets"] == before
    scene.wait(minutes=70)
    assert scene.statuses() == ["Succeeded", "Failed"]


def test_if_aws_names_nothing_a_running_execution_without_a_gate_is_not_held(
    scene: Scene, world: DrivenWorld
) -> None:
    world.dials.job_details = "nothing"
    scene.pipeline("infra", seconds=3600)
    scene.pipeline("victim", seconds=3600)
    execution = scene.start("victim")
    scene.start("infra")
    claim = {**ask("infra", pipeline="victim"), "execution": execution}
    _, message = scene.refusal(claim, "evil")
    assert "no action of this gate is in progress" in message
    assert scene.rules() == []


def test_a_hold_that_no_gate_explains_is_dropped(scene: Scene) -> None:
    """A rule from before, for an execution of victim that failed without any gate."""
    scene.pipeline("victim", outcome="Failed", seconds=5)
    execution = scene.start("victim")
    scene.pipeline("infra")
    forge_hold(scene, "victim", execution)
    scene.wait(minutes=5)
    assert scene.statuses("victim") == ["Failed"]
    assert scene.rules() == []


# What a forged event can do


@pytest.mark.parametrize("released_by", ["", " ", 5, ["ann"], True])
def test_only_a_name_releases(scene: Scene, released_by: object) -> None:
    hold_k8s(scene, seconds=3600, minutes=1)
    (rule,) = scene.rules()
    (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    fields = {**json.loads(target["Input"]), "released_by": released_by}
    scene.events.put_targets(Rule=rule, Targets=[{**target, "Input": json.dumps(fields)}])
    scene.wait(minutes=10)
    assert scene.statuses() == ["Failed"]


def test_a_deadlock_is_only_reported_for_a_hold_that_eventbridge_keeps(scene: Scene) -> None:
    hold_k8s(scene, seconds=3600, minutes=1)
    (rule,) = scene.rules()
    (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    scene.gated("infra2", ask("k8s", pipeline="infra2", require="succeeded"))
    scene.start("infra2")
    event = {
        **json.loads(target["Input"]),
        "depends_on": [{"pipeline": "infra2", "require": "succeeded"}],
    }
    record = Client(app.app).lambda_.invoke("retry", event).payload
    assert record["decision"] == "waiting"


def test_an_event_that_names_thousands_of_upstreams_is_refused(scene: Scene, calls: Calls) -> None:
    execution = hold_k8s(scene, minutes=1)
    event = {
        "rule": f"pipeline-gate-dev-{execution}",
        "pipeline": "k8s",
        "execution": execution,
        "depends_on": [f"p{number}" for number in range(5000)],
        "since": "2026-11-23T12:00:00+00:00",
    }
    calls.made.clear()
    with pytest.raises(Exception, match="more than 500 upstreams"):
        Client(app.app).lambda_.invoke("retry", event)
    assert not calls.made


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:codepipeline:eu-west-1:١٢٣٤٥٦٧٨٩٠١٢:infra",
        "arn:äws:codepipeline:eu-west-1:123456789012:infra",
    ],
)
def test_arns_are_ascii(scene: Scene, text: str) -> None:
    scene.pipeline("infra")
    assert scene.refusal({"depends_on": [text]})[0] == "ConfigurationError"
    assert Dependency(text).account is None


# Two gates in one pipeline


@pytest.mark.parametrize("mode", ["retry", "wait"])
@pytest.mark.parametrize("upstream", ["infra", "network"])
def test_a_release_at_the_first_gate_does_not_open_the_second(
    scene: Scene, told: str, mode: str, upstream: str
) -> None:
    scene.pipeline("infra", seconds=7200)
    scene.pipeline("network", seconds=7200)
    create_dev_and_prod(scene, ask("infra", hold=mode), ask(upstream, hold=mode))
    for name in ("infra", "network", "k8s"):
        scene.start(name)
    scene.wait(minutes=1)
    assert run("release", "k8s", "--yes").status == 0
    scene.wait(minutes=10)
    assert scene.gate_action()["status"] == ("InProgress" if mode == "wait" else "Failed")
    assert f"has been waiting for {upstream} since 12:0" in scene.gate_message()


@pytest.mark.parametrize("mode", ["retry", "wait"])
@pytest.mark.parametrize("then", ["stop", "continue"])
@pytest.mark.parametrize("upstream", ["infra", "network"])
def test_a_deadline_belongs_to_one_gate(
    scene: Scene, told: str, mode: str, then: str, upstream: str
) -> None:
    """The first gate waits for twelve minutes of infra; the second one's deadline of 20 minutes
    begins when it begins to wait.
    """
    limits: dict[str, Any] = {"hold": mode, "give_up_minutes": 20, "on_give_up": then}
    scene.pipeline("infra", seconds=720)
    scene.pipeline("network", seconds=7200)
    create_dev_and_prod(scene, ask("infra", **limits), ask(upstream, **limits))
    for name in ("infra", "network", "k8s"):
        scene.start(name)
    scene.wait(minutes=12, seconds=20)
    if upstream == "infra":
        scene.codepipeline.start_pipeline_execution(name="infra")
    scene.wait(minutes=10)
    assert scene.gate_action()["status"] == ("InProgress" if mode == "wait" else "Failed")
    message = scene.gate_message()
    assert f"has been waiting for {upstream} since 12:1" in message
    assert scene.statuses() == ["InProgress" if mode == "wait" else "Failed"]


@pytest.mark.parametrize("mode", ["retry", "wait"])
def test_gates_side_by_side_keep_their_own_beginning(scene: Scene, told: str, mode: str) -> None:
    scene.pipeline("infra", seconds=600)
    scene.pipeline("network", seconds=1500)
    create_two_gates(scene, mode, give_up_minutes=60)
    for name in ("infra", "network", "k8s"):
        scene.start(name)
    scene.wait(minutes=15)
    states = scene.codepipeline.get_pipeline_state(name="k8s")["stageStates"][1]["actionStates"]
    texts = [
        state["latestExecution"].get("errorDetails", {}).get("message")
        or state["latestExecution"].get("summary", "")
        for state in states
    ]
    (waiting,) = [text for text in texts if "waiting for network" in text]
    assert "waiting for network since 12:00" in waiting
    scene.wait(minutes=20)
    assert scene.statuses()[0] == "Succeeded"
    assert scene.rules() == []


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_a_release_opens_every_gate_at_which_the_execution_is_held(
    scene: Scene, told: str, mode: str
) -> None:
    hold_at_two_gates(scene, mode)
    assert run("release", "k8s", "--yes").status == 0
    scene.wait(minutes=10)
    assert scene.statuses() == ["Succeeded"]
    assert scene.rules() == []


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_a_gate_that_has_passed_lets_the_gate_next_to_it_wait(
    scene: Scene, told: str, mode: str
) -> None:
    """One of the two waits is marked as released, as an older gatectl does."""
    hold_at_two_gates(scene, mode)
    (rule,) = scene.rules()
    (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
    fields = {**json.loads(target["Input"]), "released_by": "ann"}
    scene.events.put_targets(Rule=rule, Targets=[{**target, "Input": json.dumps(fields)}])
    scene.wait(minutes=30)
    assert len(read_retry_log("let go")) == 1
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == [rule]


def hold_at_two_gates(scene: Scene, mode: str) -> None:
    """k8s is held by two gates of one stage, for two hours."""
    scene.pipeline("infra", seconds=7200)
    scene.pipeline("network", seconds=7200)
    create_two_gates(scene, mode)
    for name in ("infra", "network", "k8s"):
        scene.start(name)


@pytest.mark.parametrize("is_released", [False, True])
def test_a_later_gate_that_gave_up_is_not_retried_by_the_hold_of_an_earlier_one(
    scene: Scene, told: str, is_released: bool
) -> None:
    scene.pipeline("infra", seconds=7200 if is_released else 600)
    scene.pipeline("network", seconds=7200)
    prod = ask("network", hold="wait", give_up_minutes=5)
    create_dev_and_prod(scene, ask("infra", hold="retry"), prod)
    for name in ("infra", "network", "k8s"):
        scene.start(name)
    if is_released:
        assert run("release", "k8s", "--yes").status == 0
    scene.wait(minutes=40)
    assert scene.statuses() == ["Failed"]
    assert "gave up" in scene.gate_message().lower()
    assert len(read_retry_log("retried") + read_retry_log("let go")) == 1
    assert scene.rules() == []


def test_the_sweep_leaves_another_stage_alone(scene: Scene) -> None:
    """The prefix of stage dev is also that of stage dev-eu."""
    name = "pipeline-gate-dev-eu-5e6f7a8b-0000-4000-8000-000000000000"
    scene.events.put_rule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        Description="Since 2026-01-05 12:00 UTC k8s (execution 5e6f7a8b) is waiting for infra.",
    )
    hold_k8s(scene, seconds=60, minutes=3)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == [name]
    assert read_retry_log("swept") == read_retry_log("not swept") == []


def test_a_hand_over_to_a_rule_does_without_the_variables(scene: Scene, calls: Calls) -> None:
    """AWS names the pipeline, so its silence about the execution is no reason to lose the hold."""
    hold_k8s(scene, seconds=26 * 3600, minutes=22 * 60, hold="wait")
    calls.fail("GetPipelineExecution", "ServiceUnavailable")
    scene.wait(minutes=70)
    assert scene.statuses() == ["Failed"]
    assert len(scene.rules()) == 1
