"""The gate: answers the waiting pipeline's action. While an upstream keeps it closed, it holds the
pipeline; otherwise it lets it pass.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.answers import let_pass, refuse_job
from chalicelib.aws.clients import Aws
from chalicelib.errors import Misconfigured, NoAnswer, NotPermitted
from chalicelib.holds.verdict import Verdict
from chalicelib.job import Job
from chalicelib.parameters import (
    is_condition,
    only_observes,
    parse_parameters,
    read_waiter_names,
    refuse_closed_accounts,
    refuse_other_partitions,
    refuse_self,
)
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from chalicelib.records.log import log_decision, log_defect
from chalicelib.records.outcomes import OPENING_WORDS, Outcome
from chalicelib.records.report import report_decision
from chalicelib.wording.open_gate import describe_bypass, describe_pass
from chalicelib.wording.refusals import (
    describe_defect,
    describe_missing_region,
    describe_missing_stage,
    describe_missing_upstream,
)


def answer_job(event: object, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    """Answer one CodePipeline job (guide: action-reference-Lambda); `now`: aware UTC. Returns what
    was decided, as logged.

    Raises RefusedInput if the event is not a job. Raises NoAnswer or NotPermitted if a hold cannot
    be made or a result cannot be delivered: then Lambda invokes the gate again (guide:
    services-codepipeline: the invocation is asynchronous).
    """
    job = Job.parse(event)
    try:
        return _decide(job, context, aws, now)
    except (Misconfigured, NotPermitted) as error:
        return _refuse(job, error, aws, now)
    except NoAnswer as error:
        log_decision("gate", Outcome.UNANSWERED, job=job.id, reason=str(error))
        raise
    except Exception as error:
        # Better a failed action with a reason than one that hangs for 20 minutes.
        message = describe_defect(error, getattr(context, "aws_request_id", "?"))
        answered = refuse_job(job, Verdict.REFUSED, "SystemUnavailable", message, aws)
        record = log_defect("gate", error, job=job.id, answered=answered)
        _report_end_of_wait(job, "the gate itself failed", answered, aws, now)
        return record


def keeps_condition_closed(event: object, record: Mapping[str, object]) -> bool:
    """Return whether the gate is a stage's condition and does not let the stage begin.

    `record`: what `answer_job` returned for this event.
    """
    # A condition never stays in progress, so each of its jobs is a first one.
    if record["decision"] in OPENING_WORDS:
        return False
    text = Job.parse(event).user_parameters
    return is_condition(text) and not only_observes(text)


def _decide(job: Job, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    parameters = parse_parameters(job.user_parameters, os.environ.get("RETRY_MINUTES", "5"))
    if parameters.bypass:
        summary = describe_bypass(parameters.depends_on)
        return let_pass(job, parameters, Outcome.BYPASSED, summary, (), aws)
    refuse_closed_accounts(parameters.depends_on, job.account)
    refuse_other_partitions(parameters.depends_on, aws.codepipeline.partition)
    region = aws.codepipeline.region
    parameters = replace(
        parameters, depends_on=tuple(entry.relative_to(region) for entry in parameters.depends_on)
    )
    if parameters.pipeline:
        refuse_self(parameters.depends_on, parameters.pipeline, region, job.account)
    reader = UpstreamReader(parameters.pipeline, aws, context, now)
    upstreams = reader.read_upstreams(parameters.depends_on)
    _refuse_missing(upstreams, job, aws)
    waiting = find_unsatisfied(upstreams)
    if waiting or job.since:
        # A cold start on the open path does not pay for this import.
        from chalicelib.holds.making import ClosedGate  # noqa: PLC0415

        gate = ClosedGate(job, parameters, upstreams, aws, context, now)
        if waiting:
            return gate.hold_pipeline(waiting, reader)
        if canceled := gate.cancel_wait():
            return canceled
    outcome = Outcome.WAIT_RELEASED if job.since else Outcome.PASSED
    summary, waited = describe_pass(upstreams, now), job.count_waited_seconds(now)
    return let_pass(job, parameters, outcome, summary, upstreams, aws, waited_seconds=waited)


def _refuse_missing(upstreams: Sequence[Upstream], job: Job, aws: Aws) -> None:
    """Raise Misconfigured if an upstream, its region, or the stage that counts does not exist."""
    for upstream in upstreams:
        entry = upstream.dependency
        if upstream.region_missing:
            partition = aws.codepipeline.partition
            raise Misconfigured(describe_missing_region(entry.name, entry.region, partition))
        if upstream.missing:
            region, account = entry.region or aws.codepipeline.region, entry.account or job.account
            raise Misconfigured(describe_missing_upstream(entry.name, account, region))
        if entry.stage and upstream.state and not upstream.state.find_stage(entry.stage):
            stages = [stage.name for stage in upstream.state.stages]
            raise Misconfigured(describe_missing_stage(entry.name, entry.stage, stages))


def _refuse(
    job: Job, error: Misconfigured | NotPermitted, aws: Aws, now: datetime
) -> dict[str, object]:
    elsewhere = isinstance(error, NotPermitted) and error.elsewhere
    verdict = Verdict.REFUSED_ELSEWHERE if elsewhere else Verdict.REFUSED
    answered = refuse_job(job, verdict, error.failure_type, str(error), aws)
    outcome = Outcome.OBSERVED if only_observes(job.user_parameters) else Outcome.REFUSED
    pipeline, execution = read_waiter_names(job.user_parameters)
    record = report_decision(
        "gate",
        outcome,
        aws,
        job=job.id,
        pipeline=pipeline,
        execution=execution,
        reason=str(error),
        answered=answered,
    )
    _report_end_of_wait(job, str(error), answered, aws, now)
    return record


def _report_end_of_wait(job: Job, reason: str, answered: bool, aws: Aws, now: datetime) -> None:
    """Report the end of a wait whose action had stayed in progress until the gate refused it."""
    if job.since:
        pipeline, execution = read_waiter_names(job.user_parameters)
        report_decision(
            "gate",
            Outcome.DROPPED,
            aws,
            job=job.id,
            pipeline=pipeline,
            execution=execution,
            reason=reason,
            waited_seconds=job.count_waited_seconds(now),
            answered=answered,
        )
