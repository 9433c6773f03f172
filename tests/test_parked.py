"""An upstream that only a person can move on: the message says whom it waits for, and `parked`
decides whether it counts.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.approval import approve
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene


@pytest.fixture
def parked(scene: Scene) -> Scene:
    """infra has stood before its approval since 12:00:04; k8s waits for it, web does not count
    it.
    """
    scene.staged("infra", ("Approve", 0), ("Deploy", 600))
    scene.gated("k8s", ask())
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.wait(minutes=5)
    return scene


def said(scene: Scene, name: str) -> str:
    action = scene.gate_action(name)
    return str(action.get("summary") or action["errorDetails"]["message"])


def test_the_message_says_which_approval_is_open_since_when(parked: Scene) -> None:
    parked.start("k8s")
    message = parked.gate_action()["errorDetails"]["message"]
    assert (
        "and waits for a person: the approval Ask in its stage Approve is open since 12:00 UTC."
        in message
    )


def test_pass_lets_the_pipeline_go_on_and_says_so(parked: Scene) -> None:
    parked.start("web")
    assert parked.statuses("web") == ["InProgress"]
    assert "is parked until a person lets it go on" in parked.gate_action("web")["summary"]


def test_once_it_is_approved_it_counts(parked: Scene) -> None:
    approve(parked)
    parked.start("web")
    assert parked.statuses("web") == ["Failed"]


def test_a_new_approval_is_noticed_within_retry_minutes(scene: Scene) -> None:
    scene.staged("infra", ("Build", 120), ("Approve", 0), ("Deploy", 600))
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.start("web")
    assert scene.statuses("web") == ["Failed"]
    scene.wait(minutes=6)
    assert scene.statuses("web")[0] == "Succeeded"
    assert scene.statuses("infra") == ["InProgress"]


def disable(scene: Scene) -> None:
    scene.codepipeline.disable_stage_transition(
        pipelineName="infra", stageName="Deploy", transitionType="Inbound", reason="holidays"
    )


def test_a_disabled_transition_parks_it_too(scene: Scene) -> None:
    scene.pipeline("infra")
    disable(scene)
    scene.gated("k8s", ask())
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.start("k8s")
    scene.start("web")
    assert (
        "waits for a person: the transition into its stage Deploy is disabled since 12:00 UTC"
        in (scene.gate_action()["errorDetails"]["message"])
    )
    assert scene.statuses("web") == ["InProgress"]


def test_one_that_stands_behind_a_parked_one_is_parked(parked: Scene) -> None:
    parked.start("infra")
    assert parked.statuses("infra") == ["InProgress", "InProgress"]
    parked.start("web")
    assert parked.statuses("web") == ["InProgress"]


def test_one_of_two_that_works_keeps_the_gate_closed(scene: Scene) -> None:
    scene.staged("infra", ("Build", 600), ("Approve", 0))
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.wait(minutes=11)
    scene.start("infra")
    scene.start("web")
    message = scene.gate_action("web")["errorDetails"]["message"]
    assert "infra runs: execution" in message
    assert "waits for a person" not in message


def test_what_else_runs_in_the_stage_of_an_approval_is_no_waiting(scene: Scene) -> None:
    scene.staged("infra", ("Deploy", 600), ("Approve", 0))
    declared: Any = scene.codepipeline.get_pipeline(name="infra")["pipeline"]
    source, deploy, approval = declared["stages"]
    declared["stages"] = [source, {**deploy, "actions": [*deploy["actions"], *approval["actions"]]}]
    scene.codepipeline.update_pipeline(pipeline=declared)
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.start("web")
    assert scene.statuses("web") == ["Failed"]


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_an_approval_that_is_given_during_a_hold_counts_from_the_next_look_on(
    parked: Scene, mode: str
) -> None:
    """What was parked when the hold began runs when the other upstream ends: the hold stays."""
    parked.pipeline("net", seconds=240)
    parked.gated("apps", ask("infra", "net", pipeline="apps", parked="pass", hold=mode))
    parked.start("net")
    parked.start("apps")
    assert said(parked, "apps").startswith("apps waits for net since")
    approve(parked)
    parked.wait(minutes=6)
    assert parked.statuses("net") == ["Succeeded"]
    assert parked.statuses("apps") == ["InProgress" if mode == "wait" else "Failed"]
    if mode == "wait":
        assert said(parked, "apps").startswith("apps waits for infra since")
    parked.wait(minutes=6)
    assert parked.statuses("apps")[0] == "Succeeded"


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_with_wait_the_hold_ends_with_the_upstream_whenever_that_is_approved(
    parked: Scene, mode: str
) -> None:
    parked.gated("apps", ask(pipeline="apps", hold=mode))
    parked.start("apps")
    parked.wait(minutes=3 * 24 * 60 if mode == "restart" else 60)
    assert len(parked.statuses("apps")) == 1
    approve(parked)
    parked.wait(minutes=12)
    assert parked.statuses("apps")[0] == "Succeeded"


def test_an_approval_that_is_rejected_ends_the_wait(parked: Scene) -> None:
    parked.start("k8s")
    approve(parked, "Rejected")
    parked.wait(seconds=2)
    assert (parked.statuses("infra"), parked.statuses()) == (["Failed"], ["InProgress", "Failed"])


def test_a_transition_that_is_enabled_again_counts(scene: Scene) -> None:
    scene.pipeline("infra")
    disable(scene)
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.codepipeline.enable_stage_transition(
        pipelineName="infra", stageName="Deploy", transitionType="Inbound"
    )
    scene.start("web")
    assert scene.statuses("web") == ["Failed"]


def test_parked_can_be_said_for_one_upstream_alone(parked: Scene) -> None:
    parked.pipeline("net")
    parked.codepipeline.disable_stage_transition(
        pipelineName="net", stageName="Deploy", transitionType="Inbound", reason="x"
    )
    parked.start("net")
    parked.gated("apps", ask({"pipeline": "infra", "parked": "pass"}, "net", pipeline="apps"))
    parked.start("apps")
    assert said(parked, "apps").startswith("apps waits for net since")


def test_where_it_stands_is_asked_on_the_hold_path_only(parked: Scene, calls: Calls) -> None:
    parked.start("k8s")
    assert calls.made.count("GetPipelineState") == 1
    approve(parked)
    parked.wait(minutes=12)
    calls.made.clear()
    parked.start("web")
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]
