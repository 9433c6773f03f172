"""Once: a hold starts its pipeline at most once, and only while it stands: never if a newer
execution exists (except in PARALLEL mode), while an upstream is running, for an execution that the
gate let pass, or instead of a rollback.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.entries import Start
from tests.simulation.promises.read import find_unsatisfied
from tests.simulation.record import LONGEST_LAG, Record, label
from tests.simulation.settings import GateSettings, read_settings


def once(record: Record) -> Iterator[str]:
    memory = record.dials.token_memory
    first: dict[str, Start] = {}
    for start in record.starts:
        held = record.executions.get(start.invocation.held_id)
        if held is None or held.pipeline_name != start.pipeline:
            hold = f"the hold of {start.invocation.held_id[:8]}"
            yield f"{label(start.execution)} was started by {hold}, not one of its executions"
            continue
        restart = f"{label(held)} was started again as {start.execution.id[:8]}"
        before = first.setdefault(held.id, start)
        forgotten = memory is not None and start.at - before.at >= memory
        # Only the clientRequestToken prevents a second start if the rule could not be written
        # (docs/reliability.md, "What is not promised"), or if the first one failed in its source.
        is_excused = forgotten and (held.mode == "PARALLEL" or not before.execution.revisions)
        if before is not start and not is_excused:
            yield f"{restart}, after it had been started as {before.execution.id[:8]}"
        for sentence in (*_find_reasons_against(record, start, held), *_find_early(record, start)):
            yield f"{restart}, though {sentence}"
    for retry in record.retries:
        for sentence in _find_early(record, retry):
            yield f"the stage of {label(retry.execution)} was retried, though {sentence}"
        for start in record.starts:
            ran = not _has_failed(record, start.execution, retry.at)
            if start.invocation is retry.invocation and ran:
                restart = f"{start.execution.id[:8]} ran"
                yield f"the stage of {label(retry.execution)} was retried, though {restart}"


def _has_failed(record: Record, execution: PipelineExecution, at: datetime) -> bool:
    """Whether an execution had failed before, as one does whose source cannot take a revision."""
    return any(
        (change.execution, change.state) == (execution.id, "FAILED") and change.at <= at
        for change in record.changes
    )


def _find_reasons_against(record: Record, start: Start, held: PipelineExecution) -> Iterator[str]:
    """Why the hold no longer stood, by what the retry had read."""
    invocation = start.invocation
    readings = start.readings.get(start.pipeline)
    read = readings[-1].executions if readings else {}
    status, began, _ = read.get(held.id, ("unread", 0.0, 0.0))
    at_start = invocation.at_start
    if status != "Failed":
        yield f"the retry had read that it is {status}"
    if at_start is not None and at_start.passed and at_start.status == "Failed":
        yield "the gate had let it pass"
    # After its own restart that failed in its source, the pipeline starts again.
    lost = {
        one.execution.id
        for one in record.starts
        if one.invocation.held_id == held.id and not one.execution.revisions
    }
    if held.mode != "PARALLEL":
        listed = [id_ for id_ in read if id_ not in lost]
        existed = [id_ for id_ in (at_start.newer if at_start else ()) if id_ not in lost]
        newest = max(listed, key=lambda id_: read[id_][1], default=held.id)
        if newest != held.id and read[newest][1] > began:
            yield f"the retry had read of the newer {newest[:8]}, which is {read[newest][0]}"
        elif existed:
            shown_since = record.executions[existed[0]].started + LONGEST_LAG
            if record.dials.answer_age is None or shown_since < invocation.began:
                yield f"the newer {existed[0][:8]} existed"
    if any(retry.invocation is invocation and retry.at <= start.at for retry in record.retries):
        yield "its stage had been retried"
    # After a start that failed in its source, the stage is retried.
    if invocation.not_retryable == "InProgress" and start.execution.revisions:
        yield "AWS had refused to retry its stage because the stage was already in progress"
    if held.type == "ROLLBACK":
        yield "it is a rollback"


def _find_early(record: Record, start: Start) -> Iterator[str]:
    """The upstreams of its hold that it had read as not ready, or had not read."""
    held = start.invocation.held_id
    settings, released = _find_settings(record, held), record.released.get(held)
    if settings is None or (released is not None and released <= start.at):
        return
    waited = start.at - min(job.action.started for job in record.find_jobs(held))
    if settings.give_up is not None and settings.continues and waited >= settings.give_up:
        return
    for requirement in settings.requirements:
        # A deleted pipeline counts as idle, whatever the same retry had read of it before.
        if requirement.pipeline not in record.deleted:
            yield from find_unsatisfied(record, start, requirement)


def _find_settings(record: Record, held: str) -> GateSettings | None:
    """The settings of this execution's wait; None if its jobs differ."""
    settings = {
        read_settings(job)
        for job in record.find_jobs(held)
        if job.action.configuration.get("UserParameters")
    }
    return settings.pop() if len(settings) == 1 else None
