"""What an execution has tried, action by action. AWS tells it of every execution, also of those
that a pipeline's state does not show.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.account.gates import FUNCTION, Gate
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.pipelines.execution import Attempt


def list_attempts(
    codepipeline: CodePipeline, pipeline: str, gates: Iterable[Gate], execution: str
) -> tuple[Attempt, ...]:
    """Every attempt of its actions and, where one of its `gates` is a condition, of the conditions'
    rules; the oldest first.

    Raises PipelineNotFound.
    """
    attempts = codepipeline.list_attempts(pipeline, execution)
    if any(gate.condition for gate in gates):
        attempts += codepipeline.list_condition_attempts(pipeline, execution)
    return tuple(sorted(attempts, key=lambda attempt: attempt.started))


def find_last_gate_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The last attempt of each gate; `attempts`: the oldest first."""
    last = {
        (attempt.stage, attempt.action, attempt.condition): attempt
        for attempt in attempts
        if FUNCTION.fullmatch(attempt.function)
    }
    return list(last.values())
