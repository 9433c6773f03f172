"""How the run of an action or rule begins and ends, whatever it does (what each kind does stands in
providers.py).
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
    """A new run of an action, recorded and announced; it does nothing yet."""
    action = ActionExecution(stage, declaration, on_end)
    stage.actions[action.name] = action
    stage.execution.actions.append(action)
    stage.execution.updated = utcnow()
    pipeline.actions.append(action)
    pipeline.stage(stage.name).latest_actions[action.name] = action
    _tell(pipeline, action, "STARTED")
    return action


def succeed(pipeline: Pipeline, action: ActionExecution) -> None:
    if action.status == "InProgress":
        _end(action)
        action.status = "Succeeded"
        _tell(pipeline, action, "SUCCEEDED")
        action.on_end()


def fail(pipeline: Pipeline, action: ActionExecution, code: str, message: str) -> None:
    """`code` and `message` become the action's errorDetails."""
    if action.status == "InProgress":
        _end(action)
        action.status = "Failed"
        action.error = (code, message)
        _tell(pipeline, action, "FAILED")
        action.on_end()


def abandon(pipeline: Pipeline, action: ActionExecution, state: str) -> None:
    """End a run without a result, because its execution was stopped ("ABANDONED") or its pipeline
    edited ("CANCELED").
    """
    _end(action)
    action.status = "Abandoned"  # the only such status of an action (model: ActionExecutionStatus)
    _tell(pipeline, action, state)


def _tell(pipeline: Pipeline, action: ActionExecution, state: str) -> None:
    """Rules have no event: pipelines, stages and actions have (guide:
    detect-state-changes-cloudwatch-events).
    """
    if not isinstance(action, RuleExecution):
        events.action_event(pipeline, action, state)


def _end(action: ActionExecution) -> None:
    action.updated = action.execution.updated = utcnow()
    for timer in action.timers:
        timer.cancel()
    action.timers.clear()
