"""Pipelines that wait for each other: a wait that can never end fails immediately, others
continue.
"""

from __future__ import annotations

import pytest

from chalicelib.holds.verdict import Verdict, split_token
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.explaining import explains
from tests.support.logs import read_retry_log
from tests.support.scene import Scene

BYPASS = [{"name": "bypass", "defaultValue": "false"}]


def read_verdict(scene: Scene, name: str) -> Verdict | None:
    return split_token(scene.gate_action(name)["errorDetails"]["message"])[1]


def start_together(scene: Scene, *names: str) -> None:
    for name in names:
        scene.codepipeline.start_pipeline_execution(name=name)
    scene.wait(seconds=20)


def test_two_that_wait_for_each_other_in_the_mode_wait(scene: Scene) -> None:
    """Both would stay in progress forever, so a rule holds the second one."""
    scene.gated("a", ask("b", pipeline="a", hold="wait"))
    scene.gated("b", ask("a", pipeline="b", hold="wait"))
    start_together(scene, "a", "b")
    scene.wait(seconds=20)
    assert read_verdict(scene, "b") is Verdict.HELD
    cycle = "b waits for a, which waits for b"
    assert f"It cannot stay in progress, because {cycle}. " in scene.gate_message("b")
    scene.wait(minutes=10)
    assert [scene.statuses(name) for name in "ab"] == [["Succeeded"]] * 2


def test_a_cycle_of_three_in_the_mode_wait(scene: Scene) -> None:
    for name, upstream in (("a", "b"), ("b", "c"), ("c", "a")):
        scene.gated(name, ask(upstream, pipeline=name, hold="wait"))
    start_together(scene, "a", "b", "c")
    scene.wait(minutes=20)
    assert [scene.statuses(name) for name in "abc"] == [["Succeeded"]] * 3


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_a_success_that_can_never_come_because_that_pipeline_waits_for_ones_own(
    scene: Scene, mode: str
) -> None:
    scene.gated("a", ask("b", pipeline="a", require="succeeded"))
    scene.gated("b", ask("a", pipeline="b", require="succeeded", hold=mode))
    scene.start("a")
    scene.start("b")
    assert read_verdict(scene, "b") is Verdict.DEADLOCK
    assert len(scene.rules()) == 1


def test_a_wait_in_progress_for_the_success_of_a_pipeline_that_it_holds(scene: Scene) -> None:
    scene.gated(
        "a",
        ask("b", pipeline="a", require="succeeded", hold="wait", bypass="#{variables.bypass}"),
        variables=BYPASS,
        seconds=120,
    )
    scene.gated("b", ask("a", pipeline="b"))
    scene.start("a", variables=[{"name": "bypass", "value": "true"}])
    scene.start("b")
    assert scene.statuses("b") == ["Failed"]  # a runs
    scene.start("a")
    scene.wait(minutes=6)
    assert scene.statuses("b") == ["Succeeded", "Failed"]
    assert scene.statuses("a") == ["Succeeded", "Succeeded"]


def test_in_a_cycle_with_a_hold_by_a_rule_its_dependent_goes_first(
    scene: Scene,
) -> None:
    scene.gated("a", ask("b", pipeline="a"))
    scene.gated("b", ask("c", pipeline="b", hold="wait"))
    scene.gated("c", ask("a", pipeline="c", hold="wait"))
    scene.codepipeline.disable_stage_transition(
        pipelineName="b", stageName="Gate", transitionType="Inbound", reason="not yet"
    )
    for name in "bac":
        scene.start(name)
    assert scene.statuses("a") == ["Failed"]  # held, for b runs
    assert scene.statuses("c") == ["InProgress"]  # waits, for a is held
    scene.codepipeline.enable_stage_transition(
        pipelineName="b", stageName="Gate", transitionType="Inbound"
    )
    scene.wait(minutes=10)
    assert [scene.statuses(name)[0] for name in "cba"] == ["Succeeded"] * 3
    assert scene.rules() == []


def test_a_pipeline_of_the_same_name_elsewhere_does_not_close_a_cycle(scene: Scene) -> None:
    scene.pipeline("infra")
    elsewhere = "arn:aws:codepipeline:us-east-1:123456789012:apps"
    Scene(scene.world, region="us-east-1").pipeline("apps")
    Scene(scene.world, region="us-east-1").start("apps")
    scene.gated("k8s", ask(elsewhere, "infra"))
    scene.gated("apps", ask("k8s", pipeline="apps"))
    scene.start("infra")
    scene.start("k8s")
    scene.start("apps")
    assert "k8s is held too" in scene.gate_message("apps")


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_a_cycle_of_three_that_require_each_others_success(scene: Scene, mode: str) -> None:
    for name, upstream in (("a", "b"), ("b", "c"), ("c", "a")):
        scene.gated(name, ask(upstream, pipeline=name, require="succeeded", hold=mode))
    for name in "abc":
        scene.start(name)
    assert read_verdict(scene, "c") is Verdict.DEADLOCK
    assert "c waits for a, which waits for b, which waits for c" in scene.gate_message("c")


