"""The holds of a run, as the promises speak of them."""

from __future__ import annotations

from sandbox.codepipeline.jobs import Job
from tests.simulation.record import Record
from tests.simulation.turns import Answer


def holds(record: Record) -> dict[str, list[Answer]]:
    """The answers that held an execution by a rule ("k8s waits for infra since ..."), by the
    execution's id.
    """
    found: dict[str, list[Answer]] = {}
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is not None and is_hold(job, answer):
            found.setdefault(job.action.execution.id, []).append(answer)
    return found


def is_hold(job: Job, answer: Answer) -> bool:
    return not answer.success and answer.text.startswith(
        f"{job.action.execution.pipeline_name} waits for "
    )
