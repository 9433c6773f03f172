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


def describe_unknown_owner(key: str) -> str:
    right = {
        "pipeline": '"pipeline": "<this pipeline\'s name>"',
        "execution": '"execution": "#{codepipeline.PipelineExecutionId}"',
    }
    return (
        f"The gate has to hold this pipeline, but CodePipeline did not send its {key}. "
        f"Add {right[key]} to this action's UserParameters."
    )


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
