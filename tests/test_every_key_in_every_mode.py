"""Each key means the same in each hold mode. Users of other projects lost days to a mode that
ignored what another mode respected (apache/airflow#41140, #47298, #43948).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.parameters import KEYS
from tests.support.ask import ask
from tests.support.condition import conditioned, rule_state
from tests.support.scene import Scene

Story = Callable[[Scene], None]


def infra_runs(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.start("infra")


def infra_failed(scene: Scene) -> None:
    scene.pipeline("infra", seconds=5, outcome="Failed")
    scene.start("infra")
    scene.wait(minutes=1)


def infra_succeeds_at_last(scene: Scene) -> None:
    scene.quick_from_now_on()
    scene.start("infra")


def infra_is_parked(scene: Scene) -> None:
    scene.staged("infra", ("Approve", 0))
    scene.start("infra")


def infra_is_past_its_first_stage(scene: Scene) -> None:
    scene.staged("infra", ("Network", 5), ("Cluster", 600))
    scene.start("infra")
    scene.wait(minutes=1)


def nothing(scene: Scene) -> None:
    pass


FIRST_STAGE = {"pipeline": "infra", "stage": "Network"}
CONTINUES: list[tuple[str, dict[str, Any], Story, Story, str]] = [
    # key, parameters, how it begins, what happens then, what the gate says when it lets k8s pass
    ("depends_on", ask(), infra_runs, nothing, "infra is idle: its last execution"),
    ("depends_on", ask(FIRST_STAGE), infra_is_past_its_first_stage, nothing, "has already left it"),
    ("require", ask(require="succeeded"), infra_failed, infra_succeeds_at_last, "Succeeded at"),
    ("retry_minutes", ask(retry_minutes=1), infra_runs, nothing, "infra is idle"),
    (
        "give_up_minutes",
        ask(give_up_minutes=3, on_give_up="continue"),
        infra_runs,
        nothing,
        "Continued without waiting any longer for infra",
    ),
    (
        "on_give_up",
        ask(give_up_minutes=60, on_give_up="continue"),
        infra_runs,
        nothing,
        "infra is idle",
    ),
    ("revisions", ask(revisions="held"), infra_runs, nothing, "infra is idle"),
    (
        "parked",
        ask(parked="pass"),
        infra_is_parked,
        nothing,
        "does not count: execution",
    ),
    ("bypass", ask(bypass="true"), infra_runs, nothing, "Bypassed"),
    ("observe", ask(observe=True), infra_runs, nothing, "Observe only: the gate would have held"),
    ("pipeline", ask(), infra_runs, nothing, "infra is idle"),
    ("execution", ask(), infra_runs, nothing, "infra is idle"),
]
STAYS: list[tuple[str, dict[str, Any], Story]] = [
    ("require", ask(require="succeeded"), infra_failed),
    ("parked", ask(parked="wait"), infra_is_parked),
    ("give_up_minutes", ask(give_up_minutes=3), infra_runs),
    ("on_give_up", ask(give_up_minutes=3, on_give_up="stop"), infra_runs),
]
each_mode = pytest.mark.parametrize("mode", ["restart", "retry", "wait"])


@each_mode
@pytest.mark.parametrize(
    ("key", "asked", "begin", "then", "said"),
    CONTINUES,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_pipeline_continues(
    scene: Scene, mode: str, key: str, asked: dict[str, Any], begin: Story, then: Story, said: str
) -> None:
    begin(scene)
    scene.gated("k8s", {**asked, "hold": mode}, seconds=1)
    scene.start("k8s")
    then(scene)
    scene.wait(minutes=17)
    assert scene.statuses()[0] == "Succeeded"
    assert said in scene.gate_action()["summary"]
    assert scene.rules() == []


@each_mode
@pytest.mark.parametrize(
    ("key", "asked", "begin"), STAYS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_pipeline_does_not_continue(
    scene: Scene, mode: str, key: str, asked: dict[str, Any], begin: Story
) -> None:
    begin(scene)
    scene.gated("k8s", {**asked, "hold": mode}, seconds=1)
    scene.start("k8s")
    scene.wait(minutes=17)
    assert scene.statuses() == [
        "InProgress" if mode == "wait" and key in ("require", "parked") else "Failed"
    ]


@each_mode
@pytest.mark.parametrize(
    "broken",
    [
        {"retry_minutes": 7},
        {"require": "x"},
        {"parked": 1},
        {"on_give_up": "stop"},
        {"bypass": True},
    ],
)
def test_what_is_refused_is_refused(scene: Scene, mode: str, broken: dict[str, Any]) -> None:
    scene.pipeline("infra")
    assert scene.refusal({**ask(hold=mode), **broken})[0] == "ConfigurationError"
    assert scene.rules() == []


@each_mode
def test_a_stage_condition_waits_in_each_mode_that_fails_the_execution(
    scene: Scene, mode: str
) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    conditioned(scene, hold=mode)
    scene.start("k8s")
    code = rule_state(scene)["errorDetails"]["code"]
    assert code == ("ConfigurationError" if mode == "wait" else "JobFailed")
    scene.wait(minutes=17)
    assert scene.statuses()[0] == ("Failed" if mode == "wait" else "Succeeded")


def test_no_key_is_left_out() -> None:
    assert {key for key, *_ in CONTINUES} | {"hold", "condition"} == set(KEYS)
