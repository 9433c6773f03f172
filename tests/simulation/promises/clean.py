"""Clean: when all is idle, no rule of the gate is left that has a target."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.clock import utcnow
from tests.simulation.orders import order
from tests.simulation.record import Record
from tests.simulation.rules import with_target


def clean(record: Record) -> Iterator[str]:
    running = [
        f"{name} {one.id[:8]}"
        for name, pipeline in record.pipelines.items()
        if not pipeline.deleted
        for one in pipeline.running.values()
    ]
    if running:
        yield f"Clean: it never comes to rest: {', '.join(running)} still running"
    for name in with_target():
        if not _waits_for_a_success(record, name[-36:]):
            yield f"Clean: the rule of {name[-36:-28]} is left with its target"


def _waits_for_a_success(record: Record, held: str) -> bool:
    """It requires a success that nobody could bring about, such as that of a pipeline whose own
    upstream was deleted.
    """
    wanted = [one for job in record.jobs_of(held) for one in order(job).wanted]
    required = {one.pipeline for one in wanted if one.require == "succeeded"}
    newest = [record.newest_finished(name, utcnow()) for name in required]
    return any(one is None or one[1] != "SUCCEEDED" for one in newest)
