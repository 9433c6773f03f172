"""The retry function as its users see it: how holds end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import runtime
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.holds.rule import describe_date
from sandbox.inprocess import MONDAY_NOON
from tests.support.ask import ask
from tests.support.calls import Calls, timed_out
from tests.support.deployment import retry_arn
from tests.support.held import hold_k8s, retry_stage, start_all
from tests.support.logs import read_retry_log
from tests.support.scene import Scene


@pytest.fixture
def held(scene: Scene) -> str:
    """k8s has been held from 12:00:10 on because infra runs until 12:10:02. Returns the held
    execution's id.
    """
    return hold_k8s(scene, seconds=600, minutes=0)


def invoke_retry(event: object) -> Any:
    return Client(app.app).lambda_.invoke("retry", event).payload


def test_the_end_of_the_upstream_starts_the_held_pipeline_at_once(scene: Scene, held: str) -> None:
    scene.wait(minutes=10)
    restart, first = scene.executions()
    assert first["pipelineExecutionId"] == held
    assert (restart["status"], first["status"]) == ("InProgress", "Failed")
    assert restart["startTime"] == datetime(2026, 11, 23, 12, 10, 2, tzinfo=UTC)
    assert scene.gate_action()["status"] == "Succeeded"
    assert scene.rules() == []


def test_without_events_the_schedule_alone_releases_the_hold(scene: Scene, held: str) -> None:
    scene.world.dials.events_on = False
    scene.wait(minutes=14)
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=1)
    assert scene.executions()[0]["startTime"] == datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
    assert scene.rules() == []


@pytest.mark.parametrize("outcome", ["Failed", "Stopped"])
def test_an_upstream_that_ends_badly_releases_the_hold_too(scene: Scene, outcome: str) -> None:
    scene.pipeline("infra", outcome="Failed")
    scene.k8s()
    infra = scene.start("infra")
    scene.start("k8s")
    if outcome == "Stopped":
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="infra", pipelineExecutionId=infra, abandon=True
        )
        scene.wait(seconds=1)
    else:
        scene.wait(minutes=10)
    assert scene.statuses("infra") == [outcome]
    assert scene.statuses() == ["InProgress", "Failed"]


def test_a_long_hold_costs_one_call_a_look_and_one_failed_execution(
    scene: Scene, held: str, calls: Calls
) -> None:
    calls.made.clear()
    scene.wait(minutes=9)
    assert calls.made == ["ListPipelineExecutions"]
    assert scene.statuses() == ["Failed"]


def test_a_variable_that_was_edited_away_does_not_keep_the_pipeline_from_starting(
    scene: Scene,
) -> None:
    scene.pipeline("infra")
    scene.k8s(
        variables=[
            {"name": "image", "defaultValue": "latest"},
            {"name": "zone", "defaultValue": "a"},
        ]
    )
    scene.start("infra")
    scene.start(
        "k8s", variables=[{"name": "image", "value": "v1.2.3"}, {"name": "zone", "value": "b"}]
    )
    edited = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    edited["variables"] = [{"name": "zone", "defaultValue": "a"}]
    scene.codepipeline.update_pipeline(pipeline=edited)
    scene.wait(minutes=10)
    assert scene.statuses() == ["InProgress", "Failed"]
    id_ = scene.executions()[0]["pipelineExecutionId"]
    execution = scene.codepipeline.get_pipeline_execution(
        pipelineName="k8s", pipelineExecutionId=id_
    )["pipelineExecution"]
    assert execution["variables"] == [{"name": "zone", "resolvedValue": "b"}]


class TestParallelMode:
    """Executions are independent: each is held and started again on its own, with its own
    revisions.
    """

    def test_each_held_execution_comes_back_with_its_own_revision(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(mode="PARALLEL")
        scene.start("infra")
        first = scene.start("k8s")
        scene.push("k8s", "b" * 40)
        second = scene.start("k8s")
        assert sorted(scene.rules()) == sorted(
            f"pipeline-gate-dev-{id_}" for id_ in (first, second)
        )
        scene.wait(minutes=10)
        revisions = {
            e["pipelineExecutionId"]: e["sourceRevisions"][0].get("revisionId")
            for e in scene.executions()
        }
        restarts = [e["pipelineExecutionId"] for e in scene.executions()[:2]]
        assert scene.statuses() == ["InProgress", "InProgress", "Failed", "Failed"]
        assert sorted(map(str, map(revisions.get, restarts))) == sorted(
            map(str, map(revisions.get, (first, second)))
        )
        assert scene.rules() == []

    def test_a_restart_whose_rule_could_not_be_removed_is_not_repeated(
        self, scene: Scene, calls: Calls
    ) -> None:
        scene.pipeline("infra")
        scene.k8s(mode="PARALLEL")
        scene.start("infra")
        scene.start("k8s")
        calls.fail("RemoveTargets", "InternalException")
        scene.wait(minutes=30)
        calls.mend()
        scene.wait(minutes=5)
        assert scene.statuses() == ["Succeeded", "Failed"]
        assert scene.rules() == []


class TestObsoleteHolds:
    """The rule is removed, and nothing starts."""

    def test_a_newer_execution(self, scene: Scene, held: str) -> None:
        """It is held too; at the end of infra, only its own hold starts the pipeline."""
        newer = scene.start("k8s")
        assert sorted(scene.rules()) == sorted(f"pipeline-gate-dev-{id_}" for id_ in (held, newer))
        scene.wait(minutes=10)
        assert scene.statuses() == ["InProgress", "Failed", "Failed"]
        assert scene.rules() == []

    def test_a_second_attempt_that_passed(self, scene: Scene, held: str) -> None:
        stop(scene, "infra")
        retry_stage(scene, held)
        scene.wait(minutes=30)
        assert scene.statuses() == ["Succeeded"]
        assert scene.rules() == []


def test_a_deleted_upstream_counts_as_idle(scene: Scene, held: str) -> None:
    scene.codepipeline.delete_pipeline(name="infra")
    scene.wait(minutes=5)
    assert scene.statuses() == ["Failed", "Failed"]
    assert "no pipeline infra" in scene.gate_message()
    assert scene.rules() == []


def test_an_execution_whose_stage_is_retried_during_the_check_has_not_passed(
    scene: Scene, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gate is invoked again, and may hold it again. A rule that is removed at that moment would
    be the rule of the new hold.
    """
    attempts, remove = CodePipeline.list_attempts, EventBridge.remove_target
    retried: list[str] = []

    def somebody_is_faster(self: CodePipeline, pipeline: str, execution: str) -> Any:
        if not retried:
            scene.codepipeline.start_pipeline_execution(name="infra")
            retried.append(
                scene.codepipeline.retry_stage_execution(
                    pipelineName="k8s",
                    stageName="Gate",
                    pipelineExecutionId=held,
                    retryMode="FAILED_ACTIONS",
                )["pipelineExecutionId"]
            )
        return attempts(self, pipeline, execution)

    def later(self: EventBridge, rule: str) -> bool:
        scene.wait(seconds=5)
        return remove(self, rule)

    monkeypatch.setattr(CodePipeline, "list_attempts", somebody_is_faster)
    monkeypatch.setattr(EventBridge, "remove_target", later)
    scene.wait(minutes=15)
    assert retried == [held]
    assert (scene.statuses("infra"), scene.statuses()) == (["InProgress", "Succeeded"], ["Failed"])
    assert scene.rules() == [f"pipeline-gate-dev-{held}"]
    scene.wait(minutes=10)
    assert scene.statuses()[0] == "Succeeded"


