"""What users of other projects lost days to: one short story for each, as it has to go here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from moto.codepipeline.models import codepipeline_backends

from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from tests.asking import ask
from tests.calls import Calls
from tests.scene import Scene


def test_turnstyle_35_and_gocd_2225_a_gate_that_passes_although_something_runs(scene: Scene) -> None:
    """Only the newest run was looked at."""
    scene.pipeline("infra", mode="PARALLEL")
    scene.start("infra")
    scene.quick_from_now_on()
    scene.start("infra")
    scene.wait(minutes=1)
    scene.k8s()
    scene.start("k8s")
    assert (scene.statuses("infra"), scene.statuses()) == (["Succeeded", "InProgress"], ["Failed"])


def test_spinnaker_1070_two_that_start_in_the_same_moment_both_pass(scene: Scene) -> None:
    scene.gated("a", ask("b", pipeline="a"))
    scene.gated("b", ask("a", pipeline="b"))
    for name in ("a", "b"):
        scene.codepipeline.start_pipeline_execution(name=name)
    scene.wait(seconds=20)
    assert [scene.statuses("a"), scene.statuses("b")].count(["InProgress"]) == 1


def test_airflow_33053_a_wait_that_outlives_what_it_waits_for(scene: Scene) -> None:
    """The sensor waited for ever for what had failed."""
    scene.pipeline("infra", outcome="Failed")
    scene.k8s()
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=12)
    assert scene.statuses() == ["Succeeded", "Failed"]


def test_lockable_resources_668_a_lock_whose_holder_is_gone(scene: Scene) -> None:
    scene.pipeline("infra", seconds=3600)
    scene.k8s()
    scene.start("infra")
    scene.start("k8s")
    scene.codepipeline.delete_pipeline(name="infra")
    scene.wait(minutes=6)
    assert len(scene.executions()) == 2
    assert scene.rules() == []


@pytest.mark.parametrize("mode", ["restart", "retry", "wait"])
def test_concourse_817_one_that_does_not_say_for_what_it_waits(scene: Scene, mode: str) -> None:
    scene.pipeline("infra")
    scene.pipeline("network", seconds=5)
    scene.gated("k8s", ask("infra", "network", hold=mode))
    infra = scene.start("infra")
    scene.start("k8s")
    action = scene.gate_action()
    said = action.get("summary") or action["errorDetails"]["message"]
    assert f"infra runs: execution {infra[:8]} is InProgress since 12:00 UTC" in said
    assert "network" not in said


def test_gocd_8802_one_that_looked_at_the_wrong_run(scene: Scene) -> None:
    """A cancelled or superseded run is no result; the newest that finished counts, not the newest that succeeded."""
    scene.pipeline("infra", seconds=5)
    scene.start("infra")
    scene.wait(minutes=1)
    stopped = scene.codepipeline.start_pipeline_execution(name="infra")["pipelineExecutionId"]
    scene.codepipeline.stop_pipeline_execution(pipelineName="infra", pipelineExecutionId=stopped, abandon=True)
    scene.gated("k8s", ask(require="succeeded"))
    scene.start("k8s")
    assert "infra has not succeeded: its last execution" in scene.gate_action()["errorDetails"]["message"]
    assert f"{stopped[:8]} Stopped" in scene.gate_action()["errorDetails"]["message"]


def test_gocd_8802_a_superseded_run_is_no_result(scene: Scene) -> None:
    scene.staged("infra", ("Network", 100), ("Cluster", 5))
    scene.start("infra")
    for _ in range(2):
        scene.start("infra")
    scene.wait(minutes=10)
    assert scene.statuses("infra") == ["Succeeded", "Superseded", "Succeeded"]
    backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
    backend.pipelines["infra"].history[-1].status = "Superseded"
    scene.gated("k8s", ask(require="succeeded"))
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]


def test_wait_on_check_7_one_that_takes_what_never_ran_for_success_or_what_is_not_there_for_idle(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("idle", ask(pipeline="idle"))
    scene.gated("succeeded", ask(pipeline="succeeded", require="succeeded"))
    scene.start("idle")
    scene.start("succeeded")
    assert scene.statuses("idle") == ["InProgress"]
    assert "it has never finished an execution" in scene.gate_action("succeeded")["errorDetails"]["message"]
    kind, message = scene.refusal(ask("infar"))
    assert (kind, message.startswith("There is no pipeline infar")) == ("ConfigurationError", True)


def test_concourse_520_a_paused_one_blocks_the_rest(scene: Scene) -> None:
    """It is said that a person has to act, and `parked` decides whether the rest waits for that."""
    scene.pipeline("infra")
    scene.codepipeline.disable_stage_transition(pipelineName="infra", stageName="Deploy", transitionType="Inbound", reason="x")
    scene.start("infra")
    scene.k8s()
    scene.gated("web", ask(pipeline="web", parked="pass"))
    scene.start("k8s")
    scene.start("web")
    assert "waits for a person" in scene.gate_action()["errorDetails"]["message"]
    assert scene.statuses("web") == ["InProgress"]


def test_aws_cdk_3332_an_action_whose_function_never_answers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of the gate's own is answered, too: nobody waits for CodePipeline's 20 minutes."""
    monkeypatch.setattr("chalicelib.asking.Asking.upstreams", lambda *_: 1 / 0)
    scene.pipeline("infra")
    kind, message = scene.refusal(ask())
    assert (kind, message.startswith("The gate itself failed (ZeroDivisionError)")) == ("SystemUnavailable", True)


def test_turnstyle_146_a_history_of_thousands_of_executions(scene: Scene, calls: Calls) -> None:
    """Reading all of it took the API's whole quota. Here: what began within 14 days, a hundred a call."""
    scene.pipeline("infra", seconds=5)
    scene.start("infra")
    scene.wait(minutes=1)
    backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
    pipeline = backend.pipelines["infra"]
    (newest,) = pipeline.history
    past = [_of_the_past(newest, number, timedelta(hours=2 * (4000 - number))) for number in range(4000)]
    pipeline.history[:] = [*past, newest]
    scene.k8s()
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]
    assert calls.made == ["ListPipelineExecutions", "ListPipelineExecutions", "PutJobSuccessResult"]


def _of_the_past(like: PipelineExecution, number: int, ago: timedelta) -> PipelineExecution:
    fields: dict[str, Any] = {"pipeline_name": like.pipeline_name, "pipeline_version": 1, "mode": like.mode, "trigger_type": "Webhook"}
    began = utcnow() - ago
    return PipelineExecution(
        **fields,
        number=number,
        trigger_detail="",
        variables={},
        overrides=[],
        status="Succeeded",
        started=began,
        updated=began + timedelta(minutes=5),
    )
