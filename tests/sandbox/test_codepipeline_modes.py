"""How executions of one pipeline interact in the three execution modes."""

from __future__ import annotations

import pytest

from tests.sandbox.codepipeline_world import CodePipelineWorld, action, declaration, read_ids
from tests.support.clients import refused


def slow(name: str, seconds: int, outcome: str = "Succeeded") -> dict[str, object]:
    return action(name, configuration={"SandboxSeconds": str(seconds), "SandboxOutcome": outcome})


def test_an_execution_runs_through_its_stages_and_succeeds(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")], [action("Deploy")])
    execution = aws.start(3)
    assert aws.status(execution) == "InProgress"
    assert aws.stage()["latestExecution"] == {
        "pipelineExecutionId": execution,
        "status": "InProgress",
        "type": "STANDARD",
    }
    aws.advance(3)
    assert aws.status(execution) == "Succeeded"


def test_actions_of_one_run_order_run_together_and_the_next_order_waits(
    aws: CodePipelineWorld,
) -> None:
    aws.create([action("A"), slow("B", 10), action("C", order=2)])
    execution = aws.start(11.9)
    assert "latestExecution" not in aws.stage()["actionStates"][2]
    aws.advance(2.1)
    assert aws.status(execution) == "Succeeded"


def test_superseded_the_newest_of_those_that_wait_goes_in(aws: CodePipelineWorld) -> None:
    aws.create([slow("Build", 60)])
    first, second = aws.start(3), aws.start(3)
    assert read_ids(aws.stage()["inboundExecutions"]) == [second]
    third = aws.start(3)
    assert aws.statuses(first, second, third) == ["InProgress", "Superseded", "InProgress"]
    assert aws.states("Pipeline", second) == ["STARTED", "SUPERSEDED"]
    aws.advance(130)
    assert aws.statuses(first, second, third) == ["Succeeded", "Superseded", "Succeeded"]


def test_an_older_execution_still_runs_in_a_later_stage_when_the_newest_has_failed(
    aws: CodePipelineWorld,
) -> None:
    aws.create([action("Build")], [slow("Deploy", 600)])
    older = aws.start(5)
    aws.fail_next("Build")
    assert aws.statuses(older, aws.start(10)) == ["InProgress", "Failed"]


def test_queued_all_that_wait_go_in_in_order(aws: CodePipelineWorld) -> None:
    aws.create([slow("Build", 60)], mode="QUEUED")
    executions = [aws.start() for _ in range(3)]
    aws.advance(10)
    assert read_ids(aws.stage()["inboundExecutions"]) == executions[1:]
    aws.advance(61)
    assert aws.statuses(*executions) == ["Succeeded", "InProgress", "InProgress"]
    assert aws.stage()["latestExecution"]["pipelineExecutionId"] == executions[1]
    aws.advance(120)
    assert aws.status(executions[2]) == "Succeeded"


def test_after_a_failure_the_next_one_enters(aws: CodePipelineWorld) -> None:
    aws.create([slow("Build", 60, "Failed")], mode="QUEUED")
    first, second = aws.start(), aws.start(63)
    assert aws.status(first) == "Failed"
    assert aws.stage()["latestExecution"]["pipelineExecutionId"] == second


def test_parallel_executions_do_not_wait_for_each_other(aws: CodePipelineWorld) -> None:
    aws.create([slow("Build", 60)], mode="PARALLEL")
    executions = [aws.start() for _ in range(3)]
    aws.advance(62)
    assert aws.statuses(*executions) == ["Succeeded"] * 3


@pytest.mark.parametrize("mode", ["QUEUED", "PARALLEL"])
def test_at_most_fifty_run_at_once(aws: CodePipelineWorld, mode: str) -> None:
    aws.create([action("Build")], mode=mode)
    for _ in range(50):
        aws.start()
    with refused("ConcurrentPipelineExecutionsLimitExceededException"):
        aws.start()
    aws.advance(4)
    aws.start()


def test_a_failed_action_fails_the_stage_immediately_and_its_neighbor_continues(
    aws: CodePipelineWorld,
) -> None:
    aws.create([slow("Bad", 5, "Failed"), slow("Good", 60)])
    execution = aws.start(8)
    assert aws.status(execution) == "Failed"
    assert aws.latest_action(1)["status"] == "InProgress"
    aws.advance(60)
    assert aws.latest_action(1)["status"] == "Succeeded"
    assert aws.status(execution) == "Failed"


def test_a_disabled_transition_keeps_executions_before_the_stage(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    inbound = {"pipelineName": "k8s", "stageName": "S1", "transitionType": "Inbound"}
    aws.client.disable_stage_transition(**inbound, reason="night")
    first, second = aws.start(10), aws.start(10)
    assert aws.statuses(first, second) == ["Superseded", "InProgress"]
    assert aws.stage()["inboundTransitionState"]["disabledReason"] == "night"
    aws.client.enable_stage_transition(**inbound)
    aws.advance(2)
    assert aws.status(second) == "Succeeded"


def test_an_outbound_transition_is_the_next_stage_s_inbound_one(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    aws.client.disable_stage_transition(
        pipelineName="k8s", stageName="Source", transitionType="Outbound", reason="night"
    )
    assert aws.stage()["inboundTransitionState"]["enabled"] is False


def test_an_edit_cancels_what_runs(aws: CodePipelineWorld) -> None:
    aws.create([slow("Build", 60)])
    inside, waiting = aws.start(), aws.start(5)
    aws.client.update_pipeline(pipeline=declaration([action("Other")]))
    assert aws.statuses(inside, waiting) == ["Cancelled", "Cancelled"]
    for kind in ("Pipeline", "Stage", "Action"):
        assert aws.states(kind, inside)[-1] == "CANCELED"
    after = aws.start(100)
    assert aws.statuses(inside, after) == ["Cancelled", "Succeeded"]
    assert aws.execution(after)["pipelineVersion"] == 2


def test_a_deleted_pipeline_is_gone_with_all_that_was_planned(aws: CodePipelineWorld) -> None:
    aws.create([action("Build")])
    execution = aws.start()
    aws.client.delete_pipeline(name="k8s")
    aws.advance(10)
    assert aws.states("Pipeline", execution) == ["STARTED"]
    with refused("PipelineNotFoundException"):
        aws.list_executions()
    aws.create([action("Build")])
    assert aws.list_executions() == []
