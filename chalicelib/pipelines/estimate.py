"""How long an execution usually takes, from the pipeline's own last successes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.pipelines.execution import ROLLBACK, Execution

MIN_SUCCESSES = 3
"""From fewer successes nothing is concluded."""
MAX_SUCCESSES = 20
"""More than the newest of them are not looked at: pipelines change."""


def estimate_duration(executions: Sequence[Execution]) -> timedelta | None:
    """The median duration of the newest successful ones among `executions` (newest first); None
    where there are too few.

    AWS tells no end of an execution, but when it last changed (model:
    PipelineExecutionSummary.lastUpdateTime).
    """
    durations = [
        execution.updated - execution.started
        for execution in executions
        if execution.status == "Succeeded" and execution.kind != ROLLBACK
    ][:MAX_SUCCESSES]
    return (
        sorted(durations)[len(durations) // 2] if len(durations) >= MIN_SUCCESSES else None
    )  # the median, without a slow import


def estimate_end(running: Sequence[Execution], executions: Sequence[Execution]) -> datetime | None:
    """When the last of `running` will be done, if it takes as long as usual (aware UTC); None where
    nothing can be said.
    """
    takes = estimate_duration(executions)
    return (
        max(execution.started for execution in running) + takes
        if running and takes is not None
        else None
    )


def estimate_percent(
    running: Sequence[Execution], executions: Sequence[Execution], now: datetime
) -> int | None:
    """How much of its usual time the last of `running` has taken by `now`: 0 to 99; None where
    nothing can be said.
    """
    takes = estimate_duration(executions)
    if not running or not takes:
        return None
    return max(
        0, min(99, int(100 * ((now - max(execution.started for execution in running)) / takes)))
    )
