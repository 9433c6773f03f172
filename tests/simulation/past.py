"""Executions that ended before a run began, and one that began long before it and still works."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline
from tests.simulation.record import Record

SUPERSEDED = 8
"""How many executions came after an old one, and did not get past it."""


def add_past(random: Random, record: Record) -> None:
    """In some runs, pipelines have up to six executions behind them, the oldest first: from
    successes, the gate tells how long one usually takes.
    """
    if random.random() > 0.2:
        return
    for pipeline in record.pipelines.values():
        for number in range(random.choice((0, 2, 4, 6))):
            failed = random.random() < 0.2
            seconds = random.choice((100.0, 150.0, 300.0, 600.0))
            began = utcnow() - timedelta(hours=10 - number)
            execution = _add_execution(pipeline, began, seconds)
            execution.status = "Failed" if failed else "Succeeded"
            record.note_past(pipeline, execution, "FAILED" if failed else "SUCCEEDED")


def let_grow_old(record: Record, pipeline: Pipeline, days: float) -> None:
    """Let a pipeline's only execution have begun that long ago, behind many newer ones, if it is
    still running.
    """
    if len(pipeline.history) != 1 or not pipeline.history[0].runs:
        return
    old, age = pipeline.history[0], timedelta(days=days)
    record.story.tell(f"{pipeline.name} {old.id[:8]} began {days} days ago")
    old.started = utcnow() - age
    for number in range(1, SUPERSEDED + 1):
        execution = _add_execution(pipeline, old.started + age * number / (SUPERSEDED + 1), 60.0)
        execution.status = "Superseded"
        record.note_past(pipeline, execution, "SUPERSEDED")


def _add_execution(pipeline: Pipeline, began: datetime, seconds: float) -> PipelineExecution:
    number = len(pipeline.history)
    execution = PipelineExecution(pipeline.name, 1, number, pipeline.mode, "Webhook", "", {}, [])
    execution.started, execution.updated = began, began + timedelta(seconds=seconds)
    pipeline.history.append(execution)
    pipeline.by_id[execution.id] = execution
    return execution
