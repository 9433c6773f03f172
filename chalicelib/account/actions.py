"""What the gate actions of a pipeline show: which executions are waiting, and for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.account.gates import Gate, is_local
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import Wait
from chalicelib.holds.fate import HELD
from chalicelib.holds.mode import WAIT
from chalicelib.pipelines.execution import PARALLEL
from chalicelib.pipelines.state import ActionState
from chalicelib.pipelines.wait_cycles import MARK_LENGTH, read_mark

LONG_EDGE_CHARACTERS = 300
"""A mark that has fewer characters left may have had no room for another wait."""


def list_hidden_executions(pipeline: Pipeline) -> list[str]:
    """Return the executions that may wait with their action in progress, but are not shown in the
    state: of each stage AWS shows only the latest (guide: executions-view).
    """
    state = pipeline.state
    if state is None or pipeline.mode != PARALLEL:
        return []
    stages = {
        gate.stage
        for gate in pipeline.gates
        if gate.parameters and gate.parameters.mode.stays_in_progress
    }
    shown = {(stage.name, stage.execution) for stage in state.stages}

    def is_hidden(execution: str) -> bool:
        return any(
            (stage, execution) not in shown and not state.is_past(execution, stage)
            for stage in stages
        )

    running = [execution.id for execution in pipeline.executions if execution.running]
    return [execution for execution in running if is_hidden(execution)]


def list_gate_actions(pipeline: Pipeline, execution: str) -> Iterator[tuple[Gate, ActionState]]:
    """Yield its gates as they stand for an execution: by the state, or else by their attempts."""
    attempts = {
        (attempt.stage, attempt.action): attempt for attempt in pipeline.hidden.get(execution, ())
    }
    for gate in pipeline.gates:
        stage = pipeline.state.find_stage(gate.stage) if pipeline.state else None
        if stage and stage.execution == execution:
            yield from ((gate, action) for action in stage.actions if action.name == gate.action)
        elif attempt := attempts.get((gate.stage, gate.action)):
            action = ActionState(
                gate.action,
                attempt.status,
                attempt.started,
                approval=False,
                mark=attempt.mark,
                message=attempt.message,
                verdict=attempt.verdict,
            )
            yield gate, action


def find_failure_message(pipeline: Pipeline | None, execution: str) -> str:
    """Return what the console shows at the gate that failed an execution; "" if it shows none."""
    actions = list_gate_actions(pipeline, execution) if pipeline else ()
    return next((action.message for _, action in actions if action.status == "Failed"), "")


def find_waits_in_progress(pipeline: Pipeline, region: str) -> Iterator[Wait]:
    """Yield the executions whose gate actions are kept in progress, each once. `region`: the
    pipeline's.
    """
    for execution in [run.id for run in pipeline.executions if run.running]:
        open_actions = [
            (gate, action)
            for gate, action in list_gate_actions(pipeline, execution)
            if action.status == "InProgress" and action.message
        ]
        if open_actions:
            yield _build_wait(pipeline.name, execution, open_actions, region)


def _build_wait(
    pipeline: str, execution: str, open_actions: Sequence[tuple[Gate, ActionState]], region: str
) -> Wait:
    begins = [(gate, _find_begin(action)) for gate, action in open_actions]
    deadlines = [
        since + timedelta(minutes=gate.parameters.give_up_minutes)
        for gate, since in begins
        if since and gate.parameters and gate.parameters.give_up_minutes
    ]
    labels = [
        label for gate, action in open_actions for label in _list_labels(gate, action, region)
    ]
    modes = [gate.parameters.mode for gate, _ in open_actions if gate.parameters]
    return Wait(
        pipeline,
        execution,
        next((mode for mode in modes if mode.stays_in_progress), WAIT),
        tuple(dict.fromkeys(labels)),
        min((since for _, since in begins if since), default=None),
        give_up=min(deadlines, default=None),
        gives_up=min(deadlines, default=None),
        reason=" ".join(dict.fromkeys(action.message for _, action in open_actions)),
        gates=tuple(gate for gate, _ in open_actions),
        begins={
            (gate.stage, gate.action): mark.since
            for gate, action in open_actions
            if (mark := read_mark(action.mark))
        },
        fate=HELD,
    )


def _find_begin(action: ActionState) -> datetime | None:
    mark = read_mark(action.mark)
    return mark.since if mark else action.since


def _list_labels(gate: Gate, action: ActionState, region: str) -> list[str]:
    """Return the labels of the upstreams that the action is waiting for.

    These are the entries of its depends_on that its mark names, and those that a mark cannot name:
    upstreams elsewhere, and those for which it had no room.
    """
    mark = read_mark(action.mark)
    marked = [edge.pipeline for edge in mark.waits] if mark else []
    mark_is_full = len(action.mark) > MARK_LENGTH - LONG_EDGE_CHARACTERS
    entries = [
        entry.relative_to(region)
        for entry in (gate.parameters.depends_on if gate.parameters else ())
    ]
    labels = [
        entry.label
        for entry in entries
        if mark_is_full or not is_local(entry, region) or entry.name in marked
    ]
    return labels or marked or [entry.label for entry in entries]
