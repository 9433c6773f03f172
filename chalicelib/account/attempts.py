"""The attempts of an execution's actions. AWS lists them even if the pipeline's state does not show
the execution.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.account.gates import FUNCTION, Gate
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.pipelines.execution import Attempt


def list_attempts(
    codepipeline: CodePipeline, pipeline: str, gates: Iterable[Gate], execution: str
) -> tuple[Attempt, ...]:
    """Return the attempts of an execution's actions, oldest first. Raises PipelineNotFound.

    The attempts of stage conditions' rules are included if one of the pipeline's gates is a rule.
    """
    attempts = codepipeline.list_attempts(pipeline, execution)
    if any(gate.condition for gate in gates):
        attempts += codepipeline.list_condition_attempts(pipeline, execution)
    return tuple(sorted(attempts, key=lambda attempt: attempt.started))


def find_last_gate_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return the last attempt of each gate among `attempts`, which are sorted oldest first."""
    last = {
        (attempt.stage, attempt.action, attempt.condition): attempt
        for attempt in attempts
        if FUNCTION.fullmatch(attempt.function)
    }
    return list(last.values())
