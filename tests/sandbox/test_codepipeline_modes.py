"""How executions of one pipeline get along with each other in the three execution modes."""

from __future__ import annotations

import pytest

from tests.sandbox.clients import refused
from tests.sandbox.codepipeline_world import CodePipelineWorld, action, declaration


def slow(name: str, seconds: int, outcome: str = "Succeeded") -> dict[str, object]:
    return action(name, configuration={"SandboxSeconds": str(seconds), "SandboxOutcome": outcome})


def test_an_execution_runs_through_its_stages_and_succeeds(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")], [action("Deploy")])
    execution = aws.start("infra")
    aws.advance(3)
    assert aws.status("infra", execution) == "InProgress"
    assert aws.stage("infra", "S1")["latestExecution"] == {
        "pipelineExecutionId": execution,
        "status": "InProgress",
        "type": "STANDARD",
    }
    aws.advance(3)
    assert aws.status("infra", execution) == "Succeeded"


def test_actions_of_one_run_order_run_together_and_the_next_order_waits(
    aws: CodePipelineWorld,
) -> None:
    aws.create("infra", [action("A"), slow("B", 10), action("C", order=2)])
    execution = aws.start("infra")
    aws.advance(11.9)
    assert "latestExecution" not in aws.stage("infra", "S1")["actionStates"][2]
    aws.advance(2.1)
    assert aws.status("infra", execution) == "Succeeded"


def test_superseded_the_newest_of_those_that_wait_goes_in(aws: CodePipelineWorld) -> None:
    aws.create("infra", [slow("Build", 60)])
    first = aws.start("infra")
    aws.advance(3)
    second = aws.start("infra")
    aws.advance(3)
    assert [
        waiting["pipelineExecutionId"] for waiting in aws.stage("infra", "S1")["inboundExecutions"]
    ] == [second]
    third = aws.start("infra")
    aws.advance(3)
    assert [aws.status("infra", each) for each in (first, second, third)] == [
        "InProgress",
        "Superseded",
        "InProgress",
    ]
    assert aws.states("Pipeline", second) == ["STARTED", "SUPERSEDED"]
    aws.advance(130)
    assert [aws.status("infra", each) for each in (first, second, third)] == [
        "Succeeded",
        "Superseded",
        "Succeeded",
    ]


def test_an_older_execution_still_runs_in_a_later_stage_when_the_newest_has_failed(
    aws: CodePipelineWorld,
) -> None:
    aws.create("infra", [action("Build")], [slow("Deploy", 600)])
    older = aws.start("infra")
    aws.advance(5)
    aws.backend.outcome = lambda _execution, _stage, name: (
        2,
        "Failed" if name == "Build" else "Succeeded",
    )
    newest = aws.start("infra")
    aws.advance(10)
    assert (aws.status("infra", older), aws.status("infra", newest)) == ("InProgress", "Failed")


def test_queued_all_that_wait_go_in_in_order(aws: CodePipelineWorld) -> None:
    aws.create("infra", [slow("Build", 60)], mode="QUEUED")
    executions = [aws.start("infra") for _ in range(3)]
    aws.advance(10)
    waiting = aws.stage("infra", "S1")["inboundExecutions"]
    assert [each["pipelineExecutionId"] for each in waiting] == executions[1:]
    aws.advance(61)
    assert [aws.status("infra", each) for each in executions] == [
        "Succeeded",
        "InProgress",
        "InProgress",
    ]
    assert aws.stage("infra", "S1")["latestExecution"]["pipelineExecutionId"] == executions[1]
    aws.advance(120)
    assert aws.status("infra", executions[2]) == "Succeeded"


def test_after_a_failure_the_next_one_enters(aws: CodePipelineWorld) -> None:
    aws.create("infra", [slow("Build", 60, "Failed")], mode="QUEUED")
    first, second = aws.start("infra"), aws.start("infra")
    aws.advance(63)
    assert aws.status("infra", first) == "Failed"
    assert aws.stage("infra", "S1")["latestExecution"]["pipelineExecutionId"] == second


def test_parallel_executions_do_not_wait_for_each_other(aws: CodePipelineWorld) -> None:
    aws.create("infra", [slow("Build", 60)], mode="PARALLEL")
    executions = [aws.start("infra") for _ in range(3)]
    aws.advance(62)
    assert [aws.status("infra", each) for each in executions] == ["Succeeded"] * 3


@pytest.mark.parametrize("mode", ["QUEUED", "PARALLEL"])
def test_at_most_fifty_run_at_once(aws: CodePipelineWorld, mode: str) -> None:
    aws.create("infra", [action("Build")], mode=mode)
    for _ in range(50):
        aws.start("infra")
    with refused("ConcurrentPipelineExecutionsLimitExceededException"):
        aws.start("infra")
    aws.advance(4)
    aws.start("infra")


def test_a_failed_action_fails_the_stage_at_once_and_its_neighbour_goes_on(
    aws: CodePipelineWorld,
) -> None:
    aws.create("infra", [slow("Bad", 5, "Failed"), slow("Good", 60)])
    execution = aws.start("infra")
    aws.advance(8)
    assert aws.status("infra", execution) == "Failed"
    assert aws.latest_action("infra", "S1", 1)["status"] == "InProgress"
    aws.advance(60)
    assert aws.latest_action("infra", "S1", 1)["status"] == "Succeeded"
    assert aws.status("infra", execution) == "Failed"


def test_a_disabled_transition_keeps_executions_before_the_stage(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    aws.client.disable_stage_transition(
        pipelineName="infra", stageName="S1", transitionType="Inbound", reason="night"
    )
    first = aws.start("infra")
    aws.advance(10)
    second = aws.start("infra")
    aws.advance(10)
    assert (aws.status("infra", first), aws.status("infra", second)) == ("Superseded", "InProgress")
    assert aws.stage("infra", "S1")["inboundTransitionState"]["disabledReason"] == "night"
    aws.client.enable_stage_transition(
        pipelineName="infra", stageName="S1", transitionType="Inbound"
    )
    aws.advance(2)
    assert aws.status("infra", second) == "Succeeded"


def test_an_outbound_transition_is_the_next_stage_s_inbound_one(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    aws.client.disable_stage_transition(
        pipelineName="infra", stageName="Source", transitionType="Outbound", reason="night"
    )
    assert aws.stage("infra", "S1")["inboundTransitionState"]["enabled"] is False


def test_an_edit_cancels_what_runs(aws: CodePipelineWorld) -> None:
    aws.create("infra", [slow("Build", 60)])
    inside, waiting = aws.start("infra"), aws.start("infra")
    aws.advance(5)
    aws.client.update_pipeline(pipeline=declaration("infra", [action("Other")]))
    assert (aws.status("infra", inside), aws.status("infra", waiting)) == ("Cancelled", "Cancelled")
    assert aws.states("Pipeline", inside)[-1] == "CANCELED"
    assert aws.states("Stage", inside)[-1] == "CANCELED"
    assert aws.states("Action", inside)[-1] == "CANCELED"
    after = aws.start("infra")
    aws.advance(100)
    assert (aws.status("infra", inside), aws.status("infra", after)) == ("Cancelled", "Succeeded")
    assert aws.execution("infra", after)["pipelineVersion"] == 2


def test_a_deleted_pipeline_is_gone_with_all_that_was_planned(aws: CodePipelineWorld) -> None:
    aws.create("infra", [action("Build")])
    aws.start("infra")
    aws.client.delete_pipeline(name="infra")
    aws.advance(10)
    assert [event["state"] for event in aws.events if event["kind"] == "Pipeline"] == ["STARTED"]
    with refused("PipelineNotFoundException"):
        aws.client.list_pipeline_executions(pipelineName="infra")
    aws.create("infra", [action("Build")])
    assert (
        aws.client.list_pipeline_executions(pipelineName="infra")["pipelineExecutionSummaries"]
        == []
    )
