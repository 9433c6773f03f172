"""How the run of an action or rule begins and ends. providers.py says what each kind does in
between.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.clock import utcnow
from sandbox.codepipeline import events
from sandbox.codepipeline.execution import (
    ActionExecution,
    Declaration,
    RuleExecution,
    StageExecution,
)
from sandbox.codepipeline.pipeline import Pipeline


def begin(
    pipeline: Pipeline, stage: StageExecution, declaration: Declaration, on_end: Callable[[], None]
) -> ActionExecution:
    """Record and announce a new run of an action, which does nothing yet."""
    action = ActionExecution(stage, declaration, on_end)
    stage.actions[action.name] = action
    stage.execution.actions.append(action)
    stage.execution.updated = utcnow()
    pipeline.actions.append(action)
    pipeline.stage(stage.name).latest_actions[action.name] = action
    _announce(pipeline, action, "STARTED")
    return action


def succeed(pipeline: Pipeline, action: ActionExecution) -> None:
    if action.status == "InProgress":
        _end_run(action)
        action.status = "Succeeded"
        _announce(pipeline, action, "SUCCEEDED")
        action.on_end()


def fail(pipeline: Pipeline, action: ActionExecution, code: str, message: str) -> None:
    """`code` and `message` become the action's errorDetails."""
    if action.status == "InProgress":
        _end_run(action)
        action.status = "Failed"
        action.error = (code, message)
        _announce(pipeline, action, "FAILED")
        action.on_end()


def abandon(pipeline: Pipeline, action: ActionExecution, state: str) -> None:
    """End a run without a result, because its execution was stopped ("ABANDONED") or its pipeline
    edited ("CANCELED").
    """
    _end_run(action)
    action.status = "Abandoned"  # the only such status of an action (model: ActionExecutionStatus)
    _announce(pipeline, action, state)


def _announce(pipeline: Pipeline, action: ActionExecution, state: str) -> None:
    """Send the action's event. Rules have none (guide: detect-state-changes-cloudwatch-events)."""
    if not isinstance(action, RuleExecution):
        events.send_action_event(pipeline, action, state)


def _end_run(action: ActionExecution) -> None:
    action.updated = action.execution.updated = utcnow()
    for timer in action.timers:
        timer.cancel()
    action.timers.clear()
