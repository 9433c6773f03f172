"""What people read if a gate refuses its action: the message of the failed action."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.errors import UnexpectedAnswer
from chalicelib.phrases import join_names


def describe_missing_upstream(name: str, account: str, region: str) -> str:
    return (
        f"There is no pipeline {name} in account {account}, region {region}. "
        "Correct depends_on in this action's UserParameters. Names are case-sensitive."
    )


def describe_missing_region(name: str, region: str | None, partition: str) -> str:
    return (
        f"{name} cannot be in region {region}: partition {partition}, which the gate is in, has no "
        "such region with CodePipeline. Correct the ARN in this action's UserParameters."
    )


def describe_missing_stage(pipeline: str, stage: str, stages: Sequence[str]) -> str:
    return (
        f"{pipeline} has no stage {stage}; it has {join_names(stages)}. "
        "Correct depends_on in this action's UserParameters. Names are case-sensitive."
    )


def describe_foreign_execution(execution: str, pipeline: str) -> str:
    return (
        f"{pipeline} has no execution {execution}. In this action's UserParameters, `pipeline` "
        "must be the name of the pipeline that contains this action, and `execution` must be "
        '"#{codepipeline.PipelineExecutionId}".'
    )


def describe_foreign_pipeline(claimed: str, pipeline: str | None) -> str:
    return (
        f"This action is in the pipeline {pipeline}, but its UserParameters name the pipeline "
        f"{claimed}. Correct `pipeline`: a gate can only hold its own pipeline."
    )


def describe_finished_execution(execution: str, pipeline: str, status: str) -> str:
    return (
        f"Execution {execution} of {pipeline} is {status}, so it is not waiting at this action. In "
        "this action's UserParameters, `execution` must be "
        '"#{codepipeline.PipelineExecutionId}".'
    )


def describe_no_gate_in_progress(execution: str, pipeline: str) -> str:
    return (
        f"In execution {execution} of {pipeline}, no action of this gate is in progress, so it is "
        "not waiting at this action. In this action's UserParameters, `pipeline` must be the name "
        "of the pipeline that contains this action, and `execution` must be "
        '"#{codepipeline.PipelineExecutionId}".'
    )


def describe_unknown_owner(key: str) -> str:
    right = {
        "pipeline": '"pipeline": "<this pipeline\'s name>"',
        "execution": '"execution": "#{codepipeline.PipelineExecutionId}"',
    }
    return (
        f"The gate has to hold this pipeline, but CodePipeline did not send its {key}. "
        f"Add {right[key]} to this action's UserParameters."
    )


def describe_no_room(pipeline: str) -> str:
    """Return why a stage's condition cannot hold `pipeline`: no further rule can be created."""
    return (
        f"The gate cannot hold {pipeline}: the quota of EventBridge rules is used up, and a stage "
        "condition cannot stay in progress until a rule can be created. Remove rules that are not "
        "needed, or ask AWS for a higher quota. Then retry this stage."
    )


def describe_closed_condition(decision: object) -> str:
    """Return the error with which the gate ends if it keeps a stage closed; `decision`: as logged.

    It is short and names nothing, because Lambda may put it into logs and queues.
    """
    return f"The gate keeps this stage closed ({decision}). The gate function's log has the reason."


def describe_defect(error: Exception, request: str) -> str:
    """Return what the console shows about a defect of the gate: only its kind.

    `request`: the id of the invocation whose log has the details.
    """
    kind = str(error) if isinstance(error, UnexpectedAnswer) else type(error).__name__
    return (
        f"The gate itself failed ({kind}). This may have nothing to do with your pipelines or this "
        "action's parameters. Retry this stage. If it fails again, report what the gate "
        f"function's log says about request {request}."
    )
