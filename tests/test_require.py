"""`require: succeeded`: an idle upstream is not enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene

DAYS = timedelta(days=1)


@pytest.fixture
def infra(scene: Scene) -> Scene:
    """infra takes five seconds, and k8s waits for its success."""
    scene.pipeline("infra", seconds=5)
    scene.gated("k8s", ask(require="succeeded"))
    return scene


def run_infra(scene: Scene, outcome: Literal["Succeeded", "Failed"]) -> str:
    scene.ends_from_now_on("infra", outcome)
    id_ = scene.start("infra")
    assert scene.statuses("infra")[0] == outcome
    return id_


def test_an_upstream_that_failed_holds_though_it_is_idle(infra: Scene) -> None:
    failed = run_infra(infra, "Failed")
    infra.start("k8s")
    assert infra.statuses() == ["Failed"]
    assert f"its last execution {failed[:8]} Failed" in infra.gate_message()


def test_a_failure_more_does_not_release_it_and_the_next_success_does_within_seconds(
    infra: Scene,
) -> None:
    run_infra(infra, "Failed")
    infra.start("k8s")
    infra.wait(minutes=1)
    run_infra(infra, "Failed")
    infra.wait(minutes=17)
    assert infra.statuses() == ["Failed"]
    run_infra(infra, "Succeeded")  # and ten seconds
    assert infra.statuses() == ["InProgress", "Failed"]
    assert infra.rules() == []


def test_one_that_never_ran_has_not_succeeded_and_its_first_success_releases_the_hold(
    infra: Scene,
) -> None:
    infra.start("k8s")
    assert "it has never finished an execution" in infra.gate_message()
    run_infra(infra, "Succeeded")
    assert infra.statuses() == ["InProgress", "Failed"]


@pytest.mark.parametrize(("status", "lets_pass"), [("Succeeded", True), ("Failed", False)])
def test_a_result_that_is_older_than_a_fortnight_still_counts(
    infra: Scene, status: Any, lets_pass: bool
) -> None:
    infra.has_run("infra", (30 * DAYS, status))
    infra.start("k8s")
    assert infra.statuses() == ["InProgress" if lets_pass else "Failed"]


def test_a_result_behind_pages_of_superseded_executions_is_found(
    infra: Scene, calls: Calls
) -> None:
    infra.has_run(
        "infra",
        (300 * DAYS, "Succeeded"),
        *[((200 - n / 2) * DAYS, "Superseded") for n in range(250)],
    )
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]
    assert calls.made == ["ListPipelineExecutions"] * 3 + ["PutJobSuccessResult"]


def test_an_upstream_that_succeeded_costs_no_call_more(infra: Scene, calls: Calls) -> None:
    run_infra(infra, "Succeeded")
    infra.start("k8s")
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]
    assert infra.gate_action()["summary"].endswith("Succeeded at 12:00 UTC")
