"""What a function had read of an upstream that should have kept it from continuing."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.entries import Answer, Executions, Position, Reading, Start
from tests.simulation.record import FINISHED, LONGEST_LAG, RESTART_TIME, RUNNING, Record
from tests.simulation.settings import Requirement
from tests.simulation.waiters import find_upstreams


def find_unsatisfied(
    record: Record, act: Answer | Start, requirement: Requirement
) -> Iterator[str]:
    """Why the upstream is not as required, by what the invocation of `act` had read until then.

    It may have read a list again, and then AWS's answer may be an older one. So it is enough if one
    of them shows the upstream as required.
    """
    reasons = [
        [*_find_reasons(record, act, requirement, reading)]
        for reading in act.readings.get(requirement.pipeline, [])
    ]
    yield from min(
        reasons, key=len, default=[f"it had not read any execution of {requirement.pipeline}"]
    )


def _find_reasons(
    record: Record, act: Answer | Start, requirement: Requirement, reading: Reading
) -> Iterator[str]:
    name, invocation, read = requirement.pipeline, act.invocation, reading.executions
    if not reading.complete:
        yield f"it had not read all executions of {name}"
    positions = invocation.positions.get(name, {})
    running = {id_: status for id_, (status, *_) in read.items() if status in RUNNING}
    for id_, status in running.items():
        if not requirement.ignores(positions.get(id_, Position())):
            yield f"it had read that {name} {id_[:8]} is {status}"
    yield from _find_unlisted(record, act, requirement, reading)
    if requirement.require == "succeeded" and requirement.stage:
        reads = invocation.stage_reads.get((name, requirement.stage), [("", "never run")])
        last, status = reads[-1]
        if status != "Succeeded" or record.executions[last].type == "ROLLBACK":
            yield f"it had read that {name}'s {requirement.stage} is {status} ({last[:8]})"
    elif requirement.require == "succeeded" and not _has_succeeded(record, read):
        yield f"it had read that {name} has not succeeded"
    yield from _find_cancelled(act, name, read)
    if not running:
        yield from _find_held(record, act, name, read)


def _find_unlisted(
    record: Record, act: Answer | Start, requirement: Requirement, reading: Reading
) -> Iterator[str]:
    """An execution may have begun before those that were listed, and work again after an approval:
    then the state shows it, except in PARALLEL mode.
    """
    name, read = requirement.pipeline, reading.executions
    positions = act.invocation.positions.get(name)
    if not read or reading.has_all:
        return
    if record.executions[max(read, key=lambda id_: read[id_][1])].mode == "PARALLEL":
        return
    if positions is None:
        yield f"it had read neither all executions of {name} nor its state"
    for id_, position in (positions or {}).items():
        if id_ not in read and not requirement.ignores(position):
            yield f"it had read that {name} {id_[:8]}, which began long ago, is running"


def _has_succeeded(record: Record, read: Executions) -> bool:
    """Whether the newest result, in PARALLEL mode the last one, is a success and no rollback's."""
    newest = max(read, key=lambda id_: read[id_][1], default="")
    is_parallel = bool(newest) and record.executions[newest].mode == "PARALLEL"
    results = [
        (
            updated if is_parallel else started,
            status == "Succeeded" and not _is_rollback(id_, record),
        )
        for id_, (status, started, updated) in read.items()
        if status in FINISHED
    ]
    return bool(results) and max(results)[1]


def _is_rollback(id_: str, record: Record) -> bool:
    return record.executions[id_].type == "ROLLBACK"


def _find_cancelled(act: Answer | Start, upstream: str, read: Executions) -> Iterator[str]:
    """One was cancelled a moment ago, and nothing has started it again."""
    now = act.invocation.began.timestamp()
    for id_, (status, _, ended) in read.items():
        is_recent = status == "Cancelled" and now - ended < RESTART_TIME.total_seconds()
        if is_recent and not any(
            started >= ended and other != "Cancelled" for other, started, _ in read.values()
        ):
            yield f"it had read that {upstream} {id_[:8]} was cancelled a moment ago"


def _find_held(
    record: Record, act: Answer | Start, upstream: str, read: Executions
) -> Iterator[str]:
    """The upstream was held during the whole invocation, so it will run again. (In a cycle, a
    pipeline that it waits for does not have to wait for it.)
    """
    newest, (status, began, _) = max(
        read.items(), key=lambda item: item[1][1], default=("", ("", 0.0, 0.0))
    )
    if status != "Failed" or newest not in record.executions:
        return
    if sum(started == began for _, started, _ in read.values()) > 1:
        return  # started at the same moment: either could be the newest
    invocation_began = act.invocation.began
    all_the_time = any(
        since < invocation_began - LONGEST_LAG and (until is None or until > act.at)
        for since, until in record.find_rule_periods(newest)
    )
    started_again = newest not in record.rule_removed and any(
        start.invocation.held_id == newest and start.at < invocation_began
        for start in record.starts
    )
    in_cycle = act.execution.pipeline_name in find_upstreams(record, upstream)
    if (all_the_time or started_again) and not in_cycle:
        yield f"{upstream} {newest[:8]} is held{' and started again' if started_again else ''}"
