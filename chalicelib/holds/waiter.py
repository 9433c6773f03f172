"""Which execution is waiting at a job: what its action claims, compared with what AWS says.

UserParameters can say anything. If they named another pipeline, its failed execution would be held,
and the retry would start it. So only the execution that is waiting at this very job may be held.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.deployment import Deployment
from chalicelib.errors import Misconfigured, NoAnswer, NotPermitted, PipelineNotFound
from chalicelib.holds.fate import find_last_attempts
from chalicelib.job import Job, JobOwner
from chalicelib.parameters import Parameters
from chalicelib.pipelines.execution import (
    LONGEST_LAG_SECONDS,
    RUNNING,
    Attempt,
    ExecutionDetail,
)
from chalicelib.wording import refusals


@dataclass(frozen=True)
class Waiter:
    """The execution that is waiting at a job. `gate`: the stage and name of the action (or of the
    stage condition's rule); None if AWS does not tell.

    `verified`: AWS named the execution itself.
    """

    pipeline: str
    execution: str
    gate: tuple[str, str] | None
    verified: bool = False


def identify_waiter(
    job: Job, parameters: Parameters, codepipeline: CodePipeline, context: object
) -> Waiter:
    """Return which execution is waiting at a job. In an action's first job, this is verified.

    Raises Misconfigured if AWS says that another one is, or if it is not known.
    """
    if job.since and parameters.pipeline and parameters.execution:
        # The first job of this action was verified, and only CodePipeline has its token.
        return Waiter(parameters.pipeline, parameters.execution, job.gate)
    return verify_waiter(job, parameters, codepipeline, context)


def verify_waiter(
    job: Job, parameters: Parameters, codepipeline: CodePipeline, context: object
) -> Waiter:
    """The same, verified in any job. It takes one call, or two if AWS does not name the owner."""
    owner = _read_owner(job, codepipeline)
    pipeline = parameters.pipeline or owner.pipeline
    execution = parameters.execution or owner.execution
    if pipeline is None:
        raise Misconfigured(refusals.describe_unknown_owner("pipeline"))
    if execution is None:
        raise Misconfigured(refusals.describe_unknown_owner("execution"))
    if owner.pipeline not in (None, pipeline):
        raise Misconfigured(refusals.describe_foreign_pipeline(pipeline, owner.pipeline))
    if owner.execution not in (None, execution):
        raise Misconfigured(refusals.describe_foreign_execution(execution, pipeline))
    if owner.pipeline or owner.execution:
        gate = owner.gate or job.gate
        return Waiter(pipeline, execution, gate, verified=owner.execution is not None)
    attempts = _read_gates_in_progress(codepipeline, pipeline, execution, context)
    if not attempts:
        raise Misconfigured(refusals.describe_no_gate_in_progress(execution, pipeline))
    gates = {(attempt.stage, attempt.action) for attempt in attempts}
    return Waiter(pipeline, execution, job.gate or (gates.pop() if len(gates) == 1 else None))


def read_waiting_execution(
    codepipeline: CodePipeline, waiter: Waiter, context: object
) -> ExecutionDetail | None:
    """Return the execution to hold; None if AWS does not answer.

    Raises Misconfigured if there is no such execution, or if it is not waiting at any action.
    """
    try:
        detail = codepipeline.read_execution(waiter.pipeline, waiter.execution)
    except PipelineNotFound:
        raise Misconfigured(
            refusals.describe_foreign_execution(waiter.execution, waiter.pipeline)
        ) from None
    except NoAnswer:
        if not waiter.verified and not _read_gates_in_progress(
            codepipeline, waiter.pipeline, waiter.execution, context
        ):
            raise
        return None  # a doubt is no reason to lose the hold: the retry reads it
    # If a gate next to this one has just failed, its execution may already count as failed.
    if detail.status not in RUNNING and not _read_gates_in_progress(
        codepipeline, waiter.pipeline, waiter.execution, context
    ):
        raise Misconfigured(
            refusals.describe_finished_execution(waiter.execution, waiter.pipeline, detail.status)
        )
    return detail


def _read_owner(job: Job, codepipeline: CodePipeline) -> JobOwner:
    try:
        return codepipeline.read_job_owner(job.id)
    except (NotPermitted, NoAnswer):
        return JobOwner()  # the execution's own actions show whether it is waiting here


def _read_gates_in_progress(
    codepipeline: CodePipeline, pipeline: str, execution: str, context: object
) -> list[Attempt]:
    """Return the attempts of this gate that are in progress in an execution.

    The lists may be a few seconds old, so if they show none, they are read again.
    """
    function = Deployment.from_context(context).gate_function

    def read() -> list[Attempt]:
        for list_attempts in (codepipeline.list_attempts, codepipeline.list_condition_attempts):
            attempts = find_last_attempts(list_attempts(pipeline, execution), function)
            if waiting := [attempt for attempt in attempts if attempt.status == "InProgress"]:
                return waiting
        return []

    try:
        if waiting := read():
            return waiting
        time.sleep(LONGEST_LAG_SECONDS)
        return read()
    except PipelineNotFound:
        raise Misconfigured(refusals.describe_foreign_execution(execution, pipeline)) from None
