"""Claims: no action holds, delays or releases an execution that it only claims to belong to."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.entries import Invocation
from tests.simulation.record import Record, label
from tests.simulation.settings import is_claim, read_settings

GATES = ("Lambda", "LambdaInvoke")


def claims(record: Record) -> Iterator[str]:
    held = {one.job.id for one in record.answers.values() if one.verdict == "held"}
    held |= {one.job.id for one in record.kept_open}
    changed = {change.invocation for change in record.rule_changes}
    for invocation in record.invocations:
        job = invocation.job
        if job is None or not is_claim(job):
            continue
        name, claimed = label(job.action.execution), read_settings(job).execution
        if job.id in held:
            yield f"{name} is held, though its action says that it is {claimed}"
        if invocation in changed:
            yield f"{name} changed the rule of {claimed}, as which its action poses"


def was_misled(record: Record) -> bool:
    """Whether a claim was believed because AWS named no pipeline, and a gate of the other execution
    was really in progress (SECURITY.md). The run then shows nothing about the other promises.
    """
    misled = [one for one in record.invocations if _looks_true(record, one)]
    passed_as_released = any(
        answer.invocation in misled and answer.text.startswith("Released by ")
        for answer in record.answers.values()
    )
    return bool(misled) and (passed_as_released or any(claims(record)))


def _looks_true(record: Record, invocation: Invocation) -> bool:
    job = invocation.job
    if job is None or not is_claim(job):
        return False
    unread = any(fault.startswith("GetJobDetails") for fault in invocation.faults)
    claimed = record.executions[read_settings(job).execution or ""]
    return (record.dials.job_details == "nothing" or unread) and any(
        run.type["provider"] in GATES
        and run.started <= invocation.end
        and (run.status == "InProgress" or run.updated >= invocation.began)
        for run in (*claimed.actions, *claimed.rules)
    )
