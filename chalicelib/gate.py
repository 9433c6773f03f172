"""The gate: answers the waiting pipeline's action. While an upstream runs, it holds the pipeline; else it lets it pass."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib import hold, log, messages, parameters
from chalicelib.aws import Aws
from chalicelib.decision import waiting_for
from chalicelib.deployment import Deployment
from chalicelib.errors import Misconfigured, NoAnswer, NoRoom, NotPermitted, PipelineNotFound
from chalicelib.executions import Upstream
from chalicelib.hold import Hold
from chalicelib.job import Job
from chalicelib.parameters import Parameters

LOOK_BACK = timedelta(days=14)
"""How far back an execution may have begun that still runs."""


def answer(event: object, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    """Answer one CodePipeline job (guide: action-reference-Lambda); `now`: aware UTC. Returns what was decided, as logged.

    Raises RefusedInput where the event is no job, and NoAnswer or NotPermitted where a hold cannot be made or a result not delivered:
    then Lambda invokes the gate again (guide: services-codepipeline: the invocation is asynchronous).
    """
    job = Job.of(event)
    try:
        asked = parameters.read(job.user_parameters, os.environ.get("RETRY_MINUTES", "5"))
        upstreams = [_upstream(name, job, aws, now) for name in asked.depends_on]
        waiting = waiting_for(upstreams)
        if waiting:
            return _hold(job, asked, waiting, Deployment.of(context), aws, now)
        return _pass(job, upstreams, aws, now)
    except (Misconfigured, NotPermitted) as error:
        answered = aws.codepipeline.fail(job.id, error.failure_type, str(error))
        return log.decision("gate", "refused", job=job.id, reason=str(error), answered=answered)
    except NoAnswer as error:
        log.decision("gate", "unanswered", job=job.id, reason=str(error))
        raise
    except Exception as error:  # better a failed action with a reason than one that hangs for 20 minutes
        answered = aws.codepipeline.fail(job.id, "JobFailed", messages.defect(error, getattr(context, "aws_request_id", "?")))
        return log.defect("gate", error, job=job.id, answered=answered)


def _upstream(name: str, job: Job, aws: Aws, now: datetime) -> Upstream:
    try:
        return Upstream(name, aws.codepipeline.executions(name, since=now - LOOK_BACK))
    except PipelineNotFound:
        raise Misconfigured(messages.no_such_upstream(name, job.account, aws.codepipeline.region)) from None
    except NoAnswer as error:  # it may run: only a known idle upstream opens the gate
        return Upstream(name, unanswered=str(error))


def _pass(job: Job, upstreams: Sequence[Upstream], aws: Aws, now: datetime) -> dict[str, object]:
    summary = messages.passed(upstreams, now)
    answered = aws.codepipeline.succeed(job.id, summary)
    return log.decision("gate", "passed", job=job.id, summary=summary, answered=answered)


def _hold(job: Job, asked: Parameters, waiting: Sequence[Upstream], deployment: Deployment, aws: Aws, now: datetime) -> dict[str, object]:
    pipeline, execution = _held_execution(job, asked, aws)
    variables = _variables(pipeline, execution, aws)
    kept = Hold(hold.rule_name(deployment, execution), pipeline, execution, asked.depends_on, now, variables)
    minutes = asked.retry_minutes
    aws.awslambda.let_rules_invoke(deployment.retry_arn, deployment.all_rules_arn)
    try:
        aws.eventbridge.put(
            kept,
            schedule=hold.schedule(now, minutes),
            description=messages.rule_description(pipeline, execution, asked.depends_on, now),
            retry_arn=deployment.retry_arn,
        )
    except NoRoom:
        answered = aws.codepipeline.keep_open(job.id, messages.no_room(waiting, now))
        return log.decision("gate", "kept open", job=job.id, pipeline=pipeline, execution=execution, answered=answered)
    # Only now, with the rule in place: an execution that ended before would be lost if the gate died in between.
    message = messages.held(waiting, pipeline, minutes, hold.next_check(now, minutes), kept.rule, now)
    answered = aws.codepipeline.fail(job.id, "JobFailed", message)
    return log.decision(
        "gate",
        "held",
        job=job.id,
        pipeline=pipeline,
        execution=execution,
        rule=kept.rule,
        waiting={upstream.name: upstream.unanswered or [f"{one.id} {one.status}" for one in upstream.running] for upstream in waiting},
        answered=answered,
    )


def _held_execution(job: Job, asked: Parameters, aws: Aws) -> tuple[str, str]:
    """The pipeline and execution to hold: as the action's parameters say, or else as CodePipeline does."""
    pipeline, execution = asked.pipeline, asked.execution
    if pipeline is None or execution is None:
        told_pipeline, told_execution = _told_owner(job, aws)
        pipeline, execution = pipeline or told_pipeline, execution or told_execution
    if pipeline is None:
        raise Misconfigured(messages.who_am_i("pipeline"))
    if execution is None:
        raise Misconfigured(messages.who_am_i("execution"))
    parameters.refuse_self(asked, pipeline)
    return pipeline, execution


def _told_owner(job: Job, aws: Aws) -> tuple[str | None, str | None]:
    try:
        return aws.codepipeline.owner_of(job.id)
    except NotPermitted:
        return None, None  # the message to come says how to do without


def _variables(pipeline: str, execution: str, aws: Aws) -> dict[str, str] | None:
    """The variables of the execution to hold. Asking shows a mistyped `pipeline`, whose hold would never end in a start."""
    try:
        return aws.codepipeline.variables(pipeline, execution)
    except PipelineNotFound:
        raise Misconfigured(messages.not_this_pipelines(execution, pipeline)) from None
    except NoAnswer:
        return None  # a doubt is no reason to lose the hold: the retry will ask
