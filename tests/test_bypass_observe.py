"""`bypass` lets an urgent fix pass; `observe` tries the gate on a pipeline that it must never
stop.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.held import create_dev_and_prod
from tests.support.scene import Scene

BYPASS = [{"name": "bypass", "defaultValue": "false"}]


@pytest.fixture
def infra(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.start("infra")
    return scene


def test_one_pipeline_variable_lets_an_urgent_fix_pass(infra: Scene, calls: Calls) -> None:
    infra.gated("k8s", ask(bypass="#{variables.bypass}"), variables=BYPASS)
    infra.start("k8s")
    assert infra.statuses() == ["Failed"]
    calls.made.clear()
    infra.start("k8s", variables=[{"name": "bypass", "value": "true"}])
    assert infra.statuses() == ["InProgress", "Failed"]
    assert infra.outputs()["Decision"] == "bypassed"
    assert calls.made == ["PutJobSuccessResult"]
    infra.wait(minutes=15)
    assert len(infra.executions()) == 2  # the hold that it overtook starts nothing more
    assert infra.rules() == []


def test_the_variable_opens_only_the_gate_that_names_it(infra: Scene) -> None:
    dev = ask(bypass="#{variables.bypass}")
    create_dev_and_prod(infra, dev, ask(), variables=BYPASS)
    infra.start("k8s", variables=[{"name": "bypass", "value": "true"}])
    infra.wait(minutes=2)
    assert infra.gate_action()["status"] == "Failed"
    assert "infra is running" in infra.gate_message()


@pytest.mark.parametrize("value", ["True", "yes", "1", ""])
def test_anything_but_true_and_false_is_refused(infra: Scene, value: str) -> None:
    assert infra.refusal(ask(bypass=value))[0] == "ConfigurationError"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ask(observe=True), "infra is running: execution "),
        (ask(observe=True, hold="wait"), "infra is running: execution "),
        (ask("nowhere", observe=True), "no pipeline nowhere"),
        (ask(observe=True, hodl="wait"), 'unknown key "hodl"'),
        (ask(observe=True, retry_minutes=7), "retry_minutes is 7"),
    ],
)
def test_observe_passes_and_says_what_it_would_have_done(
    infra: Scene, asked: dict[str, Any], said: str
) -> None:
    infra.gated("k8s", asked)
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]
    assert infra.outputs()["Decision"] == "observed"
    assert said in infra.gate_action()["summary"]
    assert infra.rules() == []


def test_observe_passes_whatever_aws_denies(infra: Scene, calls: Calls) -> None:
    calls.fail("ListPipelineExecutions", "AccessDeniedException")
    infra.gated("k8s", ask(observe=True))
    infra.start("k8s")
    assert "AWS denied codepipeline:ListPipelineExecutions" in infra.gate_action()["summary"]


def test_observe_says_nothing_special_of_an_open_gate(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask(observe=True))
    scene.start("k8s")
    assert scene.outputs()["Decision"] == "passed"
