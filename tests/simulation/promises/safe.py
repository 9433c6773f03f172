"""Safe: the gate never reports success if an upstream that it has read is not as required."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sandbox.codepipeline.execution import ActionJob
from tests.simulation.entries import Answer
from tests.simulation.promises.read import find_unsatisfied
from tests.simulation.record import Record, label
from tests.simulation.settings import GateSettings, read_settings


def safe(record: Record) -> Iterator[str]:
    for answer in record.answers.values():
        settings = read_settings(answer.job)
        if not answer.success or settings.always_passes:
            continue
        if _gave_up(record, answer, settings) or _was_released(record, answer):
            continue
        for requirement in settings.requirements:
            for sentence in find_unsatisfied(record, answer, requirement):
                yield f"{label(answer.execution)} passed though {sentence}"


def _gave_up(record: Record, answer: Answer, settings: GateSettings) -> bool:
    """Whether the gate says that the deadline of its wait has passed, and it has."""
    began = min(job.action.started for job in _find_jobs_of_gate(record, answer))
    return (
        settings.give_up is not None
        and settings.continues
        and answer.text.startswith("Continued without waiting any longer for ")
        and answer.text.count("give_up_minutes is over") == 1
        and answer.at - began >= settings.give_up - timedelta(minutes=1)
    )


def _was_released(record: Record, answer: Answer) -> bool:
    """Whether a person had released that wait, and the gate says so."""
    # A gate whose name AWS does not tell may take over the wait of another that waits for the same.
    jobs = [answer.job]
    struck = any(fault.startswith("GetJobDetails") for fault in answer.invocation.faults)
    if struck or record.dials.job_details != "execution":
        jobs += record.find_jobs(answer.execution.id)
    releases = [at for job in jobs for at in record.find_releases(job)]
    return answer.text.startswith("Released by ") and any(at <= answer.at for at in releases)


def _find_jobs_of_gate(record: Record, answer: Answer) -> list[ActionJob]:
    """The jobs of the same gate in that execution. Gates that AWS does not name share a wait if
    they wait for the same.
    """
    action, requirements = answer.job.action, read_settings(answer.job).requirements
    jobs = record.find_jobs(answer.execution.id)
    by_name = record.dials.job_details != "nothing"
    return [
        job
        for job in jobs
        if (job.action.stage.name, job.action.name) == (action.stage.name, action.name)
        or (not by_name and read_settings(job).requirements == requirements)
    ]
