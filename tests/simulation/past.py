"""What some pipelines have behind them when a run begins: successes, from which the gate tells how
long one usually takes.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.record import Record


def history(random: Random, record: Record) -> None:
    """In some runs, each upstream has up to six executions behind it, the oldest first."""
    if random.random() > 0.2:
        return
    for pipeline in record.pipelines.values():
        for number in range(random.choice((0, 2, 4, 6))):
            failed = random.random() < 0.2
            execution = PipelineExecution(
                pipeline.name,
                1,
                number,
                pipeline.mode,
                "Webhook",
                "",
                {},
                [],
                status="Failed" if failed else "Succeeded",
            )
            execution.started = utcnow() - timedelta(hours=10 - number)
            execution.updated = execution.started + timedelta(
                seconds=random.choice((100.0, 150.0, 300.0, 600.0))
            )
            pipeline.history.append(execution)
            pipeline.by_id[execution.id] = execution
            record.note_past(pipeline, execution, "FAILED" if failed else "SUCCEEDED")
