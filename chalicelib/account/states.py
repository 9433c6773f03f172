"""The status of a pipeline, in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chalicelib.account.gates import Gate
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import Wait
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.state import Parked, PipelineState
from chalicelib.pipelines.upstream import Upstream

StatusWord = Literal[
    "waits", "asks", "runs", "succeeded", "failed", "stopped", "other", "idle", "unseen"
]
"""waits: at its gate; asks: it needs a person; runs: an execution is in progress;
succeeded, failed, stopped: the result of its last execution; other: it was cancelled or superseded;
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
    upstream = Upstream(Dependency(pipeline.name), pipeline.executions)
    last = upstream.newest_finished or pipeline.executions[0]
    words: dict[str, StatusWord] = {
        "Succeeded": "succeeded",
        "Failed": "failed",
        "Stopped": "stopped",
    }
    return PipelineStatus(words.get(last.status, "other"), last.updated, last.id)


def list_unchecked_upstreams(pipeline: Pipeline, execution: str) -> tuple[Dependency, ...]:
    """Return what a gate has checked before a person kept the execution, and no gate after that
    checks again. () if the execution does not need a person.
    """
    state = pipeline.state
    parked = state.find_parked(execution) if state else None
    if state is None or parked is None:
        return ()
    holding = [gate for gate in pipeline.gates if gate.parameters and not gate.parameters.observe]
    passed = [gate for gate in holding if _is_passed(state, gate, execution, parked)]
    checked_later = {
        dependency.pipeline
        for gate in holding
        if gate not in passed
        for dependency in _list_dependencies(gate)
    }
    dependencies = [dependency for gate in passed for dependency in _list_dependencies(gate)]
    return tuple(dict.fromkeys(each for each in dependencies if each.pipeline not in checked_later))


def _is_passed(state: PipelineState, gate: Gate, execution: str, parked: Parked) -> bool:
    """Return whether a gate comes before the place at which the execution needs a person."""
    names = [stage.name for stage in state.stages]
    if gate.stage != parked.stage:
        return gate.stage in names and names.index(gate.stage) < names.index(parked.stage)
    stage = state.stages[names.index(gate.stage)]
    if stage.execution != execution:
        return False
    return gate.condition or any(
        action.name == gate.action and action.status == "Succeeded" for action in stage.actions
    )


def _list_dependencies(gate: Gate) -> tuple[Dependency, ...]:
    return gate.parameters.depends_on if gate.parameters else ()
