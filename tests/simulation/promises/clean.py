"""Clean: when all pipelines are idle, no rule of the gate that has a target is left; and if nothing
went wrong, no rule without a target either.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sandbox.clock import utcnow
from tests.simulation.record import Record
from tests.simulation.rules import find_held, find_rules
from tests.simulation.settings import read_settings

DELETE_TIME = timedelta(seconds=10)
"""How long the retry function repeats DeleteRule."""


def clean(record: Record) -> Iterator[str]:
    running = [
        f"{name} {execution.id[:8]}"
        for name, pipeline in record.pipelines.items()
        if not pipeline.deleted
        for execution in pipeline.running.values()
    ]
    if running:
        yield f"some executions never end: {', '.join(running)} still running"
    for held in find_held():
        if not _waits_for_a_success(record, held):
            yield f"the rule of {held[:8]} is left with its target"
    lingering = record.dials.targets_linger
    # Without its pauses, the retry function repeats DeleteRule too soon.
    deleted = lingering < DELETE_TIME and not (lingering and record.left_out_pause)
    went_well = deleted and not record.disturbances
    for held, rule in find_rules().items():
        if went_well and not rule.targets:
            yield f"the rule of {held[:8]} is left without a target"


def _waits_for_a_success(record: Record, held: str) -> bool:
    """Whether it requires a success that is impossible, such as that of a pipeline whose own
    upstream was deleted.
    """
    required = {name for job in record.find_jobs(held) for name in read_settings(job).required}
    newest = [record.newest_finished(name, utcnow()) for name in required]
    return any(one is None or one[1] != "SUCCEEDED" for one in newest)
