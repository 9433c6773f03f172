"""The status of a pipeline, in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import Wait

StatusWord = Literal[
    "waits", "asks", "runs", "succeeded", "failed", "stopped", "other", "idle", "unseen"
]
"""waits: at its gate; asks: it needs a person; runs: an execution is in progress;
succeeded, failed, stopped: the result of its last execution; other: that one has no result;
idle: it has not run; unseen: AWS does not let it be read.
"""


@dataclass(frozen=True)
class PipelineStatus:
    """A pipeline's status, since when (aware UTC), and the id of the execution that has it."""

    word: StatusWord
    since: datetime | None = None
    execution: str | None = None


def find_status(pipeline: Pipeline, waits: Iterable[Wait]) -> PipelineStatus:
    """Return the status of a pipeline.

    If it has several executions, a waiting one counts before a running one, and a running one
    before one that has ended.
    """
    held = [wait for wait in waits if wait.pipeline == pipeline.name and wait.may_stand]
    if held:
        return PipelineStatus("waits", held[0].since, held[0].execution)
    if pipeline.unseen:
        return PipelineStatus("unseen")
    running = next((execution for execution in pipeline.executions if execution.running), None)
    if running:
        parked = pipeline.state.find_parked(running.id) if pipeline.state else None
        if parked:
            return PipelineStatus("asks", parked.since, running.id)
        return PipelineStatus("runs", running.started, running.id)
    if not pipeline.executions:
        return PipelineStatus("idle")
    finished = (execution for execution in pipeline.executions if execution.finished)
    last = next(finished, pipeline.executions[0])
    words: dict[str, StatusWord] = {
        "Succeeded": "succeeded",
        "Failed": "failed",
        "Stopped": "stopped",
    }
    return PipelineStatus(words.get(last.status, "other"), last.updated, last.id)
