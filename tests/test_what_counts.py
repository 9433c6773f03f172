"""What counts as running, and as a success, where an upstream's own status does not tell: it was
cancelled, rolled back, abandoned, overtaken, or is older than what the gate reads.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.held import edit
from tests.support.scene import Scene

DAYS = timedelta(days=1)
DEPLOY = {"pipeline": "infra", "stage": "Deploy"}


# Cancelled while working


@pytest.mark.parametrize("hold", ["restart", "retry", "wait"])
@pytest.mark.parametrize(
    ("upstream", "label"), [("infra", "infra"), (DEPLOY, "infra's stage Deploy")]
)
def test_an_upstream_that_updates_itself_is_waited_for_until_its_next_execution_ends(
    scene: Scene, upstream: object, label: str, hold: str
) -> None:
    scene.pipeline("infra", seconds=600)
    scene.gated("k8s", ask(upstream, hold=hold))
    cancelled = scene.start("infra")
    edit(scene, "infra")
    scene.start("k8s")
    assert scene.gate_action()["status"] == ("InProgress" if hold == "wait" else "Failed")
    assert (
        f"{label} counts as running until 12:02 UTC: its execution {cancelled[:8]} was cancelled "
        "at 12:00 UTC"
    ) in scene.gate_message()
    scene.wait(seconds=20)
    scene.start("infra")
    scene.wait(minutes=9)
    assert "Succeeded" not in scene.statuses()
    scene.wait(minutes=5)
    assert scene.statuses()[0] == "Succeeded"
    assert scene.statuses("infra") == ["Succeeded", "Cancelled"]


@pytest.mark.parametrize("hold", ["restart", "retry", "wait"])
def test_an_upstream_that_nothing_starts_again_is_idle_at_the_next_check(
    scene: Scene, hold: str
) -> None:
    scene.pipeline("infra", seconds=600)
    scene.gated("k8s", ask(hold=hold))
    scene.start("infra")
    edit(scene, "infra")
    scene.start("k8s")
    scene.wait(minutes=7)
    assert scene.statuses()[0] == "Succeeded"
    scene.wait(minutes=5)
    assert scene.rules() == []


def test_an_upstream_that_was_cancelled_has_not_succeeded(scene: Scene) -> None:
    scene.pipeline("infra", seconds=60)
    scene.gated("k8s", ask(require="succeeded"))
    scene.start("infra")
    scene.wait(minutes=2)
    cancelled = scene.start("infra")
    edit(scene, "infra")
    scene.wait(minutes=10)
    scene.start("k8s")
    assert f"its last execution {cancelled[:8]} Cancelled at 12:02 UTC" in scene.gate_message()
    scene.wait(minutes=10)
    assert scene.statuses() == ["Failed"]
    scene.start("infra")
    scene.wait(minutes=3)
    assert scene.statuses() == ["Succeeded", "Failed"]


# Rolled back


@pytest.mark.parametrize(
    ("upstream", "label"), [("infra", "infra"), (DEPLOY, "infra's stage Deploy")]
)
def test_an_upstream_that_was_rolled_back_has_not_succeeded(
    scene: Scene, upstream: object, label: str
) -> None:
    scene.pipeline("infra", seconds=60)
    scene.gated("k8s", ask(upstream, require="succeeded"))
    good = scene.start("infra")
    scene.wait(minutes=2)
    scene.start("infra")
    scene.wait(minutes=2)
    rollback = scene.codepipeline.rollback_stage(
        pipelineName="infra", stageName="Deploy", targetPipelineExecutionId=good
    )["pipelineExecutionId"]
    scene.wait(minutes=2)
    assert scene.statuses("infra")[0] == "Succeeded"
    scene.start("k8s")
    assert (
        f"{label} was rolled back at 12:05 UTC (execution {rollback[:8]}): what was pushed has not "
        "succeeded."
    ) in scene.gate_message()
    scene.wait(minutes=10)
    assert scene.statuses() == ["Failed"]
    scene.start("infra")
    scene.wait(minutes=3)
    assert scene.statuses() == ["Succeeded", "Failed"]


# Side by side


@pytest.mark.parametrize(("slow", "fast"), [("Succeeded", "Failed"), ("Failed", "Succeeded")])
def test_of_executions_side_by_side_the_one_that_ended_last_decides(
    scene: Scene, slow: str, fast: Any
) -> None:
    scene.pipeline("infra", seconds=300, outcome=slow, mode="PARALLEL")
    scene.gated("k8s", ask(require="succeeded"))
    scene.start("infra")
    scene.ends_from_now_on("infra", fast)
    scene.start("infra")
    scene.wait(minutes=10)
    assert scene.statuses("infra") == [fast, slow]
    scene.start("k8s")
    assert scene.statuses() == ["InProgress" if slow == "Succeeded" else "Failed"]


# Stopped and abandoned


def test_of_a_stopped_upstream_the_summary_says_that_abandoned_actions_may_go_on(
    scene: Scene,
) -> None:
    scene.pipeline("infra", seconds=600)
    scene.gated("k8s", ask())
    stopped = scene.start("infra")
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="infra", pipelineExecutionId=stopped, abandon=True
    )
    scene.start("k8s")
    assert scene.gate_message() == (
        f"infra is idle: its last execution {stopped[:8]} Stopped at 12:00 UTC (if its actions "
        "were abandoned, they may still be working)"
    )


# Old, but still working


def work_after_a_long_approval(scene: Scene, days: int, newer: int, mode: str) -> str:
    """An execution of infra that began that long ago is now in Deploy, for ten minutes. Meanwhile
    others have failed, the last one a day ago.
    """
    scene.staged("infra", ("Approve", 0), ("Deploy", 600), mode=mode)

    def allow_sixty_days(declared: Any) -> None:
        declared["stages"][1]["actions"][0]["timeoutInMinutes"] = 86400

    edit(scene, "infra", allow_sixty_days)
    old = scene.start("infra")
    scene.wait(minutes=days * 24 * 60)
    spread = (days - 1) * DAYS / max(newer, 1)
    scene.has_run("infra", *[(days * DAYS - (n + 1) * spread, "Failed") for n in range(newer)])
    actions = scene.codepipeline.list_action_executions(pipelineName="infra")
    token = next(
        action["output"]["executionResult"]["externalExecutionId"]
        for action in actions["actionExecutionDetails"]
        if action["actionName"] == "Ask"
    )
    scene.codepipeline.put_approval_result(
        pipelineName="infra",
        stageName="Approve",
        actionName="Ask",
        token=token,
        result={"summary": "", "status": "Approved"},
    )
    scene.wait(seconds=5)
    return old


@pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED"])
@pytest.mark.parametrize(
    "upstream",
    ["infra", DEPLOY, {"pipeline": "infra", "parked": "pass"}],
    ids=["whole", "stage", "parked"],
)
def test_an_old_execution_that_is_still_working_holds(
    scene: Scene, upstream: object, mode: str
) -> None:
    old = work_after_a_long_approval(scene, days=25, newer=250, mode=mode)
    scene.gated("k8s", ask(upstream))
    scene.start("k8s")
    assert scene.statuses() == ["Failed"]
    assert f"is running: execution {old[:8]} is InProgress." in scene.gate_message()
    scene.wait(minutes=10)
    assert scene.statuses()[0] == "InProgress"


@pytest.mark.parametrize(
    ("newer", "days", "mode", "more"),
    [
        (99, 25, "SUPERSEDED", []),  # all executions are on one page
        (110, 25, "QUEUED", ["GetPipelineState"]),
        (110, 25, "PARALLEL", []),  # where the state shows only some of them
        (250, 200, "SUPERSEDED", []),  # the page reaches back further than an approval can be open
    ],
)
def test_the_state_is_read_only_if_a_running_execution_may_be_missing(
    scene: Scene, calls: Calls, newer: int, days: int, mode: str, more: list[str]
) -> None:
    scene.pipeline("infra", mode=mode)
    each = days * DAYS / newer
    scene.has_run("infra", *[((newer - n) * each, "Succeeded") for n in range(newer)])
    scene.gated("k8s", ask())
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]
    assert calls.made == ["ListPipelineExecutions", *more, "PutJobSuccessResult"]


def test_the_state_is_not_read_while_the_list_shows_a_running_execution(
    scene: Scene, calls: Calls
) -> None:
    """A firing of a hold's rule costs one call."""
    scene.pipeline("infra", seconds=3600)
    scene.has_run("infra", *[((200 - n) * DAYS / 5, "Succeeded") for n in range(199)])
    scene.start("infra")
    scene.gated("k8s", ask())
    scene.start("k8s")
    calls.made.clear()
    scene.wait(minutes=5)
    assert calls.made == ["ListPipelineExecutions"]
