"""What a function had read of an upstream that should have kept it from going on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tests.simulation.orders import Wanted
from tests.simulation.record import RUNNING, Record
from tests.simulation.turns import Read, Stood, Turn
from tests.simulation.waiters import waits_for

FINISHED = ("Succeeded", "Failed", "Stopped")


def unsatisfied(
    record: Record, wanted: Wanted, turn: Turn, all_read: Read, until: datetime, asker: str
) -> Iterator[str]:
    """Why, as the answers stood that `turn` had read `until` then, `wanted` is not as the pipeline
    `asker` wants it.
    """
    read = all_read.get(wanted.pipeline, {})
    if wanted.pipeline not in turn.complete:
        yield f"it had not read all executions of {wanted.pipeline}"
    stood = turn.stood.get(wanted.pipeline, {})
    running = [id_ for id_, (status, _) in read.items() if status in RUNNING]
    for execution in running:
        if not wanted.left_aside(stood.get(execution, Stood())):
            yield f"it had read that {wanted.pipeline} {execution[:8]} is {read[execution][0]}"
    if wanted.require == "succeeded" and wanted.stage:
        reads = turn.in_stage.get((wanted.pipeline, wanted.stage), [("", "never run")])
        last, status = reads[-1]
        if status != "Succeeded":
            yield f"it had read that {wanted.pipeline}'s {wanted.stage} is {status} ({last[:8]})"
    elif wanted.require == "succeeded":
        finished = [(started, status) for status, started in read.values() if status in FINISHED]
        if not finished or max(finished)[1] != "Succeeded":
            yield f"it had read that {wanted.pipeline} has not succeeded"
    if not running:
        yield from _held(record, wanted, turn, read, until, asker)


def _held(
    record: Record,
    wanted: Wanted,
    turn: Turn,
    read: dict[str, tuple[str, float]],
    until: datetime,
    asker: str,
) -> Iterator[str]:
    """The gate holds it itself, and did so all the time: it will run again. (Whom it would wait for
    in a circle need not wait for it.)
    """
    newest = max(read.items(), key=lambda item: item[1][1], default=None)
    if newest is None or newest[1][0] != "Failed" or newest[0] not in record.executions:
        return
    if sum(started == newest[1][1] for _, started in read.values()) > 1:
        return  # which of them is the newest, nobody can tell
    all_the_time = any(
        began < turn.began and (ended is None or ended > until)
        for began, ended in record.ruled_pieces(newest[0])
    )
    if all_the_time and asker not in waits_for(record, wanted.pipeline):
        yield f"{wanted.pipeline} {newest[0][:8]} is held itself"
