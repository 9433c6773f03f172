"""Same: what continues is what was held. Only after an ordinary push, or if the gate's `revisions`
say so, a restart takes the latest revisions.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.record import Record, label
from tests.simulation.revisions import took_what_no_start_takes
from tests.simulation.settings import read_settings

PUSHES = ("Webhook", "CloudWatchEvent")


def same(record: Record) -> Iterator[str]:
    for start in record.starts:
        held, new = record.executions.get(start.invocation.held_id), start.execution
        if held is None:
            continue
        revisions = {read_settings(job).revisions for job in record.find_jobs(held.id)}
        if len(revisions) != 1:
            continue
        about = f"{label(new)}, restart of {held.id[:8]},"
        is_parallel = held.mode == "PARALLEL"
        follows_push = revisions == {None} and not is_parallel and _began_by_push(held)
        keeps = revisions == {"held"} or is_parallel or _is_kept(record, held)
        if revisions == {"latest"} or follows_push:
            if new.overrides:
                yield f"{about} did not take the latest revisions"
        elif keeps and not _has_revisions(new, held):
            yield f"{about} took another revision"


def _began_by_push(execution: PipelineExecution) -> bool:
    return execution.trigger_type in PUSHES and not took_what_no_start_takes(execution)


def _is_kept(record: Record, execution: PipelineExecution) -> bool:
    """Whether an execution keeps its revisions. A restart does if the execution in whose place it
    was started does.
    """
    starts = [one for one in record.starts if one.execution is execution]
    before = record.executions.get(starts[0].invocation.held_id) if starts else None
    if before is not None:
        return _is_kept(record, before) and _has_revisions(execution, before)
    return not _began_by_push(execution)


def _has_revisions(restart: PipelineExecution, held: PipelineExecution) -> bool:
    """Whether a restart took the same revisions. If its source failed, it took none."""
    return all(
        restart.revisions.get(action, revision).id == revision.id
        for action, revision in held.revisions.items()
    )
