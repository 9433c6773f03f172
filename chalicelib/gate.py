"""The gate: answers the waiting pipeline's action. While an upstream keeps it closed, it holds the
pipeline; else it lets it pass.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib import parameters
from chalicelib.answers import end_job, let_pass
from chalicelib.aws.clients import Aws
from chalicelib.errors import Misconfigured, NoAnswer, NotPermitted
from chalicelib.job import Job
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from chalicelib.records import log
from chalicelib.wording import open_gate, refusals


def answer_job(event: object, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    """Answer one CodePipeline job (guide: action-reference-Lambda); `now`: aware UTC. Returns what
    was decided, as logged.

    Raises RefusedInput where the event is no job, and NoAnswer or NotPermitted where a hold cannot
    be made or a result not delivered: then Lambda invokes the gate again (guide:
    services-codepipeline: the invocation is asynchronous).
    """
    job = Job.parse(event)
    try:
        record = _decide(job, context, aws, now)
    except (Misconfigured, NotPermitted) as error:
        answered = end_job(job, error.failure_type, str(error), aws)
        decided = "observed" if parameters.only_observes(job.user_parameters) else "refused"
        record = log.log_decision("gate", decided, job=job.id, reason=str(error), answered=answered)
    except NoAnswer as error:
        log.log_decision("gate", "unanswered", job=job.id, reason=str(error))
        raise
    except (
        Exception
    ) as error:  # better a failed action with a reason than one that hangs for 20 minutes
        answered = end_job(
            job,
            "SystemUnavailable",
            refusals.describe_defect(error, getattr(context, "aws_request_id", "?")),
            aws,
        )
        record = log.log_defect("gate", error, job=job.id, answered=answered)
    if bus := os.environ.get("EVENT_BUS"):
        from chalicelib.records.events import announce_decision  # noqa: PLC0415 - most have none

        announce_decision(record, bus, aws)
    return record


def _decide(job: Job, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    asked = parameters.parse_parameters(job.user_parameters, os.environ.get("RETRY_MINUTES", "5"))
    if asked.bypass:
        return let_pass(
            job, asked, "bypassed", open_gate.describe_bypass(asked.depends_on), (), aws
        )
    parameters.refuse_closed_accounts(asked.depends_on, job.account)
    asked = replace(
        asked,
        depends_on=tuple(one.relative_to(aws.codepipeline.region) for one in asked.depends_on),
    )
    if asked.pipeline:
        parameters.refuse_self(
            asked.depends_on, asked.pipeline, aws.codepipeline.region, job.account
        )
    asking = UpstreamReader(
        asked.pipeline,
        asked.execution,
        aws,
        context,
        now,
        stays_in_progress=asked.mode.stays_in_progress,
    )
    upstreams = asking.read_upstreams(asked.depends_on)
    _refuse_missing(upstreams, job, aws)
    waiting = find_unsatisfied(upstreams)
    if waiting:
        from chalicelib.holds.making import Holding  # noqa: PLC0415 - a cold start on the open path does not pay for it

        return Holding(job, asked, upstreams, aws, context, now).of(waiting, asking)
    waited = None if job.since is None else int((now - job.since).total_seconds())
    decided = "passed" if waited is None else "released"
    return let_pass(
        job,
        asked,
        decided,
        open_gate.describe_pass(upstreams, now),
        upstreams,
        aws,
        waited_seconds=waited,
    )


def _refuse_missing(upstreams: Sequence[Upstream], job: Job, aws: Aws) -> None:
    """Raise Misconfigured where an upstream, or the one stage of it that is waited for, is not
    there.
    """
    for one in upstreams:
        if one.missing:
            region, account = (
                one.dependency.region or aws.codepipeline.region,
                one.dependency.account or job.account,
            )
            raise Misconfigured(
                refusals.describe_missing_upstream(one.dependency.name, account, region)
            )
        if one.dependency.stage and one.state and not one.state.stage(one.dependency.stage):
            stages = [stage.name for stage in one.state.stages]
            raise Misconfigured(
                refusals.describe_missing_stage(one.dependency.name, one.dependency.stage, stages)
            )
