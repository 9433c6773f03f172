"""Estimates how long an execution takes, from the pipeline's last successes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.pipelines.execution import ROLLBACK, Execution

MIN_SUCCESSES = 3
"""With fewer successes there is no estimate."""
MAX_SUCCESSES = 20
"""Only the newest successes count, because pipelines change."""


def estimate_duration(executions: Sequence[Execution]) -> timedelta | None:
    """Return the median duration of the newest successes; None if there are too few.

    `executions`: newest first. AWS does not say when an execution ended, but when it last changed
    (model: PipelineExecutionSummary.lastUpdateTime).
    """
    durations = [
        execution.updated - execution.started
        for execution in executions
        if execution.status == "Succeeded" and execution.kind != ROLLBACK
    ][:MAX_SUCCESSES]
    if len(durations) < MIN_SUCCESSES:
        return None
    return sorted(durations)[len(durations) // 2]  # the module statistics is slow to import


def estimate_end(running: Sequence[Execution], executions: Sequence[Execution]) -> datetime | None:
    """Return when the last of `running` will end if it takes as long as usual (aware UTC).

    None if there is no estimate.
    """
    usual_duration = estimate_duration(executions)
    if not running or usual_duration is None:
        return None
    return max(execution.started for execution in running) + usual_duration


def estimate_percent(
    running: Sequence[Execution], executions: Sequence[Execution], now: datetime
) -> int | None:
    """Return how much of its usual duration the last of `running` has taken by now, in percent.

    0 to 99; None if there is no estimate.
    """
    usual_duration = estimate_duration(executions)
    if not running or not usual_duration:
        return None
    duration = now - max(execution.started for execution in running)
    return max(0, min(99, int(100 * (duration / usual_duration))))
