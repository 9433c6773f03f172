"""Once: a hold starts its pipeline at most once, and only while it stands: never when a newer
execution exists (PARALLEL aside), never while an upstream runs, never for an execution that the
gate let pass, never in a rollback's place.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.orders import Order, order
from tests.simulation.promises.read import unsatisfied
from tests.simulation.record import Record
from tests.simulation.turns import Start


def once(record: Record, memory: timedelta | None) -> Iterator[str]:
    """`memory`: how long AWS remembers a clientRequestToken."""
    first: dict[str, Start] = {}
    for start in record.starts:
        held = record.executions.get(start.turn.held)
        if held is None or held.pipeline_name != start.pipeline:
            of = start.turn.held[:8]
            yield (
                f"Once: {start.pipeline} {start.execution.id[:8]} was started by the hold "
                f"of {of}, which is none of its executions"
            )
            continue
        what = f"{start.pipeline} {held.id[:8]} was started again as {start.execution.id[:8]}"
        before = first.setdefault(held.id, start)
        if before is not start and not (
            _has_twin(record, held) and memory is not None and start.at - before.at >= memory
        ):
            yield f"Once: {what}, after it had been as {before.execution.id[:8]}"
        for sentence in _needless(record, start, held):
            yield f"Once: {what}, though {sentence}"
        yield from _early(record, start, what)
    for retried in record.retries:
        yield from _early(
            record,
            retried,
            f"the stage of {retried.pipeline} {retried.execution.id[:8]} was retried",
        )


def _needless(record: Record, start: Start, held: PipelineExecution) -> Iterator[str]:
    """Why the hold did not stand any more, as the retry had seen."""
    turn, read = start.turn, start.read.get(start.pipeline, {})
    if read.get(held.id, ("unread", 0))[0] != "Failed":
        yield f"the retry had read that it is {read.get(held.id, ('unread', 0))[0]}"
    if turn.at_start is not None and turn.at_start.passed and turn.at_start.status == "Failed":
        yield "the gate had let it pass"
    if held.mode != "PARALLEL":
        newest = max(read.items(), key=lambda item: item[1][1], default=(held.id, ("", 0.0)))[0]
        if newest != held.id and read[newest][1] > read.get(held.id, ("", 0.0))[1]:
            yield f"the retry had read of the newer {newest[:8]}, which is {read[newest][0]}"
        elif turn.at_start is not None and turn.at_start.newer:
            yield f"the newer {turn.at_start.newer[0][:8]} existed"
    if any(retried.turn is turn for retried in record.retries):
        yield "its stage had been retried"
    if turn.not_retryable == "InProgress":
        yield "AWS had refused to retry its stage, for that was in progress already"
    if held.type == "ROLLBACK":
        yield "it is a rollback"


def _has_twin(record: Record, held: PipelineExecution) -> bool:
    """In PARALLEL mode, another execution that took the same revisions: the restarts of the two
    cannot be told apart, and only the clientRequestToken keeps a hold whose rule could not be
    removed from a second start (docs/reliability.md, "What is not promised").
    """
    restarts = {start.execution.id for start in record.starts if start.turn.held == held.id}
    took = {action: revision.id for action, revision in held.revisions.items()}
    return held.mode == "PARALLEL" and any(
        {action: revision.id for action, revision in other.revisions.items()} == took
        for other in record.pipelines[held.pipeline_name].history
        if other is not held and other.id not in restarts
    )


def _early(record: Record, start: Start, what: str) -> Iterator[str]:
    """It saw that an upstream of its hold is not as asked, or did not look."""
    told, let_go = _kept_order(record, start), record.let_go.get(start.turn.held)
    if told is None or (
        told.give_up is not None and told.goes_on and _waited(record, start) >= told.give_up
    ):
        return
    if let_go is not None and let_go <= start.at:
        return
    for wanted in told.wanted:
        if wanted.pipeline in record.deleted:
            continue  # it counts as idle, whatever an earlier look of the same turn had read
        for sentence in unsatisfied(
            record, wanted, start.turn, start.read, start.at, start.pipeline
        ):
            yield f"Once: {what}, though {sentence}"


def _waited(record: Record, start: Start) -> timedelta:
    """Since when its execution stands before its gate."""
    return start.at - min(job.action.started for job in record.jobs_of(start.turn.held))


def _kept_order(record: Record, start: Start) -> Order | None:
    """What the gate kept of this execution's wait, as far as the gate's jobs tell without doubt."""
    orders = [
        order(job)
        for job in record.jobs_of(start.turn.held)
        if job.action.configuration.get("UserParameters")
    ]
    return orders[0] if len(set(orders)) == 1 else None
