"""CodePipeline's state-change events (guide: detect-state-changes-cloudwatch-events). Their numbers
are floats.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sandbox.codepipeline import outside, shapes
from sandbox.codepipeline.execution import ActionExecution, PipelineExecution, StageExecution
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.world import current_world


def send_pipeline_event(pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
    """STARTED, SUCCEEDED, RESUMED, FAILED, STOPPING, STOPPED, CANCELED or SUPERSEDED."""
    detail = _build_detail(execution, execution.started, state)
    if state == "STARTED":  # the trigger as the API shows it is in this state only
        detail["execution-trigger"] = {
            "trigger-type": execution.trigger_type,
            "trigger-detail": execution.trigger_detail,
        }
    elif state in ("SUCCEEDED", "FAILED") and (variables := _find_trigger_variables(execution)):
        detail["execution-trigger"] = {
            re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): value
            for name, value in variables.items()
        }
    if state == "STOPPING" and execution.stop_reason:
        detail["stop-execution-comments"] = execution.stop_reason
    _send_event(pipeline, execution, "Pipeline", detail)


def _find_trigger_variables(execution: PipelineExecution) -> dict[str, str]:
    """What the source of a trigger with filters put out: the guide's "example with Git tags" has
    the same in its trigger, under other names. Nothing if the execution failed before.
    """
    for action in execution.actions:
        if action.name in execution.triggered_revisions and action.output_variables:
            return action.output_variables
    return {}


def send_stage_event(pipeline: Pipeline, stage: StageExecution, state: str) -> None:
    """STARTED, SUCCEEDED, RESUMED, FAILED, STOPPING, STOPPED or CANCELED."""
    detail = _build_detail(stage.execution, stage.execution.started, state) | {"stage": stage.name}
    if stage.retried is not None:
        detail["stage-last-retry-attempt-time"] = _format_time(stage.retried)
    _send_event(pipeline, stage.execution, "Stage", detail)


def send_action_event(pipeline: Pipeline, action: ActionExecution, state: str) -> None:
    """STARTED, SUCCEEDED, FAILED, ABANDONED or CANCELED."""
    detail = _build_detail(action.execution, action.started, state) | {
        "stage": action.stage.name,
        "action": action.name,
        "action-execution-id": action.id,
        "region": action.declaration.get("region", pipeline.region),
        "type": dict(action.type),
    }
    if state in ("SUCCEEDED", "FAILED"):
        code, message = action.error or (None, None)
        result = {
            "external-execution-id": action.external_id,
            "external-execution-summary": message or action.summary,
            "error-code": code,
        }
        detail["execution-result"] = {
            key: value for key, value in result.items() if value is not None
        }
    _send_event(pipeline, action.execution, "Action", detail)


def _build_detail(execution: PipelineExecution, start: datetime, state: str) -> dict[str, Any]:
    return {
        "pipeline": execution.pipeline_name,
        "execution-id": execution.id,
        "start-time": _format_time(start),
        "state": state,
        "version": float(execution.pipeline_version),
        "pipeline-execution-attempt": float(execution.attempt),
    }


def _format_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _send_event(
    pipeline: Pipeline, execution: PipelineExecution, kind: str, detail: dict[str, Any]
) -> None:
    if current_world().dials.answer_age is not None:
        execution.past.note(shapes.render_execution_summary(execution))
        pipeline.past.note(shapes.render_pipeline_state(pipeline))
    if current_world().dials.events_on:
        outside.send_event(
            pipeline.account_id,
            pipeline.region,
            detail_type=f"CodePipeline {kind} Execution State Change",
            detail=detail,
            pipeline_arn=pipeline.arn,
        )
