"""Safe: the gate never reports success while what it waits for is not as asked, as the answers it
read stood.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sandbox.codepipeline.execution import ActionJob
from tests.simulation.orders import Order, order
from tests.simulation.promises.read import unsatisfied
from tests.simulation.record import Record
from tests.simulation.turns import Answer


def safe(record: Record) -> Iterator[str]:
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if not answer.success or job is None:
            continue
        asked, pipeline = order(job), job.action.execution.pipeline_name
        if asked.unguarded or _gave_up(record, job, answer, asked) or _let_go(record, job, answer):
            continue
        for wanted in asked.wanted:
            for sentence in unsatisfied(
                record, wanted, answer.turn, answer.turn.read, answer.at, pipeline
            ):
                yield f"Safe: {record.whose(job_id)} passed though {sentence}"


def _gave_up(record: Record, job: ActionJob, answer: Answer, asked: Order) -> bool:
    """Whether the gate could say that it had waited as long as it was asked to."""
    began = min(other.action.started for other in record.jobs_of(job.action.execution.id))
    return (
        asked.give_up is not None
        and asked.goes_on
        and answer.text.startswith("Goes on in spite of ")
        and answer.text.count("as long as give_up_minutes says") == 1
        and answer.at - began >= asked.give_up - timedelta(minutes=1)
    )


def _let_go(record: Record, job: ActionJob, answer: Answer) -> bool:
    """Whether a person had let that execution go, and it says so."""
    since = record.let_go.get(job.action.execution.id)
    return (
        since is not None
        and since <= answer.at
        and answer.text.startswith("Goes on in spite of ")
        and " let it go." in answer.text
    )
