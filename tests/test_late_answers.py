"""AWS's answers are up to ten seconds old, and time passes while a function works."""

from __future__ import annotations

import itertools
import time
from datetime import timedelta
from typing import Any

import pytest

from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.logs import read_log
from tests.support.scene import Scene

AGE = 10.0


def count_metrics(*names: str) -> list[int]:
    """What the two functions counted."""
    records = [record for function in ("gate", "retry") for record in read_log(function)]
    return [sum(record.get(name, 0) for record in records) for name in names]


@pytest.fixture
def late(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene.world.dials.answer_age = lambda _: AGE
    monkeypatch.setattr(time, "sleep", lambda seconds: scene.wait(seconds=seconds))
    return scene


def read_statuses(scene: Scene, name: str = "k8s") -> list[str]:
    """The statuses as they really are, newest first."""
    late_answers, scene.world.dials.answer_age = scene.world.dials.answer_age, None
    statuses = scene.statuses(name)
    scene.world.dials.answer_age = late_answers
    return statuses


def start_both(scene: Scene, *, infra_seconds: float, **parameters: Any) -> None:
    """Start infra, and k8s, whose gate waits for it."""
    scene.pipeline("infra", seconds=infra_seconds)
    scene.gated("k8s", ask("infra", **parameters), seconds=1)
    scene.start("infra")
    scene.start("k8s")


@pytest.mark.parametrize("after", range(0, 24, 2))
def test_a_gate_does_not_pass_while_its_upstream_starts_again(late: Scene, after: int) -> None:
    """infra's list still shows only the held execution, and its rule may be gone."""
    late.world.dials.answer_age = lambda call: AGE if call == "ListPipelineExecutions" else 0.0
    late.pipeline("network", seconds=60)
    late.gated("infra", ask("network", pipeline="infra"), seconds=300)
    late.gated("k8s", ask("infra", retry_minutes=60))
    late.start("network")
    late.start("infra")
    while len(read_statuses(late, "infra")) == 1:
        late.wait(seconds=1)
    late.wait(seconds=after)
    late.start("k8s")
    late.wait(seconds=30)
    assert read_statuses(late) == ["Failed"]
    late.wait(minutes=8)
    assert read_statuses(late, "infra") == ["Succeeded", "Failed"]
    assert read_statuses(late) == ["Succeeded", "Failed"]
    assert late.rules() == []


@pytest.mark.parametrize("age", [3.0, 7.0, AGE])
def test_an_event_that_comes_before_the_lists_show_it_is_not_lost(late: Scene, age: float) -> None:
    late.world.dials.answer_age = lambda _: age
    start_both(late, infra_seconds=90, retry_minutes=60)
    while read_statuses(late, "infra") == ["InProgress"]:
        late.wait(seconds=1)
    late.wait(seconds=60)
    assert len(read_statuses(late)) == 2


def test_a_firing_of_the_schedule_checks_once(late: Scene, calls: Calls) -> None:
    late.world.dials.events_on = False
    start_both(late, infra_seconds=3600, retry_minutes=5)
    late.wait(seconds=30)
    calls.made.clear()
    late.wait(minutes=50)
    assert calls.made == ["ListPipelineExecutions"] * 10


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_an_end_while_the_gate_holds_lets_it_pass(late: Scene, mode: str) -> None:
    late.world.dials.answer_age = None
    late.world.dials.rule_warmup = timedelta(seconds=30)
    start_both(late, infra_seconds=15, hold=mode, retry_minutes=60)
    late.wait(seconds=20)
    assert late.statuses() == ["Succeeded"]
    late.wait(minutes=60)
    assert late.rules() == []
    assert count_metrics("Held", "Passed", "Dropped") == [0, 1, 0]


def test_a_hold_whose_execution_is_not_listed_yet_is_not_dropped(late: Scene) -> None:
    """An event fires the rule before the gate has failed the action."""
    for name, seconds in (("infra", 14.0), ("network", 60.0)):
        late.pipeline(name, seconds=seconds)
    late.gated("k8s", ask("infra", "network"))
    late.start("k8s")
    late.wait(minutes=3)
    late.world.dials.answer_age = None
    late.codepipeline.start_pipeline_execution(name="infra")
    ages = itertools.chain([0.0, 0.0, AGE], itertools.repeat(0.0))  # the third lists k8s

    def list_k8s_late() -> None:
        late.world.dials.answer_age = lambda _: next(ages)

    def start_network() -> None:
        late.codepipeline.start_pipeline_execution(name="network")

    for seconds, callback in ((15, list_k8s_late), (17, start_network)):
        late.world.clock.call_at(utcnow() + timedelta(seconds=seconds), callback)
    late.wait(seconds=12)
    late.codepipeline.start_pipeline_execution(name="k8s")  # its gate checks 2 s later
    late.wait(seconds=30)
    assert read_statuses(late) == ["Failed", "Succeeded"]
    late.wait(minutes=3)
    assert read_statuses(late) == ["Succeeded", "Failed", "Succeeded"]


def test_a_rule_stays_until_the_restart_is_listed(late: Scene) -> None:
    start_both(late, infra_seconds=60, retry_minutes=5)
    late.wait(seconds=30)
    late.world.dials.answer_age = lambda _: 45.0
    while len(read_statuses(late)) == 1:
        late.wait(seconds=1)
    late.wait(seconds=30)
    assert len(late.rules()) == 1
    late.wait(minutes=6)
    assert late.rules() == []
    assert read_statuses(late) == ["Succeeded", "Failed"]
    assert count_metrics("Held", "Released", "Dropped") == [1, 1, 0]


def test_a_release_that_the_targets_do_not_show_yet_is_not_lost(late: Scene) -> None:
    start_both(late, infra_seconds=3600, retry_minutes=60)
    late.wait(minutes=3)
    run("release", "k8s", "--yes")
    late.wait(seconds=30)
    assert read_statuses(late) == ["Succeeded"]
