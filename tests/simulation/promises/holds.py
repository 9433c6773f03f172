"""The holds of a run, as the promises speak of them."""

from __future__ import annotations

import re

from tests.simulation.record import Record
from tests.simulation.turns import Answer


def holds(record: Record) -> dict[str, list[Answer]]:
    """The answers that held an execution by a rule, by the execution's id."""
    found: dict[str, list[Answer]] = {}
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is not None and verdict(answer) == "held":
            found.setdefault(job.action.execution.id, []).append(answer)
    return found


def verdict(answer: Answer) -> str:
    """The word at the end of a failed job's message; "" if there is none."""
    token = re.search(r" \[pipeline-gate/1 ([a-z -]+)\]$", answer.text)
    return token[1] if token and not answer.success else ""
