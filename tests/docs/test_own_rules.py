"""docs/add-a-stage.md: what happens if a rule of one's own, next to a gate, starts a pipeline when
its upstream ends; and what to do instead.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sandbox.clock import utcnow
from sandbox.eventbridge.pattern import compile_pattern
from tests.support.ask import ask
from tests.support.documents import sections
from tests.support.held import RULE_MODES, start_all
from tests.support.scene import Scene

PAGE = (Path(__file__).parents[2] / "docs/add-a-stage.md").read_text()
INFRA_SECONDS = 300


def plan_start_at_end(scene: Scene, after_seconds: float) -> None:
    """infra is about to start. A rule on its success starts k8s that many seconds after its end."""
    runs_for = timedelta(seconds=scene.world.dials.action_seconds + INFRA_SECONDS)
    scene.world.clock.call_at(
        utcnow() + runs_for + timedelta(seconds=after_seconds),
        lambda: scene.codepipeline.start_pipeline_execution(name="k8s"),
    )


def list_works(scene: Scene, pipeline: str) -> list[tuple[datetime, datetime]]:
    """When each deployment of the pipeline began and ended, the oldest first."""
    actions = scene.codepipeline.list_action_executions(pipelineName=pipeline)
    return sorted(
        (action["startTime"], action["lastUpdateTime"])
        for action in actions["actionExecutionDetails"]
        if action["actionName"] == "Deploy"
    )


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_what_is_held_and_what_the_rule_starts_both_run(scene: Scene, mode: str) -> None:
    scene.pipeline("infra", seconds=INFRA_SECONDS)
    scene.gated("k8s", ask(hold=mode), seconds=60)
    plan_start_at_end(scene, after_seconds=1)
    start_all(scene, "infra", "k8s")
    scene.wait(minutes=15)
    assert len(list_works(scene, "k8s")) == 2


@pytest.mark.parametrize(
    ("mode", "list_age_seconds", "runs"),
    [("restart", 0, 1), ("retry", 0, 1), ("wait", 0, 2), ("restart", 8, 2), ("retry", 8, 2)],
)
def test_only_if_the_retry_function_sees_the_other_execution_first_is_the_hold_dropped(
    scene: Scene, mode: str, list_age_seconds: int, runs: int
) -> None:
    scene.pipeline("infra", seconds=INFRA_SECONDS)
    scene.gated("k8s", ask(hold=mode), seconds=60)
    plan_start_at_end(scene, after_seconds=1)
    start_all(scene, "infra", "k8s")
    scene.world.dials.event_copies = lambda: [3.0]
    scene.world.dials.answer_age = lambda operation: list_age_seconds
    scene.wait(minutes=15)
    assert len(list_works(scene, "k8s")) == runs


@pytest.mark.parametrize(
    ("mode", "after_seconds", "apps_is_first"),
    [("retry", 1, True), ("restart", 1, False), ("restart", 20, True), ("wait", 20, True)],
)
def test_in_a_diamond_apps_may_pass_before_the_rule_has_started_k8s(
    scene: Scene, mode: str, after_seconds: float, apps_is_first: bool
) -> None:
    scene.pipeline("infra", seconds=INFRA_SECONDS)
    scene.pipeline("k8s", seconds=300)
    scene.gated("apps", ask("infra", "k8s", pipeline="apps", hold=mode), seconds=60)
    plan_start_at_end(scene, after_seconds)
    start_all(scene, "infra", "apps")
    scene.wait(minutes=15)
    ((apps_began, _),) = list_works(scene, "apps")
    ((_, k8s_ended),) = list_works(scene, "k8s")
    assert (apps_began < k8s_ended) is apps_is_first


@pytest.mark.parametrize("mode", RULE_MODES)
@pytest.mark.parametrize("is_pushed", [False, True])
def test_a_rule_that_starts_k8s_when_infra_starts_runs_it_once_and_before_apps(
    scene: Scene, mode: str, is_pushed: bool
) -> None:
    scene.pipeline("infra", seconds=INFRA_SECONDS)
    scene.gated("k8s", ask(hold=mode), seconds=300)
    scene.gated("apps", ask("infra", "k8s", pipeline="apps", hold=mode), seconds=60)
    scene.codepipeline.start_pipeline_execution(name="infra")
    scene.wait(seconds=1)
    start_all(scene, "k8s", "apps", *(["k8s"] if is_pushed else []))
    scene.wait(minutes=25)
    ((k8s_began, k8s_ended),) = list_works(scene, "k8s")
    ((_, infra_ended),) = list_works(scene, "infra")
    ((apps_began, _),) = list_works(scene, "apps")
    assert infra_ended <= k8s_began
    assert k8s_ended <= apps_began


@pytest.mark.parametrize(("state", "starts"), [("STARTED", True), ("SUCCEEDED", False)])
def test_the_rule_of_the_page_starts_k8s_when_infra_starts(state: str, starts: bool) -> None:
    (pattern,) = [
        block for section in sections(PAGE) for block in section.blocks if "source" in block
    ]
    event = {
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Pipeline Execution State Change",
        "detail": {"pipeline": "infra", "state": state},
    }
    assert compile_pattern(json.dumps(pattern))(event) is starts