def test_a_deadlock_that_could_not_be_read_at_first_is_logged_at_the_next_check(
    scene: Scene, calls: Calls
) -> None:
    """Both are held by then, and only a person can end that."""
    scene.gated("a", ask("b", pipeline="a", require="succeeded"))
    scene.gated("b", ask("a", pipeline="b", require="succeeded"))
    scene.start("a")
    calls.fail("ListTargetsByRule", "ThrottlingException")
    scene.start("b")
    assert "The gate could not check a" in scene.gate_message("b")
    calls.mend()
    scene.wait(minutes=6)
    looks = read_retry_log("deadlock")
    assert {look["pipeline"]: look["reason"].partition(":")[0] for look in looks} == {
        "a": "a waits for b, which waits for a",
        "b": "b waits for a, which waits for b",
    }
    assert len(scene.rules()) == 2


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_three_that_must_not_run_at_once_take_turns(scene: Scene, mode: str) -> None:
    for name, others in (("a", "bc"), ("b", "ac"), ("c", "ab")):
        scene.gated(name, ask(*others, pipeline=name, hold=mode), seconds=300)
    start_together(scene, "a", "b", "c")
    assert [scene.statuses(name) for name in "abc"].count(["InProgress"]) == 1
    for _ in range(60):
        scene.wait(minutes=1)
        assert sum("InProgress" in scene.statuses(name) for name in "abc") <= 1
    assert [scene.statuses(name)[0] for name in "abc"] == ["Succeeded"] * 3
    assert scene.rules() == []


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_a_wait_in_progress_and_a_hold_by_a_rule_also_take_turns(scene: Scene, mode: str) -> None:
    """The second execution has failed while it is held, and the first waits for nothing else."""
    scene.gated("a", ask("b", pipeline="a", hold="wait"), seconds=300)
    scene.gated("b", ask("a", pipeline="b", hold=mode), seconds=300)
    start_together(scene, "a", "b")
    assert read_verdict(scene, "b") is Verdict.HELD
    scene.wait(minutes=20)
    assert (scene.statuses("a"), scene.statuses("b")[0]) == (["Succeeded"], "Succeeded")
    assert scene.rules() == []


def test_gates_that_do_not_name_their_pipeline_take_turns_too(scene: Scene) -> None:
    """Only GetJobDetails tells whose gate it is, and so that the other one waits for it."""
    scene.world.dials.job_details = "execution"
    for name, other in (("a", "b"), ("b", "a")):
        scene.gated(name, {"depends_on": [other]}, seconds=300)
    start_together(scene, "a", "b")
    scene.wait(minutes=30)
    assert [scene.statuses(name)[0] for name in "ab"] == ["Succeeded"] * 2
    assert [len(scene.statuses(name)) for name in "ab"] in ([1, 2], [2, 1])
    assert scene.rules() == []


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_among_those_that_wait_for_each_other_the_longest_wait_goes_first(
    scene: Scene, mode: str
) -> None:
    """All of them could go when infra ends."""
    scene.pipeline("infra", seconds=600)
    scene.start("infra")
    for name, others in (("c", "ab"), ("a", "bc"), ("b", "ac")):
        scene.gated(name, ask("infra", *others, pipeline=name, hold=mode), seconds=300)
    for name in "cab":
        scene.start(name)
        scene.wait(seconds=30)
    order = []
    for _ in range(60):
        scene.wait(minutes=1)
        working = [name for name in "abc" if scene.statuses(name)[0] == "InProgress"]
        assert len(working) <= 1
        order += [name for name in working if name not in order]
    assert order == ["c", "a", "b"]
    assert [len(scene.statuses(name)) for name in "abc"] == [2 if mode == "restart" else 1] * 3


def test_explain_says_whose_turn_it_is(scene: Scene) -> None:
    scene.pipeline("infra", seconds=60)
    scene.start("infra")
    for name, other in (("apps", "k8s"), ("k8s", "apps")):
        scene.gated(name, ask("infra", other, pipeline=name), seconds=300)
    for name in ("apps", "k8s"):
        scene.start(name)
    scene.wait(seconds=20)
    scene.world.dials.events_on = False
    scene.wait(seconds=60)
    explains("apps goes first: it has been waiting since 12:00 UTC", states=["held"])


def test_a_hold_that_could_not_go_keeps_no_other_from_going(scene: Scene) -> None:
    """apps also waits for network, which runs on."""
    for name, seconds in (("infra", 60.0), ("network", 3600.0)):
        scene.pipeline(name, seconds=seconds)
        scene.start(name)
    scene.gated("apps", ask("network", "k8s", pipeline="apps"), seconds=30)
    scene.gated("k8s", ask("infra", "apps"), seconds=30)
    for name in ("apps", "k8s"):
        scene.start(name)
    scene.wait(minutes=3)
    assert (scene.statuses("k8s")[0], scene.statuses("apps")) == ("Succeeded", ["Failed"])
