"""What users of other projects lost days to: one short story for each, as it has to go here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene

NETWORK = {"pipeline": "infra", "stage": "Network"}


def said(scene: Scene, name: str = "k8s") -> str:
    action = scene.gate_action(name)
    return str(action.get("summary") or action["errorDetails"]["message"])


def close(scene: Scene, name: str, stage: str) -> None:
    scene.codepipeline.disable_stage_transition(
        pipelineName=name, stageName=stage, transitionType="Inbound", reason="holidays"
    )


def test_turnstyle_35_it_passed_although_something_ran(scene: Scene) -> None:
    """Here an older run counts that a newer one, which has ended already, could hide."""
    scene.pipeline("infra", mode="PARALLEL")
    scene.start("infra")
    scene.quick_from_now_on()
    scene.start("infra")
    scene.wait(minutes=1)
    scene.k8s()
    scene.start("k8s")
    assert (scene.statuses("infra"), scene.statuses()) == (["Succeeded", "InProgress"], ["Failed"])


def test_spinnaker_1070_two_that_were_started_in_quick_succession_both_ran(scene: Scene) -> None:
    """Each looked before the other was marked as running."""
    scene.gated("a", ask("b", pipeline="a"))
    scene.gated("b", ask("a", pipeline="b"))
    for name in ("a", "b"):
        scene.codepipeline.start_pipeline_execution(name=name)
    scene.wait(seconds=20)
    assert [scene.statuses("a"), scene.statuses("b")].count(["InProgress"]) == 1


def test_gocd_2225_it_passed_although_something_ran(scene: Scene) -> None:
    """Here an execution counts until its last stage has ended, and its successor in an earlier
    stage counts for itself.
    """
    scene.staged("infra", ("Network", 5), ("Cluster", 600))
    scene.start("infra")
    scene.start("infra")
    scene.wait(minutes=1)
    scene.k8s()
    scene.start("k8s")
    assert said(scene).count("is InProgress since") == 2
    scene.wait(minutes=11)  # the first of the two has ended
    assert (scene.statuses("infra"), scene.statuses()) == (["InProgress", "Succeeded"], ["Failed"])
    scene.wait(minutes=10)
    assert scene.statuses()[0] == "Succeeded"


def test_airflow_33053_it_waited_for_ever_for_what_had_been_skipped(scene: Scene) -> None:
    """Here a skipped stage is left behind like any other; and where a success is required, the
    message says that it was skipped.
    """
    scene.staged("infra", ("Build", 60), ("Network", 5), ("Cluster", 3600))
    declared: Any = scene.codepipeline.get_pipeline(name="infra")["pipeline"]
    kind = {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}
    unchanged = {
        "name": "Changed",
        "ruleTypeId": kind,
        "configuration": {"SandboxOutcome": "Failed"},
    }
    declared["stages"][2]["beforeEntry"] = {
        "conditions": [{"result": "SKIP", "rules": [unchanged]}]
    }
    scene.codepipeline.update_pipeline(pipeline=declared)
    scene.gated("k8s", ask(NETWORK))
    scene.gated("web", ask({**NETWORK, "require": "succeeded"}, pipeline="web"))
    scene.start("infra")
    scene.start("k8s")
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=6)
    assert (scene.statuses("infra"), scene.statuses()) == (["InProgress"], ["Succeeded", "Failed"])
    scene.start("web")
    assert "infra's stage Network has not succeeded: it is Skipped." in said(scene, "web")


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_lockable_resources_668_nobody_could_say_how_long_to_wait_at_most(
    scene: Scene, mode: str
) -> None:
    """Whoever came later queued behind the one that took too long."""
    scene.pipeline("infra", seconds=24 * 3600)
    scene.gated("k8s", ask(hold=mode, give_up_minutes=60))
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=59)
    assert scene.statuses() == ["InProgress" if mode == "wait" else "Failed"]
    scene.wait(minutes=7)
    assert (scene.statuses(), scene.rules()) == (["Failed"], [])


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_concourse_817_the_message_gave_another_reason_than_the_paused_one(
    scene: Scene, mode: str
) -> None:
    """It spoke of a limit; the truth was that somebody had paused the job in front. Nor may it name
    who is idle.
    """
    scene.pipeline("infra")
    scene.pipeline("network", seconds=5)
    scene.gated("k8s", ask("infra", "network", hold=mode))
    close(scene, "infra", "Deploy")
    infra = scene.start("infra")
    scene.start("k8s")
    assert (
        f"infra runs: execution {infra[:8]} is InProgress since 12:00 UTC and waits for a person: "
        "the transition into its stage Deploy is disabled since 12:00 UTC."
    ) in said(scene)
    assert "network" not in said(scene)


def test_gocd_8802_the_run_it_named_was_not_the_run_it_deployed(scene: Scene) -> None:
    """It named the last run that was through, and took what a newer one, still at work, had
    made.
    """
    scene.staged("infra", ("Network", 5), ("Cluster", 600))
    scene.gated("k8s", ask(NETWORK))
    scene.start("infra")
    scene.wait(minutes=15)
    newer = scene.start("infra")
    scene.wait(minutes=1)
    scene.start("k8s")
    assert scene.statuses("infra") == ["InProgress", "Succeeded"]
    assert scene.outputs()["UpstreamExecutionIds"] == newer
    assert newer[:8] in said(scene)


def test_gocd_8802_a_run_that_was_stopped_hides_an_older_success(scene: Scene) -> None:
    scene.pipeline("infra", seconds=5)
    scene.start("infra")
    stopped = scene.codepipeline.start_pipeline_execution(name="infra")["pipelineExecutionId"]
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="infra", pipelineExecutionId=stopped, abandon=True
    )
    scene.gated("k8s", ask(require="succeeded"))
    scene.start("k8s")
    assert f"infra has not succeeded: its last execution {stopped[:8]} Stopped" in said(scene)


def test_gocd_8802_a_run_that_was_superseded_hides_nothing(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.has_run("infra", (timedelta(hours=2), "Succeeded"), (timedelta(hours=1), "Superseded"))
    scene.gated("k8s", ask(require="succeeded"))
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]


def test_wait_on_check_action_7_what_had_not_run_yet_was_taken_for_what_is_not_there(
    scene: Scene,
) -> None:
    """It failed where the check had yet to begin. Here the one is idle, if not successful, and the
    other an error with its name.
    """
    scene.pipeline("infra")
    scene.gated("idle", ask(pipeline="idle"))
    scene.gated("succeeded", ask(pipeline="succeeded", require="succeeded"))
    scene.start("idle")
    scene.start("succeeded")
    assert scene.statuses("idle") == ["InProgress"]
    assert "it has never finished an execution" in said(scene, "succeeded")
    kind, message = scene.refusal(ask("infar"))
    assert (kind, message.startswith("There is no pipeline infar")) == ("ConfigurationError", True)


def test_concourse_520_a_paused_one_blocked_all_the_others_of_its_group(scene: Scene) -> None:
    """Nothing ran, and yet nothing could. Here `parked` decides."""
    scene.pipeline("infra")
    close(scene, "infra", "Deploy")
    scene.start("infra")
    for name, parked in (("k8s", "wait"), ("web", "pass")):
        scene.gated(name, ask(pipeline=name, parked=parked))
        scene.start(name)
    assert (scene.statuses("k8s"), scene.statuses("web")) == (["Failed"], ["InProgress"])


def test_aws_cdk_3332_the_action_never_ended_though_its_function_had(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had returned without a result for the job. Here a defect of the gate's own is a result,
    too.
    """
    monkeypatch.setattr(
        "chalicelib.pipelines.reader.UpstreamReader.read_upstreams", lambda *_: 1 / 0
    )
    scene.pipeline("infra")
    kind, message = scene.refusal(ask())
    assert (kind, message.startswith("The gate itself failed (ZeroDivisionError)")) == (
        "SystemUnavailable",
        True,
    )


def test_turnstyle_146_a_year_of_executions_was_read_page_by_page(
    scene: Scene, calls: Calls
) -> None:
    """It took the API's whole quota. Here: what began within 14 days, a hundred a call."""
    scene.pipeline("infra", seconds=5)
    scene.has_run(
        "infra", *[(timedelta(hours=2 * (4000 - number)), "Succeeded") for number in range(4000)]
    )
    scene.start("infra")
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]
    assert calls.made == ["ListPipelineExecutions", "ListPipelineExecutions", "PutJobSuccessResult"]


def test_turnstyle_146_nor_does_a_hold_of_such_a_pipeline_cost_more(
    scene: Scene, calls: Calls
) -> None:
    """Both have a long history: it is the look at the held one's own executions that could go far
    back.
    """
    scene.pipeline("infra")
    scene.k8s()
    for name in ("infra", "k8s"):
        scene.has_run(
            name, *[(timedelta(hours=2 * (4000 - number)), "Succeeded") for number in range(4000)]
        )
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=11)
    assert scene.statuses()[:2] == ["Succeeded", "Failed"]
    assert (
        calls.made.count("ListPipelineExecutions") == 5 * 2 + 1
    )  # five looks at infra, two pages each; one at k8s, one page
