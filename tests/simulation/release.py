"""People who release a held execution, whatever is running, as `gatectl release` does."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from random import Random
from typing import Any

from moto.awslambda.models import lambda_backends

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.permission import StatementExistsError
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ActionJob, PipelineExecution
from tests.simulation.people import People, invoke_retry
from tests.simulation.record import Record
from tests.simulation.rules import PREFIX, RETRY, find_held, find_rules
from tests.simulation.settings import is_released

BY = f"arn:aws:sts::{ACCOUNT}:assumed-role/team/ann"
RETRY_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{RETRY}"


NO_NAMES: tuple[object, ...] = ("", " ", 5, ["ann"], True)
"""What a person may write into a rule by hand, and releases nothing."""


def plan(random: Random, people: People, record: Record, minutes: float) -> None:
    """In some runs, a person does so once to three times."""
    if random.random() > 0.25:
        return
    for _ in range(random.choice((1, 2, 3))):
        people.at(random.uniform(0.5, minutes), partial(_release, random, record))


def plan_no_names(random: Random, people: People, record: Record, minutes: float) -> None:
    """In some runs, a person edits the target of a rule, and names no one."""
    if random.random() < 0.1:
        people.at(random.uniform(0.5, minutes), partial(_write_no_name, random, record))


def _release(random: Random, record: Record) -> None:
    held = find_held()
    in_progress = [
        job
        for job in record.jobs()
        if job.action.status == "InProgress"
        and job.continuation_token
        and job.action.execution.id not in held
    ]
    can_go_on = [id_ for id_ in held if _can_be_retried(record, record.executions[id_])]
    choices: list[str | ActionJob] = [*can_go_on, *in_progress]
    if not choices:
        return
    chosen = random.choice(choices)
    if isinstance(chosen, ActionJob):
        _release_in_progress(record, chosen)
    else:
        (target,) = find_rules()[chosen].targets
        _mark(record, json.loads(target["Input"]))
        invoke_retry(find_rules()[chosen].targets[0]["Input"])


def _write_no_name(random: Random, record: Record) -> None:
    inputs = [json.loads(find_rules()[held].targets[0]["Input"]) for held in find_held()]
    if unreleased := [hold for hold in inputs if not is_released(hold)]:
        hold = {**random.choice(unreleased), "released_by": random.choice(NO_NAMES)}
        record.story.tell(f"a person writes the name {hold['released_by']!r} into {hold['rule']}")
        _write(record, hold)


def _can_be_retried(record: Record, held: PipelineExecution) -> bool:
    """The command refuses executions that are not the newest, and those of edited pipelines."""
    pipeline = record.pipelines[held.pipeline_name]
    needed = held.status == "Failed" and (held.mode == "PARALLEL" or pipeline.history[-1] is held)
    return needed and not pipeline.deleted and pipeline.version == held.pipeline_version


def _release_in_progress(record: Record, job: ActionJob) -> None:
    """In the mode wait, the execution gets a rule that has only the mark."""
    execution, rule, now = job.action.execution, PREFIX + job.action.execution.id, utcnow()
    with contextlib.suppress(StatementExistsError):
        statement = {
            "StatementId": "rules",
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pipeline-gate-*",
        }
        policy = lambda_backends[ACCOUNT][REGION].get_function(RETRY).policy
        policy.add_statement(json.dumps(statement))
    eventbridge.backend(ACCOUNT, REGION).put_rule(
        rule,
        description=f"Since {now:%Y-%m-%d %H:%M UTC} let go",
        scheduled_expression=f"cron({now.minute % 5}/5 * * * ? *)",
    )
    hold = {
        "rule": rule,
        "pipeline": execution.pipeline_name,
        "execution": execution.id,
        "depends_on": json.loads(job.action.configuration["UserParameters"])["depends_on"],
        "since": str(job.continuation_token).split(" ")[0],
        "gate": [job.action.stage.name, job.action.name],
        "mode": "retry",
        "end_reported": True,
    }
    _mark(record, hold)


def _mark(record: Record, hold: dict[str, Any]) -> None:
    held = hold["rule"][-36:]
    record.story.tell(f"a person releases {hold['pipeline']} {held[:8]}")
    record.released.setdefault(held, utcnow())
    _write(record, {**hold, "released_by": BY})


def _write(record: Record, hold: dict[str, Any]) -> None:
    """Write this Input into the target of the hold's rule."""
    text = json.dumps(hold)
    record.note_rule(hold["rule"][-36:], text, by_person=True)
    target = {"Id": "retry", "Arn": RETRY_ARN, "Input": text}
    eventbridge.backend(ACCOUNT, REGION).put_targets(hold["rule"], None, [target])
