"""How a pipeline stands, in a word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import Wait

Word = Literal["waits", "asks", "runs", "succeeded", "failed", "stopped", "other", "idle", "unseen"]
"""waits: at its gate; asks: for a person; succeeded, failed, stopped: how its last execution ended,
other: without a result of its own; idle: it has not run; unseen: it may not be looked at.
"""


@dataclass(frozen=True)
class PipelineStatus:
    """`since`: when that began (aware UTC); `execution`: whose state it is."""

    word: Word
    since: datetime | None = None
    execution: str | None = None


def find_state(pipeline: Pipeline, waits: Iterable[Wait]) -> PipelineStatus:
    """Of several executions the one that says most: a wait before a run, a run before what is
    over.
    """
    held = [wait for wait in waits if wait.pipeline == pipeline.name and wait.may_stand]
    if held:
        return PipelineStatus("waits", held[0].since, held[0].execution)
    if pipeline.unseen:
        return PipelineStatus("unseen")
    running = next((execution for execution in pipeline.executions if execution.running), None)
    if running:
        parked = pipeline.state.parked(running.id) if pipeline.state else None
        return (
            PipelineStatus("asks", parked.since, running.id)
            if parked
            else PipelineStatus("runs", running.started, running.id)
        )
    if not pipeline.executions:
        return PipelineStatus("idle")
    last = next(
        (execution for execution in pipeline.executions if execution.finished),
        pipeline.executions[0],
    )
    words: dict[str, Word] = {"Succeeded": "succeeded", "Failed": "failed", "Stopped": "stopped"}
    return PipelineStatus(words.get(last.status, "other"), last.updated, last.id)
