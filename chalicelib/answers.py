"""How a gate answers its job: the action succeeds, or fails with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.aws.clients import Aws
from chalicelib.errors import FailureType
from chalicelib.holds.verdict import Verdict, add_token
from chalicelib.job import Job
from chalicelib.parameters import Parameters, only_observes
from chalicelib.pipelines.upstream import Upstream
from chalicelib.records.outcomes import Outcome
from chalicelib.records.report import report_decision
from chalicelib.wording.open_gate import describe_observed_refusal

MESSAGE_LENGTH = 5000  # model: Message


def let_pass(
    job: Job,
    parameters: Parameters,
    outcome: Outcome,
    summary: str,
    upstreams: Sequence[Upstream],
    aws: Aws,
    reason_to_pass: str | None = None,
    **fields: object,
) -> dict[str, object]:
    """Let the job's action succeed, with output variables that say why and behind which executions;
    returns the record. `reason_to_pass`: the variable Decision, if it is not the outcome's word.
    """
    executions = [upstream.last_execution_id or "none" for upstream in upstreams]
    variables = {
        "Decision": reason_to_pass or outcome.word,
        "UpstreamPipelines": ",".join(entry.name for entry in parameters.depends_on),
        "UpstreamExecutionIds": ",".join(executions) or "none",
    }
    answered = aws.codepipeline.succeed_job(job.id, summary, variables)
    return report_decision(
        "gate",
        outcome,
        aws,
        job=job.id,
        pipeline=parameters.pipeline,
        execution=parameters.execution,
        summary=summary,
        **fields,
        answered=answered,
    )


def fail_job(
    job: Job, verdict: Verdict, kind: FailureType, message: str, aws: Aws, mark: str = ""
) -> bool:
    """Fail the job's action. Returns False if the job had its result before, or is gone.

    `mark`: the action's external execution id; "" if it needs none.
    """
    text = add_token(message, verdict, MESSAGE_LENGTH)
    return aws.codepipeline.fail_job(job.id, kind, text, mark)


def refuse_job(job: Job, verdict: Verdict, kind: FailureType, message: str, aws: Aws) -> bool:
    """Fail the job's action; if it only observes, let it pass and put the message in its summary.
    Returns False if the job had its result before, or is gone.
    """
    if not only_observes(job.user_parameters):
        return fail_job(job, verdict, kind, message, aws)
    # All variables, because an action that uses a missing one fails (guide: reference-variables).
    variables = {
        "Decision": Outcome.OBSERVED.word,
        "UpstreamPipelines": "none",
        "UpstreamExecutionIds": "none",
    }
    return aws.codepipeline.succeed_job(job.id, describe_observed_refusal(message), variables)
