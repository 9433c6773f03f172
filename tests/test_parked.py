"""An upstream that needs a person: the message says what it waits for, and `parked` decides whether
it counts.
"""

from __future__ import annotations

import pytest

from tests.support.approval import approve
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene


@pytest.fixture
def parked(scene: Scene) -> Scene:
    """infra has been waiting for its approval since 12:00:04. k8s waits for it, web passes."""
    scene.staged("infra", ("Approve", 0), ("Deploy", 600))
    scene.gated("k8s", ask())
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.wait(minutes=5)
    return scene


def test_the_message_says_which_approval_is_open_since_when(parked: Scene) -> None:
    parked.start("k8s")
    assert "the approval Ask in its stage Approve" in parked.gate_message()


def test_pass_lets_the_pipeline_continue_and_says_so(parked: Scene) -> None:
    parked.start("web")
    assert parked.statuses("web") == ["InProgress"]
    assert "is waiting for a person" in parked.gate_action("web")["summary"]


def test_a_new_approval_is_noticed_within_retry_minutes(scene: Scene) -> None:
    scene.staged("infra", ("Build", 120), ("Approve", 0), ("Deploy", 600))
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("infra")
    scene.start("web")
    assert scene.statuses("web") == ["Failed"]
    scene.wait(minutes=6)
    assert scene.statuses("web")[0] == "Succeeded"
    assert scene.statuses("infra") == ["InProgress"]


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_an_approval_during_a_hold_counts_from_the_next_check_on(parked: Scene, mode: str) -> None:
    """An upstream that was parked when the hold began is running when the other upstream ends: the
    hold stays.
    """
    parked.pipeline("net", seconds=240)
    parked.gated("apps", ask("infra", "net", pipeline="apps", parked="pass", hold=mode))
    parked.start("net")
    parked.start("apps")
    assert "apps has been waiting for net since" in parked.gate_message("apps")
    approve(parked)
    parked.wait(minutes=6)
    assert parked.statuses("net") == ["Succeeded"]
    assert parked.statuses("apps") == ["InProgress" if mode == "wait" else "Failed"]
    if mode == "wait":
        assert "apps has been waiting for infra since" in parked.gate_message("apps")
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


def test_its_position_is_read_only_before_a_hold(parked: Scene, calls: Calls) -> None:
    parked.start("k8s")
    assert calls.made.count("GetPipelineState") == 1
    approve(parked)
    parked.wait(minutes=12)
    calls.made.clear()
    parked.start("web")
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]
