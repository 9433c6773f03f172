"""Answers that are some seconds old (Dials.answer_age)."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.codepipeline_world import CodePipelineWorld, action, read_ids
from tests.sandbox.eventbridge_world import EVERY_FIVE_MINUTES, EventBridgeWorld

AGE = 5


def test_the_executions_of_a_pipeline_are_listed_late(aws: CodePipelineWorld) -> None:
    aws.dials.answer_age = lambda _: AGE
    aws.create([action("Work", configuration={"SandboxSeconds": "20"})])
    first = aws.start(AGE - 1)
    assert aws.list_executions() == []
    aws.advance(1)
    assert read_ids(aws.list_executions()) == [first]
    aws.stop(first, abandon=True)
    aws.advance(AGE - 1)
    assert aws.list_executions()[0]["status"] == "InProgress"
    assert aws.status(first) == "Stopped"  # GetPipelineExecution is up to date
    aws.advance(1)
    assert aws.list_executions()[0]["status"] == "Stopped"


def test_the_state_of_a_pipeline_is_shown_late(aws: CodePipelineWorld) -> None:
    aws.dials.answer_age = lambda _: AGE
    aws.create([action("Work")])
    execution = aws.start(2)
    assert "latestExecution" not in aws.stage()
    aws.advance(AGE)
    assert aws.stage()["latestExecution"] == {
        "pipelineExecutionId": execution,
        "status": "InProgress",
        "type": "STANDARD",
    }
    aws.advance(AGE)
    assert aws.stage()["latestExecution"]["status"] == "Succeeded"


def test_the_targets_of_a_rule_are_listed_late(bus: EventBridgeWorld) -> None:
    def read_targets() -> list[str]:
        return [target["Id"] for target in bus.events.list_targets_by_rule(Rule="hold")["Targets"]]

    bus.dials.answer_age = lambda _: AGE
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        read_targets()
    bus.advance(seconds=AGE)
    assert read_targets() == ["retry"]
    bus.delete()
    assert read_targets() == ["retry"]
    bus.advance(seconds=AGE)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        read_targets()
