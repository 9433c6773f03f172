"""`require: succeeded`: it is not enough that the upstream is idle."""

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
    """infra, which takes five seconds; k8s waits for its success."""
    scene.pipeline("infra", seconds=5)
    scene.gated("k8s", ask(require="succeeded"))
    return scene


def run_infra(scene: Scene, outcome: Literal["Succeeded", "Failed"]) -> str:
    scene.ends_from_now_on("infra", outcome)
    id_ = scene.start("infra")
    assert scene.statuses("infra")[0] == outcome
    return id_


def message(scene: Scene, name: str = "k8s") -> str:
    return str(scene.gate_action(name)["errorDetails"]["message"])


def test_an_upstream_that_failed_holds_though_it_is_idle(infra: Scene) -> None:
    failed = run_infra(infra, "Failed")
    infra.start("k8s")
    assert infra.statuses() == ["Failed"]
    assert (
        f"infra has not succeeded: its last execution {failed[:8]} Failed at 12:00 UTC."
        in message(infra)
    )
    assert "k8s starts again by itself within seconds of the next success of infra" in message(
        infra
    )


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


def test_without_events_the_schedule_finds_the_success(infra: Scene) -> None:
    infra.world.dials.events_on = False
    run_infra(infra, "Failed")
    infra.start("k8s")
    run_infra(infra, "Succeeded")
    assert infra.statuses() == ["Failed"]
    infra.wait(minutes=5)
    assert infra.statuses()[0] == "InProgress"


def test_one_that_runs_is_waited_for_although_the_one_before_it_succeeded(scene: Scene) -> None:
    scene.pipeline("infra", seconds=60, outcome="Failed")
    scene.gated("k8s", ask(require="succeeded"))
    scene.has_run("infra", (DAYS, "Succeeded"))
    scene.start("infra")
    scene.start("k8s")
    assert "infra runs: execution " in message(scene)
    scene.wait(minutes=12)
    assert (scene.statuses("infra"), scene.statuses()) == (["Failed", "Succeeded"], ["Failed"])


def test_the_newest_that_finished_counts_not_the_newest_that_succeeded(infra: Scene) -> None:
    run_infra(infra, "Succeeded")
    run_infra(infra, "Failed")
    infra.start("k8s")
    assert infra.statuses() == ["Failed"]


def test_one_that_was_cancelled_by_an_edit_is_left_aside(infra: Scene) -> None:
    run_infra(infra, "Succeeded")
    infra.codepipeline.start_pipeline_execution(name="infra")
    declared: Any = infra.codepipeline.get_pipeline(name="infra")["pipeline"]
    infra.codepipeline.update_pipeline(pipeline=declared)
    infra.wait(minutes=1)
    assert infra.statuses("infra") == ["Cancelled", "Succeeded"]
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]


def test_one_that_never_ran_has_not_succeeded_and_its_first_success_releases_the_hold(
    infra: Scene,
) -> None:
    infra.start("k8s")
    assert "infra has not succeeded: it has never finished an execution." in message(infra)
    run_infra(infra, "Succeeded")
    assert infra.statuses() == ["InProgress", "Failed"]


@pytest.mark.parametrize(
    ("asked", "waits_for"),
    [
        (ask("network", {"pipeline": "infra", "require": "succeeded"}), "infra"),
        (ask("infra", {"pipeline": "network", "require": "idle"}, require="succeeded"), "infra"),
        (ask("infra", "network", require="succeeded"), "infra and network"),
    ],
)
def test_it_is_for_all_or_for_one(infra: Scene, asked: dict[str, Any], waits_for: str) -> None:
    infra.pipeline("network", seconds=5, outcome="Failed")
    infra.has_run("infra", (DAYS, "Failed"))
    infra.start("network")
    infra.gated("web", {**asked, "pipeline": "web"})
    infra.start("web")
    assert message(infra, "web").startswith(f"web waits for {waits_for} since ")


@pytest.mark.parametrize(("status", "lets_pass"), [("Succeeded", True), ("Failed", False)])
def test_a_result_that_is_older_than_a_fortnight_still_counts(
    infra: Scene, status: Any, lets_pass: bool
) -> None:
    infra.has_run("infra", (30 * DAYS, status))
    infra.start("k8s")
    assert infra.statuses() == ["InProgress" if lets_pass else "Failed"]


def test_a_result_behind_pages_of_cancelled_executions_is_found(infra: Scene, calls: Calls) -> None:
    infra.has_run(
        "infra",
        (300 * DAYS, "Succeeded"),
        *[((200 - n / 2) * DAYS, "Cancelled") for n in range(250)],
    )
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]
    assert calls.made == ["ListPipelineExecutions"] * 3 + ["PutJobSuccessResult"]


def test_an_upstream_that_succeeded_costs_no_call_more(infra: Scene, calls: Calls) -> None:
    run_infra(infra, "Succeeded")
    infra.start("k8s")
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]
    assert infra.gate_action()["summary"].endswith("Succeeded at 12:00 UTC")
