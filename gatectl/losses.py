"""What it costs to change a pipeline's structure: CodePipeline cancels what runs in it (model:
PipelineExecution, status Cancelled).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.account.attempts import find_last_gate_attempts, list_attempts
from chalicelib.account.gates import find_gates
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import NoAnswer, NotPermitted, PipelineNotFound, UnexpectedAnswer
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import RUNNING, Attempt
from gatectl.structure import Declaration


def running(codepipeline: Any, pipeline: str) -> list[str]:
    """The executions that a change would cancel, newest first."""
    executions = codepipeline.list_pipeline_executions(pipelineName=pipeline)[
        "pipelineExecutionSummaries"
    ]
    return [one["pipelineExecutionId"] for one in executions if one["status"] in RUNNING]


def caution(codepipeline: Any, declared: Declaration, executions: Sequence[str]) -> str:
    """What becomes of the `executions` that run in the pipeline so `declared`, and what to do
    before its change.
    """
    name, waiting = declared["name"], _in_place(codepipeline, declared, executions)
    first = f"Better wait for {'its' if len(executions) == 1 else 'their'} end"
    if waiting:
        waits, it, its = ("waits", "it", "its") if len(waiting) == 1 else ("wait", "them", "their")
        first = (
            f"{_named(waiting)} {waits} in place: better let {it} go on first (gatectl "
            f"release {name}), and wait for {its} end"
        )
    return (
        f"{name} runs now ({_named(executions).lower()}), and CodePipeline cancels what runs in a "
        "pipeline that is changed. "
        f"{first}; else start it again afterwards."
    )


def cancelled(pipeline: str, executions: Sequence[str]) -> str:
    """The same when it is done; the command that starts it anew comes after this."""
    was = "was" if len(executions) == 1 else "were"
    return (
        f"{_named(executions)} of {pipeline} {was} cancelled by this change. To start "
        f"{pipeline} anew:"
    )


def restart(pipeline: str) -> tuple[str, ...]:
    return ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline)


def _named(executions: Sequence[str]) -> str:
    return f"Execution{'s' * (len(executions) > 1)} {join_names([one[:8] for one in executions])}"


def _in_place(codepipeline: Any, declared: Declaration, executions: Sequence[str]) -> list[str]:
    """Those of them that a gate keeps in progress, as far as AWS lets it be looked at: without it
    the caution stands, too. What runs began with the structure as it is, for an edit would have
    cancelled it.
    """
    own = [
        gate
        for gate in find_gates(declared)
        if gate.parameters and gate.parameters.mode.stays_in_progress
    ]
    if not own:
        return []
    room, name = CodePipeline(codepipeline), declared["name"]
    try:
        return [
            one
            for one in executions
            if any(
                _waits(gate)
                for gate in find_last_gate_attempts(list_attempts(room, name, own, one))
            )
        ]
    except (NotPermitted, NoAnswer, UnexpectedAnswer, PipelineNotFound):
        return []


def _waits(gate: Attempt) -> bool:
    """It has been asked, and has not let the execution pass."""
    return gate.status == "InProgress" and bool(gate.message)
