"""Problems that cost users of other projects days: one short story for each, and how it has to end
here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene

NETWORK = {"pipeline": "infra", "stage": "Network"}


def close(scene: Scene, name: str, stage: str) -> None:
    scene.codepipeline.disable_stage_transition(
        pipelineName=name, stageName=stage, transitionType="Inbound", reason="holidays"
    )


def test_turnstyle_35_it_passed_although_something_ran(scene: Scene) -> None:
    """Here, an older running execution counts even if a newer one has already ended."""
    scene.pipeline("infra", mode="PARALLEL")
    scene.start("infra")
    scene.quick_from_now_on()
    scene.start("infra")
    scene.wait(minutes=1)
    scene.k8s()
    scene.start("k8s")
    assert (scene.statuses("infra"), scene.statuses()) == (["Succeeded", "InProgress"], ["Failed"])


def test_spinnaker_1070_two_that_were_started_in_quick_succession_both_ran(scene: Scene) -> None:
    """Each checked before the other was marked as running."""
    scene.gated("a", ask("b", pipeline="a"))
    scene.gated("b", ask("a", pipeline="b"))
    for name in ("a", "b"):
        scene.codepipeline.start_pipeline_execution(name=name)
    scene.wait(seconds=20)
    assert [scene.statuses("a"), scene.statuses("b")].count(["InProgress"]) == 1


def test_gocd_2225_it_passed_although_something_ran(scene: Scene) -> None:
    """Here, an execution counts until its last stage has ended, and its successor in an earlier
    stage counts too.
    """
    scene.staged("infra", ("Network", 5), ("Cluster", 600))
    scene.start("infra")
    scene.start("infra")
    scene.wait(minutes=1)
    scene.k8s()
    scene.start("k8s")
    assert scene.gate_message().count("has been InProgress since") == 2
    scene.wait(minutes=11)  # the first of the two has ended
    assert (scene.statuses("infra"), scene.statuses()) == (["InProgress", "Succeeded"], ["Failed"])
    scene.wait(minutes=10)
    assert scene.statuses()[0] == "Succeeded"


def test_airflow_33053_it_waited_forever_for_what_had_been_skipped(scene: Scene) -> None:
    """Here, a skipped stage counts as finished. If a success is required, the message says that it
    was skipped.
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
    assert "its status is Skipped" in scene.gate_message("web")


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_concourse_817_the_message_gave_another_reason_than_the_paused_one(
    scene: Scene, mode: str
) -> None:
    """Its message named a limit, but a person had paused the job before it. The message must also
    not name idle pipelines.
    """
    scene.pipeline("infra")
    scene.pipeline("network", seconds=5)
    scene.gated("k8s", ask("infra", "network", hold=mode))
    close(scene, "infra", "Deploy")
    infra = scene.start("infra")
    scene.start("k8s")
    assert f"execution {infra[:8]} " in scene.gate_message()
    assert "the transition into its stage Deploy has been disabled since" in scene.gate_message()
    assert "network" not in scene.gate_message()


def test_gocd_8802_the_run_it_named_was_not_the_run_it_deployed(scene: Scene) -> None:
    """It named the last finished run, but used what a newer run that was still running had made."""
    scene.staged("infra", ("Network", 5), ("Cluster", 600))
    scene.gated("k8s", ask(NETWORK))
    scene.start("infra")
    scene.wait(minutes=15)
    newer = scene.start("infra")
    scene.wait(minutes=1)
    scene.start("k8s")
    assert scene.statuses("infra") == ["InProgress", "Succeeded"]
    assert scene.outputs()["UpstreamExecutionIds"] == newer
    assert newer[:8] in scene.gate_message()


def test_concourse_520_a_paused_one_blocked_all_the_others_of_its_group(scene: Scene) -> None:
    """Nothing ran, yet nothing could start. Here, `parked` decides."""
    scene.pipeline("infra")
    close(scene, "infra", "Deploy")
    scene.start("infra")
    for name, parked in (("k8s", "wait"), ("web", "pass")):
        scene.gated(name, ask(pipeline=name, parked=parked))
        scene.start(name)
    assert (scene.statuses("k8s"), scene.statuses("web")) == (["Failed"], ["InProgress"])


def test_turnstyle_146_a_year_of_executions_was_read_page_by_page(
    scene: Scene, calls: Calls
) -> None:
    """It used up the API's whole quota. Here, the gate reads what began within 14 days, a hundred
    executions per call, and the pipeline's state.
    """
    scene.pipeline("infra", seconds=5)
    scene.has_run(
        "infra", *[(timedelta(hours=2 * (4000 - number)), "Succeeded") for number in range(4000)]
    )
    scene.start("infra")
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]
    assert calls.made == [
        *["ListPipelineExecutions"] * 2,
        "GetPipelineState",  # shows what began earlier and is still running
        "PutJobSuccessResult",
    ]


def test_turnstyle_146_nor_does_a_hold_of_such_a_pipeline_cost_more(
    scene: Scene, calls: Calls
) -> None:
    """Both pipelines have a long history. Reading the held pipeline's own executions must not go
    far back.
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
    # six readings of infra, two pages each; two of k8s, one page
    assert calls.made.count("ListPipelineExecutions") == 6 * 2 + 2