def test_a_held_execution_that_is_still_in_progress_is_left_alone(
    scene: Scene, calls: Calls
) -> None:
    scene.pipeline("infra", seconds=60)
    scene.k8s()
    scene.start("infra")
    calls.fail("PutJobFailureResult", timed_out())
    scene.start("k8s")
    scene.wait(seconds=55)  # infra has ended; the gate's answer is still not there
    assert scene.statuses() == ["InProgress"]
    calls.mend()
    # Lambda's second attempt of the gate finds infra idle and lets it pass: nothing is left to
    # retry.
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded"]
    assert scene.rules() == []


@pytest.mark.parametrize(
    "operation",
    [
        "StartPipelineExecution",
        "RemoveTargets",
        "DeleteRule",
        "ListTargetsByRule",
        "ListActionExecutions",
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_whatever_fails_on_the_way_is_done_again(
    scene: Scene, held: str, calls: Calls, operation: str, after: bool
) -> None:
    calls.fail(operation, timed_out(), after=after)
    scene.wait(minutes=11)
    calls.mend()
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


def test_a_start_that_is_denied_waits_until_it_is_allowed(
    scene: Scene, held: str, calls: Calls
) -> None:
    calls.fail("StartPipelineExecution", "AccessDeniedException")
    scene.wait(minutes=60)
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == [f"pipeline-gate-dev-{held}"]
    calls.mend()
    scene.wait(minutes=5)
    assert scene.statuses() == ["Succeeded", "Failed"]


def test_a_delivery_that_comes_twice_starts_once(scene: Scene, held: str) -> None:
    scene.world.dials.event_copies = lambda: [0.0, 0.0, 3600.0]
    scene.wait(minutes=90)
    assert scene.statuses() == ["Succeeded", "Failed"]


@pytest.mark.parametrize(
    "forged", [{}, {"pipeline": "secret", "depends_on": [], "since": "2026-11-23T12:00:00Z"}]
)
def test_the_rules_target_counts_whatever_the_invocation_says(
    scene: Scene, held: str, forged: dict[str, Any]
) -> None:
    scene.pipeline("secret")
    scene.world.dials.events_on = False
    stop(scene, "infra")
    event = {"rule": f"pipeline-gate-dev-{held}", "execution": held, **forged}
    assert invoke_retry(event)["decision"] == "started"
    assert scene.statuses("secret") == []
    assert scene.statuses() == ["InProgress", "Failed"]


class TestLingeringTargets:
    """EventBridge does not delete a rule from which the target was removed a moment ago."""

    def test_the_rule_is_deleted_some_seconds_later(self, scene: Scene, held: str) -> None:
        scene.world.dials.targets_linger = timedelta(seconds=8)
        scene.wait(minutes=10)
        assert scene.statuses() == ["InProgress", "Failed"]
        assert scene.rules() == []

    def test_or_by_the_next_release_which_the_log_says(self, scene: Scene, held: str) -> None:
        scene.world.dials.targets_linger = timedelta(minutes=20)
        scene.wait(minutes=15)
        rule = f"pipeline-gate-dev-{held}"
        assert scene.statuses() == ["Succeeded", "Failed"]
        assert scene.rules() == [rule]
        (line,) = read_retry_log("not swept")
        assert line["rule"] == rule
        scene.wait(minutes=20)
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=15)
        assert rule not in scene.rules()
        assert [line["rule"] for line in read_retry_log("swept")] == [rule]


class TestUnfinishedHolds:
    """A gate that is killed at each of its attempts between PutRule and PutTargets leaves a rule
    without a target.
    """

    def test_the_next_release_of_any_hold_sweeps_it(self, scene: Scene, calls: Calls) -> None:
        scene.pipeline("infra")
        scene.gated("apps", ask(pipeline="apps"))
        scene.start("infra")
        calls.fail("PutTargets", timed_out())
        rule = f"pipeline-gate-dev-{scene.start('apps')}"
        scene.wait(minutes=9)
        calls.mend()
        scene.codepipeline.delete_pipeline(name="apps")
        assert scene.rules() == [rule]
        scene.wait(minutes=30)
        scene.pipeline("network")
        scene.k8s("network")
        scene.start("network")
        scene.start("k8s")
        calls.made.clear()
        scene.wait(minutes=11)
        assert scene.rules() == []
        assert [call for call in calls.made if call.startswith("ListRule")] == [
            "ListRules",
            "ListRuleNamesByTarget",
        ]

    def test_all_pages_of_rules_are_read(self, scene: Scene) -> None:
        """EventBridge lists a hundred rules at a time (model: ListRules)."""
        prefix, arn = "pipeline-gate-dev-", retry_arn()
        for number in range(202):
            rule = f"{prefix}{number:03}"
            date = describe_date(MONDAY_NOON)
            scene.events.put_rule(Name=rule, ScheduleExpression="rate(5 minutes)", Description=date)
            if number != 201:
                scene.events.put_targets(Rule=rule, Targets=[{"Id": "retry", "Arn": arn}])
        later = MONDAY_NOON + timedelta(hours=1)
        unfinished = runtime.aws.eventbridge.list_unfinished_rules(prefix, arn, before=later)
        assert unfinished == [f"{prefix}201"]

    def test_an_old_hold_that_still_waits_stays(self, scene: Scene, calls: Calls) -> None:
        scene.pipeline("infra", seconds=7200)
        scene.k8s()
        scene.start("infra")
        rule = f"pipeline-gate-dev-{scene.start('k8s')}"
        scene.wait(minutes=60)
        scene.pipeline("network", seconds=60)
        scene.gated("apps", ask("network", pipeline="apps"))
        scene.start("network")
        scene.start("apps")
        scene.wait(minutes=3)
        assert scene.statuses("apps") == ["Succeeded", "Failed"]
        assert scene.rules() == [rule]


def test_a_hold_that_is_written_again_survives_a_late_check_of_the_old_one(
    scene: Scene, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The late retry read a rule without a target. Before it removes the rule, a second attempt of
    the gate puts the target back.
    """
    rule = f"pipeline-gate-dev-{held}"
    monkeypatch.setattr(runtime.aws.eventbridge, "read_hold", lambda _: None)
    assert invoke_retry({"rule": rule})["decision"] == "over"
    assert len(scene.events.list_targets_by_rule(Rule=rule)["Targets"]) == 1


def test_a_target_that_a_person_rewrote_is_ignored(scene: Scene, held: str) -> None:
    rule = f"pipeline-gate-dev-{held}"
    arn = scene.events.list_targets_by_rule(Rule=rule)["Targets"][0]["Arn"]
    scene.events.put_targets(
        Rule=rule, Targets=[{"Id": "retry", "Arn": arn, "Input": '{"rule": "another"}'}]
    )
    scene.world.dials.events_on = False
    stop(scene, "infra")
    with pytest.raises(ValueError, match="is not as the gate wrote it"):
        invoke_retry({"rule": rule})
    assert scene.statuses() == ["Failed"]


def test_a_rule_that_lost_its_target_is_tidied_away(scene: Scene, held: str) -> None:
    rule = f"pipeline-gate-dev-{held}"
    scene.events.remove_targets(Rule=rule, Ids=["retry"])
    assert invoke_retry({"rule": rule})["decision"] == "over"
    assert scene.rules() == []


def stop(scene: Scene, pipeline: str) -> None:
    newest = scene.executions(pipeline)[0]["pipelineExecutionId"]
    scene.codepipeline.stop_pipeline_execution(
        pipelineName=pipeline, pipelineExecutionId=newest, abandon=True
    )
