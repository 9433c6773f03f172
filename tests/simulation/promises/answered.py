"""Answered: every job gets a result, and the gate never shows or logs a credential."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.entries import Answer
from tests.simulation.faults import PERMANENT
from tests.simulation.promises.deadlocks import is_deadlocked
from tests.simulation.record import Record, label
from tests.simulation.settings import GateSettings, is_claim, read_settings


def answered(record: Record) -> Iterator[str]:
    yield from _find_unanswered(record)
    yield from _find_failed(record)
    yield from _find_wrong_ends(record)
    for text in record.texts:
        for secret in record.secrets:
            if secret in text:
                at = text.index(secret)
                quote = text[max(0, at - 150) : at + 20]
                yield f"a credential is readable in: ...{quote!r}"


def _find_unanswered(record: Record) -> Iterator[str]:
    for job in record.jobs():
        action, name = job.action, label(job.action.execution)
        is_deleted = action.execution.pipeline_name in record.deleted
        if job.answered or is_deleted or action.status == "Abandoned":
            continue
        invocations = [one for one in record.invocations if one.job is job]
        if not invocations and not record.lost_invocations:
            yield f"the gate was never invoked for {name}"
        if action.status != "InProgress":
            invocations = [one for one in invocations if one.ended and one.ended < action.updated]
        for one in invocations:
            when = f"{one.began:%d %H:%M:%S}"
            if not one.faults:
                yield f"{name} has no result, though the gate ran without a fault at {when}"
            if one is invocations[-1] and not one.error:
                yield f"{name} has no result, but the gate ended at {when} without an error"


def _find_failed(record: Record) -> Iterator[str]:
    """A job that fails without a hold has a cause that a person has to correct: its parameters, a
    denied call, or an upstream that does not exist.
    """
    for answer in record.answers.values():
        if answer.success:
            continue
        name, settings = label(answer.execution), read_settings(answer.job)
        denied = [fault for fault in answer.invocation.faults if fault.endswith(PERMANENT)]
        if settings.always_passes:
            # Unless AWS did not accept that it passed.
            if not any(fault.startswith("PutJobSuccessResult") for fault in denied):
                yield f"{name} failed, though it always has to pass: {answer.text[:120]}"
        elif not _has_a_reason(record, answer, settings, denied):
            yield f"{name} failed without a hold or a reason: {answer.text[:120]}"


def _find_wrong_ends(record: Record) -> Iterator[str]:
    """If AWS judges a condition by how its function ends, it comes to the job's result, too."""
    for answer in record.answers.values():
        invocation, name = answer.invocation, label(answer.execution)
        if not read_settings(answer.job).condition or invocation.error or invocation.ended is None:
            continue
        if answer.success and invocation.keeps_closed:
            yield f"{name} passed its condition, but the gate ended in an error"
        if not answer.success and not invocation.keeps_closed:
            yield f"{name} is kept from its stage, but the gate ended without an error"


def _has_a_reason(
    record: Record, answer: Answer, settings: GateSettings, denied: list[str]
) -> bool:
    began, upstreams = answer.invocation.began, settings.pipelines
    match answer.verdict:
        case "" | "held":
            return answer.verdict == "held"
        case "refused" if is_claim(answer.job):
            return True
        case _ if denied or not settings.names_execution or record.deleted.keys() & {*upstreams}:
            return True
        case "refused" if settings.condition:  # it cannot wait for room
            return any(fault.startswith("PutRule full") for fault in answer.invocation.faults)
        case "gave-up":
            return settings.give_up is not None and not settings.continues
        case "deadlock":
            return is_deadlocked(record, answer.execution.id, began, answer.at)
        case "refused elsewhere":
            return any(_was_closed(record, name, answer) for name in upstreams)
    return False


def _was_closed(record: Record, pipeline: str, answer: Answer) -> bool:
    """Whether the gate's role could not read it at some moment of that invocation."""
    return any(
        began <= answer.at and (ended is None or ended >= answer.invocation.began)
        for began, ended in record.closed_periods.get(pipeline, ())
    )
