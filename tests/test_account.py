"""The whole account: which pipelines have a gate, their upstreams, and which are waiting now."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from chalicelib.account.reader import AccountReader
from chalicelib.errors import NotPermitted
from sandbox.clock import utcnow
from tests.support.account import make_client, read_account
from tests.support.ask import ask
from tests.support.condition import conditioned
from tests.support.held import hold_k8s
from tests.support.scene import Scene

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"


def test_it_knows_the_gated_pipelines_and_those_they_wait_for(scene: Scene) -> None:
    for name in ("infra", "unconcerned"):
        scene.pipeline(name)
    scene.gated("k8s", {"depends_on": ["infra", DNS]}, mode="QUEUED")
    scene.gated("apps", ask("k8s", pipeline="apps", bypass="#{variables.bypass}"))
    seen = read_account()
    assert list(seen.pipelines) == ["apps", "infra", "k8s"]
    assert seen.pipelines["apps"].upstreams == ("k8s",)
    assert (seen.pipelines["k8s"].upstreams, seen.pipelines["k8s"].mode) == (
        ("infra", DNS),
        "QUEUED",
    )
    assert [
        (gate.stage, gate.action, gate.condition, gate.deployed_as)
        for gate in seen.pipelines["apps"].gates
    ] == [("Gate", "Wait", False, "dev")]


def test_a_gate_that_would_refuse_what_is_asked_is_told_with_the_reason(scene: Scene) -> None:
    scene.gated("k8s", {"depend_on": ["infra"]})
    (gate,) = read_account().pipelines["k8s"].gates
    assert gate.parameters is None
    assert '"depend_on"' in gate.problem


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_a_hold_is_told_with_what_the_console_says_of_it(scene: Scene, mode: str) -> None:
    scene.pipeline("infra", seconds=1200)
    scene.k8s()
    scene.gated("apps", ask(pipeline="apps", hold=mode, give_up_minutes=90))
    scene.start("infra")
    held = scene.start("apps")
    began = utcnow()
    scene.wait(minutes=7)
    (wait,) = read_account().waits
    assert (wait.pipeline, wait.execution, wait.mode.name, wait.depends_on) == (
        "apps",
        held,
        mode,
        ("infra",),
    )
    assert wait.rule in scene.rules()
    assert wait.since
    assert abs((wait.since - began).total_seconds()) < 15
    assert wait.next_check
    assert 0 < (wait.next_check - utcnow()).total_seconds() <= 300
    scene.wait(seconds=(wait.next_check - utcnow()).total_seconds() - 1)
    assert wait.give_up
    assert wait.reason == scene.gate_message("apps")


def test_a_wait_in_progress_is_announced_too(scene: Scene) -> None:
    waiting = hold_k8s(scene, minutes=3, hold="wait")
    (wait,) = read_account().waits
    assert (wait.pipeline, wait.execution, wait.mode.name, wait.depends_on, wait.rule) == (
        "k8s",
        waiting,
        "wait",
        ("infra",),
        None,
    )
    assert wait.reason == scene.gate_action()["summary"]


def test_a_gate_in_a_stage_condition_is_a_gate(scene: Scene) -> None:
    scene.pipeline("infra", seconds=1200)
    conditioned(scene, hold="retry")
    scene.start("infra")
    scene.start("k8s")
    seen = read_account()
    assert [(gate.stage, gate.condition) for gate in seen.pipelines["k8s"].gates] == [
        ("Deploy", True)
    ]
    (wait,) = seen.waits
    assert "k8s has been waiting for infra" in wait.reason


def test_when_nobody_waits_it_says_so(scene: Scene) -> None:
    hold_k8s(scene, seconds=60, minutes=0)
    scene.wait(minutes=5)
    assert read_account().waits == ()


def test_a_rule_that_holds_nobody_is_a_rule_without_a_wait(scene: Scene) -> None:
    scene.events.put_rule(Name="pipeline-gate-dev-left-over", ScheduleExpression="rate(5 minutes)")
    (rule,) = read_account().rules
    assert (rule.has_target, rule.hold, rule.next_check(utcnow())) == (False, None, None)
    assert read_account().waits == ()


def test_a_further_look_reads_only_the_structures_that_changed(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s()
    made: list[str] = []

    def watched(service: str) -> Any:
        room = make_client(service)
        room.meta.events.register("before-call", lambda model, **_: made.append(model.name))
        return room

    account = AccountReader(watched)
    account.read_view(utcnow())
    assert made.count("GetPipeline") == 2
    made.clear()
    account.read_view(utcnow())
    assert "GetPipeline" not in made
    declared = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    declared["stages"][1]["actions"][0]["configuration"]["UserParameters"] = "network"
    scene.codepipeline.update_pipeline(pipeline=declared)
    assert account.read_view(utcnow()).pipelines["k8s"].upstreams == ("network",)
    scene.codepipeline.delete_pipeline(name="k8s")
    assert "k8s" not in account.read_view(utcnow()).pipelines


@pytest.mark.usefixtures("scene")
def test_a_denied_call_is_told_by_its_name() -> None:
    def denied(service: str) -> Any:
        room = make_client(service)
        stubber = Stubber(room)
        stubber.add_client_error("list_pipelines", "AccessDeniedException")
        stubber.activate()
        return room

    with pytest.raises(NotPermitted, match="codepipeline:ListPipelines"):
        AccountReader(denied).read_view(utcnow())
