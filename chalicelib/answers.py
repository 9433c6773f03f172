"""How a job ends: with success, or with a failure and its reason."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib import parameters
from chalicelib.aws.clients import Aws
from chalicelib.errors import FailureType
from chalicelib.job import Job
from chalicelib.parameters import Parameters
from chalicelib.pipelines.upstream import Upstream
from chalicelib.records import log
from chalicelib.wording import open_gate


def let_pass(
    job: Job,
    asked: Parameters,
    decided: str,
    summary: str,
    upstreams: Sequence[Upstream],
    aws: Aws,
    **seen: object,
) -> dict[str, object]:
    """Let the job's action succeed, with output variables that say how and behind which executions;
    returns the record.
    """
    variables = {
        "Decision": decided,
        "UpstreamPipelines": ",".join(one.name for one in asked.depends_on),
        "UpstreamExecutionIds": ",".join(one.last_execution_id or "none" for one in upstreams)
        or "none",
    }
    answered = aws.codepipeline.succeed_job(job.id, summary, variables)
    who = {"job": job.id, "pipeline": asked.pipeline, "execution": asked.execution}
    return log.log_decision("gate", decided, **who, summary=summary, **seen, answered=answered)


def end_job(job: Job, kind: FailureType, message: str, aws: Aws) -> bool:
    """Fail the job; or, where it was only to observe, let it pass and say what the matter is."""
    if parameters.only_observes(job.user_parameters):
        # Every variable, for an action that names one which is not there fails (guide:
        # reference-variables).
        variables = {
            "Decision": "observed",
            "UpstreamPipelines": "none",
            "UpstreamExecutionIds": "none",
        }
        return aws.codepipeline.succeed_job(
            job.id, open_gate.describe_observed_refusal(message), variables
        )
    return aws.codepipeline.fail_job(job.id, kind, message)
