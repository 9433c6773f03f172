"""Safe: the gate never reports success while, as it has read, an upstream is not as asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.simulation.entries import Answer
from tests.simulation.promises.read import find_unsatisfied
from tests.simulation.record import Record, label
from tests.simulation.settings import GateSettings, read_settings


def safe(record: Record) -> Iterator[str]:
    for answer in record.answers.values():
        settings = read_settings(answer.job)
        if not answer.success or settings.always_passes:
            continue
        if answer.text.startswith("Goes on in spite of ") and (
            _gave_up(record, answer, settings) or _was_released(record, answer)
        ):
            continue
        for requirement in settings.requirements:
            for sentence in find_unsatisfied(record, answer, requirement):
                yield f"{label(answer.execution)} passed though {sentence}"


def _gave_up(record: Record, answer: Answer, settings: GateSettings) -> bool:
    """Whether the gate could say that it had waited as long as it was asked to."""
    began = min(job.action.started for job in record.find_jobs(answer.execution.id))
    return (
        settings.give_up is not None
        and settings.continues
        and answer.text.count("as long as give_up_minutes says") == 1
        and answer.at - began >= settings.give_up - timedelta(minutes=1)
    )


def _was_released(record: Record, answer: Answer) -> bool:
    """Whether a person had let that execution go, and it says so."""
    since = record.released.get(answer.execution.id)
    return since is not None and since <= answer.at and " let it go." in answer.text
