"""The gate as a rule of a stage's entry condition (beforeEntry, LambdaInvoke), without a stage of
its own.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from sandbox import awslambda
from sandbox.account import ACCOUNT, REGION
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.condition import conditioned, rule_state
from tests.support.scene import GATE, Scene

JUDGED_BY = ("job", "error", "return value")
EACH_END = [("restart", ["Succeeded", "Failed"]), ("retry", ["Succeeded"])]


@pytest.fixture
def infra(scene: Scene) -> Scene:
    scene.pipeline("infra")
    return scene


@pytest.fixture(params=JUDGED_BY)
def judged(infra: Scene, request: pytest.FixtureRequest) -> Scene:
    """Infra, in a world in which AWS judges the rule in each of the ways that it may."""
    infra.world.dials.rule_judged_by = request.param
    return infra


def decisions() -> list[dict[str, Any]]:
    """What the gate function logged, oldest first."""
    events = boto3.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{GATE}")["events"]
    lines = [event["message"] for event in events]
    return [json.loads(line) for line in lines if line.startswith("{")]


def count_metric(name: str) -> int:
    return sum(record.get(name, 0) for record in decisions())


def gate_errors() -> list[str]:
    """The error of each run of the gate function, "" for none."""
    runs = awslambda.list_finished_runs(ACCOUNT, REGION)
    return [
        json.loads(run.outcome.payload)["errorMessage"] if run.outcome.error else ""
        for run in runs
        if run.invocation.function_name == GATE
    ]


def test_an_idle_upstream_lets_the_stage_begin(judged: Scene) -> None:
    conditioned(judged)
    judged.start("k8s")
    assert rule_state(judged)["status"] == "Succeeded"
    judged.wait(minutes=2)
    assert judged.statuses() == ["Succeeded"]
    assert gate_errors() == [""]


@pytest.mark.parametrize(("mode", "statuses"), EACH_END)
def test_a_running_upstream_holds_the_pipeline_until_its_end(
    judged: Scene, mode: str, statuses: list[str]
) -> None:
    conditioned(judged, hold=mode)
    judged.start("infra")
    judged.start("k8s")
    judged.wait(seconds=10)  # the gate checks again before it answers
    assert judged.statuses() == ["Failed"]
    judged.wait(minutes=16)
    assert judged.statuses() == statuses
    assert judged.rules() == []


def test_the_rule_shows_the_gate_s_message_if_the_job_judges(infra: Scene) -> None:
    conditioned(infra)
    infra.start("infra")
    infra.start("k8s")
    assert rule_state(infra)["errorDetails"]["message"].endswith("[pipeline-gate/1 held]")


@pytest.mark.parametrize("judged_by", JUDGED_BY[1:])
def test_without_the_key_a_closed_gate_opens_unless_the_job_judges(
    infra: Scene, judged_by: Any
) -> None:
    """Why the key exists: the gate failed its job, and its function ended well."""
    infra.world.dials.rule_judged_by = judged_by
    conditioned(infra, condition=False)
    infra.start("infra")
    infra.start("k8s")
    infra.wait(seconds=10)
    assert rule_state(infra)["status"] == "Succeeded"


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_lambda_s_repeats_of_a_closed_gate_change_nothing(
    judged: Scene, calls: Calls, mode: str
) -> None:
    conditioned(judged, hold=mode)
    judged.start("infra")
    judged.start("k8s")
    (rule,) = judged.rules()
    before = judged.events.list_targets_by_rule(Rule=rule)["Targets"]
    writes = [call for call in calls.made if call in ("PutRule", "PutTargets")]
    judged.wait(minutes=4)
    closed = "The gate keeps this stage closed (held). The gate function's log has the reason."
    assert gate_errors() == [closed] * 3
    assert judged.events.list_targets_by_rule(Rule=rule)["Targets"] == before
    assert [call for call in calls.made if call in ("PutRule", "PutTargets")] == writes
    assert count_metric("Held") == 1
    assert judged.statuses() == ["Failed"]


@pytest.mark.parametrize(("mode", "statuses"), EACH_END)
def test_a_repeat_after_the_hold_has_ended_changes_nothing(
    judged: Scene, mode: str, statuses: list[str]
) -> None:
    """Infra ends, k8s continues, and infra runs again before Lambda repeats the first job."""
    conditioned(judged, hold=mode)
    judged.quick_from_now_on()
    judged.codepipeline.start_pipeline_execution(name="infra")
    judged.codepipeline.start_pipeline_execution(name="k8s")
    judged.wait(seconds=30)
    assert judged.statuses() == statuses
    judged.codepipeline.start_pipeline_execution(name="infra")
    judged.wait(minutes=20)
    assert judged.statuses() == statuses
    assert judged.rules() == []
    assert count_metric("Held") == 1


def test_an_earlier_attempt_that_died_after_it_wrote_the_hold_is_completed(
    infra: Scene, calls: Calls
) -> None:
    conditioned(infra)
    infra.start("infra")
    calls.fail("PutJobFailureResult", "ServiceUnavailable")
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]
    calls.mend()
    infra.wait(minutes=2)
    assert infra.statuses() == ["Failed"]
    assert count_metric("Held") == 1


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"depends_on": ["nowhere"]}, "refused"),
        ({"retry_minutes": 7}, "refused"),
        ({"hold": "wait"}, "refused"),
        ({"give_up_minutes": 1}, "held"),
    ],
)
def test_whatever_keeps_the_gate_closed_keeps_the_stage_closed(
    judged: Scene, more: dict[str, Any], word: str
) -> None:
    conditioned(judged, **more)
    judged.start("infra")
    judged.start("k8s")
    judged.wait(minutes=5)
    assert judged.statuses() == ["Failed"]
    assert f"closed ({word})" in gate_errors()[0]
    assert count_metric("Refused") == (word == "refused")


def test_a_defect_keeps_the_stage_closed(judged: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.gate.find_unsatisfied", lambda _: 1 / 0)
    conditioned(judged)
    judged.start("k8s")
    assert judged.statuses() == ["Failed"]
    assert "closed (defect)" in gate_errors()[0]


@pytest.mark.parametrize(
    "more", [{"observe": True}, {"observe": True, "depends_on": ["nowhere"]}, {"bypass": "true"}]
)
def test_what_always_passes_lets_the_stage_begin(judged: Scene, more: dict[str, Any]) -> None:
    conditioned(judged, **more)
    judged.start("infra")
    judged.start("k8s")
    judged.wait(minutes=2)
    assert judged.statuses() == ["Succeeded"]
    assert gate_errors() == [""]


def test_a_defect_of_a_gate_that_observes_stops_nothing(
    judged: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.gate.find_unsatisfied", lambda _: 1 / 0)
    conditioned(judged, observe=True)
    judged.start("k8s")
    judged.wait(minutes=2)
    assert judged.statuses() == ["Succeeded"]


def test_without_room_for_a_rule_the_gate_refuses(judged: Scene) -> None:
    """A condition cannot be kept in progress for sure until there is room."""
    conditioned(judged)
    judged.start("infra")
    judged.only_room_for(0)
    judged.start("k8s")
    judged.wait(seconds=10)  # botocore has tried again
    assert judged.statuses() == ["Failed"]
    assert decisions()[-1]["reason"].startswith("The gate cannot hold k8s:")
    judged.only_room_for(1)
    judged.wait(minutes=4)
    assert len(gate_errors()) == 3
    assert judged.rules() == []
    assert (count_metric("Held"), count_metric("Refused")) == (0, 1)


def test_a_gate_that_may_not_list_conditions_names_the_call(infra: Scene, calls: Calls) -> None:
    infra.world.dials.job_details = "nothing"
    calls.fail("ListRuleExecutions", "AccessDeniedException")
    conditioned(infra)
    infra.start("infra")
    infra.start("k8s")
    assert "codepipeline:ListRuleExecutions" in rule_state(infra)["errorDetails"]["message"]


def test_a_released_execution_enters_its_stage(judged: Scene) -> None:
    conditioned(judged)
    judged.start("infra")
    judged.start("k8s")
    judged.wait(seconds=10)
    run("release", "k8s", "--yes")
    judged.wait(minutes=2)
    assert judged.statuses() == ["Succeeded"]


def test_the_mode_wait_holds_the_stage_if_the_job_judges(infra: Scene) -> None:
    """Only without the key, as before it existed."""
    conditioned(infra, condition=False, hold="wait")
    infra.start("infra")
    infra.start("k8s")
    assert infra.statuses() == ["InProgress"]
    infra.wait(minutes=12)
    assert infra.statuses() == ["Succeeded"]


@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_what_fails_after_the_condition_let_it_in_stays_failed(infra: Scene, mode: str) -> None:
    conditioned(infra, outcome="Failed", hold=mode)
    infra.start("infra")
    infra.start("k8s")
    infra.wait(minutes=40)
    assert infra.statuses() == (["Failed", "Failed"] if mode == "restart" else ["Failed"])
    assert infra.rules() == []


def test_what_a_person_let_in_and_failed_then_is_not_started_again(infra: Scene) -> None:
    conditioned(infra, outcome="Failed")
    infra.start("infra")
    held = infra.start("k8s")
    infra.codepipeline.override_stage_condition(
        pipelineName="k8s",
        stageName="Deploy",
        pipelineExecutionId=held,
        conditionType="BEFORE_ENTRY",
    )
    infra.wait(minutes=30)
    assert infra.statuses() == ["Failed"]
    assert infra.rules() == []


def test_two_gates_that_wait_before_their_stages_see_their_cycle(scene: Scene) -> None:
    """A gate that waits leaves its mark at the condition's rule, too."""
    conditioned(scene, condition=False, hold="wait")
    scene.gated("infra", ask("k8s", pipeline="infra", hold="wait"))
    scene.codepipeline.start_pipeline_execution(name="k8s")
    scene.codepipeline.start_pipeline_execution(name="infra")
    scene.wait(minutes=20)
    assert scene.statuses("k8s") == scene.statuses("infra") == ["Succeeded"]
