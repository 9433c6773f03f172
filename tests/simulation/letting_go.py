"""People who let a held execution go on at once, whatever its upstreams do: what `gatectl release`
does.
"""

from __future__ import annotations

import contextlib
import json
from functools import partial
from random import Random

from moto.awslambda.models import lambda_backends

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.permission import StatementExistsError
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ActionJob
from tests.simulation.people import People, invoke_retry
from tests.simulation.record import Record
from tests.simulation.rules import PREFIX, RETRY, all_rules, with_target

BY = f"arn:aws:sts::{ACCOUNT}:assumed-role/team/ann"
RETRY_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{RETRY}"


def plan(random: Random, people: People, record: Record, minutes: float) -> None:
    """In some runs, somebody does so once to three times."""
    if random.random() > 0.25:
        return
    for _ in range(random.choice((1, 2, 3))):
        people.at(random.uniform(0.5, minutes), partial(_let_go, random, record))


def _let_go(random: Random, record: Record) -> None:
    held = [name for name in with_target() if _can_be_retried(record, name[-36:])]
    in_place = [
        job
        for job in record.jobs()
        if job.action.status == "InProgress"
        and job.continuation_token
        and PREFIX + job.action.execution.id not in with_target()
    ]
    choices: list[str | ActionJob] = [*held, *in_place]
    if not choices:
        return
    chosen = random.choice(choices)
    if isinstance(chosen, str):
        (target,) = all_rules()[chosen].targets
        _mark(record, chosen, json.loads(target["Input"]))
        invoke_retry(all_rules()[chosen].targets[0]["Input"])
    else:
        _let_wait_go(record, chosen)


def _can_be_retried(record: Record, execution: str) -> bool:
    """It failed and is the newest of its pipeline, and that is as it was when it began; the command
    refuses others.
    """
    held = record.executions[execution]
    pipeline = record.pipelines[held.pipeline_name]
    needed = held.status == "Failed" and (held.mode == "PARALLEL" or pipeline.history[-1] is held)
    return needed and not pipeline.deleted and pipeline.version == held.pipeline_version


def _let_wait_go(record: Record, job: ActionJob) -> None:
    """One that waits in place gets a rule, which holds nothing but the mark."""
    execution, rule = job.action.execution, PREFIX + job.action.execution.id
    now, events = utcnow(), eventbridge.backend(ACCOUNT, REGION)
    asked = json.loads(job.action.configuration["UserParameters"])
    with contextlib.suppress(StatementExistsError):
        statement = {
            "StatementId": "rules",
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
        }
        arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pipeline-gate-*"
        lambda_backends[ACCOUNT][REGION].get_function(RETRY).policy.add_statement(
            json.dumps({**statement, "SourceArn": arn})
        )
    events.put_rule(
        rule,
        description=f"Since {now:%Y-%m-%d %H:%M UTC} let go",
        scheduled_expression=f"cron({now.minute % 5}/5 * * * ? *)",
    )
    hold = {
        "rule": rule,
        "pipeline": execution.pipeline_name,
        "execution": execution.id,
        "depends_on": asked["depends_on"],
        "since": str(job.continuation_token),
        "mode": "retry",
        "end_reported": True,
    }
    _mark(record, rule, hold)


def _mark(record: Record, rule: str, hold: dict[str, object]) -> None:
    text = json.dumps({**hold, "released_by": BY})
    record.story.tell(f"somebody lets {hold['pipeline']} {rule[-36:-28]} go on")
    record.let_go.setdefault(rule[-36:], utcnow())
    record.ruled(rule[-36:], text, by_person=True)
    eventbridge.backend(ACCOUNT, REGION).put_targets(
        rule, None, [{"Id": "retry", "Arn": RETRY_ARN, "Input": text}]
    )
