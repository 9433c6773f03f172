"""Answered: every job gets a result (exactly one: a second is refused by CodePipeline), and no word
of the gate holds a credential.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.orders import Order, order
from tests.simulation.promises.deadlocks import really_deadlocked
from tests.simulation.promises.holds import verdict
from tests.simulation.record import Record
from tests.simulation.turns import Answer
from tests.simulation.weather import PERMANENT


def answered(record: Record) -> Iterator[str]:
    for job in record.jobs():
        action = job.action
        if (
            job.answered
            or action.execution.pipeline_name in record.deleted
            or action.status == "Abandoned"
        ):
            continue
        turns = [turn for turn in record.turns if turn.job == job.id]
        ended = None if action.status == "InProgress" else action.updated
        whose = f"{action.execution.pipeline_name} {action.execution.id[:8]}"
        if not turns and not record.lost_invocations:
            yield f"Answered: the gate was never invoked for {whose}"
        in_time = [
            turn
            for turn in turns
            if ended is None or (turn.ended is not None and turn.ended < ended)
        ]
        for turn in in_time:
            if not turn.hits:
                yield (
                    f"Answered: {whose} has no result, though the gate ran without a fault "
                    f"at {turn.began:%d %H:%M:%S}"
                )
        if in_time and not in_time[-1].error:
            yield (
                f"Answered: {whose} has no result, and the gate ended at "
                f"{in_time[-1].began:%d %H:%M:%S} as if it had"
            )
    yield from _failed(record)
    for words in record.words:
        for secret in record.secrets:
            if secret in words:
                at = words.index(secret)
                yield (
                    "Answered: what nobody may read stands in: "
                    f"...{words[max(0, at - 150) : at + 20]!r}"
                )


def _failed(record: Record) -> Iterator[str]:
    """A job that fails without a hold has a reason that a person has to mend: its parameters, a
    denied call, an upstream that is gone.
    """
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is None or answer.success:
            continue
        asked = order(job)
        if asked.unguarded:
            if any(
                hit.startswith("PutJobSuccessResult") and hit.endswith(PERMANENT)
                for hit in answer.turn.hits
            ):
                continue  # AWS did not take that it passed
            yield (
                f"Answered: {record.whose(job_id)} failed, though it was to pass in any "
                f"case: {answer.text[:120]}"
            )
        elif not _has_a_reason(record, answer, asked, job.action.execution.id):
            yield (
                f"Answered: {record.whose(job_id)} failed without a hold or a reason: "
                f"{answer.text[:120]}"
            )


def _has_a_reason(record: Record, answer: Answer, asked: Order, execution: str) -> bool:
    turn, word = answer.turn, verdict(answer)
    if word in ("", "held"):
        return word == "held"
    return (
        any(hit.endswith(PERMANENT) for hit in turn.hits)
        or any(one.pipeline in record.deleted for one in asked.wanted)
        or not asked.says_who
        or (word == "gave-up" and asked.give_up is not None and not asked.goes_on)
        or (word == "deadlock" and really_deadlocked(record, execution, turn.began, answer.at))
        or (
            word == "refused elsewhere"
            and any(_closed(record, one.pipeline, answer) for one in asked.wanted)
        )
    )


def _closed(record: Record, pipeline: str, answer: Answer) -> bool:
    """Whether the gate was not let look at it at some moment of that turn."""
    pieces = record.closed.get(pipeline, ())
    return any(
        began <= answer.at and (ended is None or ended >= answer.turn.began)
        for began, ended in pieces
    )
