"""Once: a hold starts its pipeline at most once, and only while it stands: never if a newer
execution exists (except in PARALLEL mode), while an upstream is running, for an execution that the
gate let pass, or instead of a rollback.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.entries import Start
from tests.simulation.promises.read import find_unsatisfied
from tests.simulation.record import Record, label
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
        if before is not start and not (forgotten and _has_twin(record, held)):
            yield f"{restart}, after it had been started as {before.execution.id[:8]}"
        for sentence in (*_find_reasons_against(record, start, held), *_find_early(record, start)):
            yield f"{restart}, though {sentence}"
    for retry in record.retries:
        for sentence in _find_early(record, retry):
            yield f"the stage of {label(retry.execution)} was retried, though {sentence}"
        for start in record.starts:
            if start.invocation is retry.invocation and start.execution.revisions:
                restart = f"{start.execution.id[:8]}, which passed its source"
                yield f"the stage of {label(retry.execution)} was retried, though {restart}, ran"


def _find_reasons_against(record: Record, start: Start, held: PipelineExecution) -> Iterator[str]:
    """Why the hold no longer stood, by what the retry had read."""
    invocation, read = start.invocation, start.lists.get(start.pipeline, {})
    status, began, _ = read.get(held.id, ("unread", 0.0, 0.0))
    at_start = invocation.at_start
    if status != "Failed":
        yield f"the retry had read that it is {status}"
    if at_start is not None and at_start.passed and at_start.status == "Failed":
        yield "the gate had let it pass"
    if held.mode != "PARALLEL":
        newest = max(read, key=lambda id_: read[id_][1], default=held.id)
        if newest != held.id and read[newest][1] > began:
            yield f"the retry had read of the newer {newest[:8]}, which is {read[newest][0]}"
        elif at_start is not None and at_start.newer:
            yield f"the newer {at_start.newer[0][:8]} existed"
    if any(retry.invocation is invocation and retry.at <= start.at for retry in record.retries):
        yield "its stage had been retried"
    # After a start that failed in its source, the stage is retried.
    if invocation.not_retryable == "InProgress" and start.execution.revisions:
        yield "AWS had refused to retry its stage because the stage was already in progress"
    if held.type == "ROLLBACK":
        yield "it is a rollback"


def _has_twin(record: Record, held: PipelineExecution) -> bool:
    """Whether another execution in PARALLEL mode took the same revisions.

    Their restarts look the same, so if a hold's rule could not be removed, only the
    clientRequestToken prevents a second start (docs/reliability.md, "What is not promised").
    """

    def find_revisions(execution: PipelineExecution) -> dict[str, str]:
        return {action: revision.id for action, revision in execution.revisions.items()}

    restarts = [one.execution for one in record.starts if one.invocation.held_id == held.id]
    return held.mode == "PARALLEL" and any(
        find_revisions(other) == find_revisions(held)
        for other in record.pipelines[held.pipeline_name].history
        if other is not held and other not in restarts
    )


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
