"""The rules for a pipeline's declaration that are not in the model (guide:
reference-pipeline-structure).
"""

from __future__ import annotations

from moto.codepipeline.exceptions import InvalidStructureException

from sandbox.codepipeline import conditions, triggers
from sandbox.codepipeline.exceptions import (
    InvalidActionDeclarationException,
    InvalidStageDeclarationException,
)
from sandbox.codepipeline.execution import Declaration
from sandbox.codepipeline.pipeline import find_type


def check_pipeline(pipeline: Declaration) -> None:
    """InvalidStructure-, InvalidStage- or InvalidActionDeclarationException if CreatePipeline or
    UpdatePipeline refuses the declaration.
    """
    stages = pipeline["stages"]
    if len(stages) < 2:
        raise InvalidStructureException(
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in "
            "a pipeline"
        )
    # (model: PipelineDeclaration)
    if ("artifactStore" in pipeline) == ("artifactStores" in pipeline):
        raise InvalidStructureException(
            "A pipeline must have either artifactStore or artifactStores, and not both"
        )
    names = [stage["name"] for stage in stages]
    if len(set(names)) < len(names):
        raise InvalidStageDeclarationException("The names of a pipeline's stages must be unique")
    for stage in stages:
        check_actions(stage, first=stage is stages[0])
        check_entry(stage)
        check_failure(stage, pipeline)
    check_type(pipeline)
    triggers.check_triggers(pipeline)


def check_actions(stage: Declaration, *, first: bool) -> None:
    names = [action["name"] for action in stage["actions"]]
    if not names:
        raise InvalidStageDeclarationException(
            f"Stage '{stage['name']}' must have at least one action"
        )
    if len(set(names)) < len(names):
        raise InvalidActionDeclarationException(
            f"The names of the actions in stage '{stage['name']}' must be unique"
        )
    for action in stage["actions"]:
        if (action["actionTypeId"]["category"] == "Source") != first:
            raise InvalidStructureException(
                f"Action '{action['name']}' in stage '{stage['name']}': the first stage must have "
                "source actions only, "
                "and no other stage may have one"
            )
        if action["actionTypeId"]["provider"] == "Lambda" and "FunctionName" not in (
            action.get("configuration") or {}
        ):
            raise InvalidActionDeclarationException(
                f"Action '{action['name']}': its configuration must have a FunctionName"
            )


def check_entry(stage: Declaration) -> None:
    """The entry condition (guide: stage-conditions, rule-reference-LambdaInvoke)."""
    condition = conditions.find_condition(stage)
    if condition is None:
        return
    rules, result = condition.get("rules") or [], condition.get("result", "FAIL")
    if result not in ("FAIL", "SKIP"):
        raise InvalidStageDeclarationException(
            f"Stage '{stage['name']}': the result of an entry condition is FAIL or SKIP, not "
            f"{result}"
        )
    if not rules or len({rule["name"] for rule in rules}) < len(rules):
        raise InvalidStageDeclarationException(
            f"Stage '{stage['name']}': its entry condition must have rules, each with a name of "
            "its own"
        )
    for rule in rules:
        provider = rule["ruleTypeId"]["provider"]
        if result == "SKIP" and provider not in ("LambdaInvoke", "VariableCheck"):
            raise InvalidStageDeclarationException(
                f"Stage '{stage['name']}': an entry condition that skips takes LambdaInvoke and "
                f"VariableCheck rules only, not {provider}"
            )
        if provider == "LambdaInvoke" and "FunctionName" not in (rule.get("configuration") or {}):
            raise InvalidStageDeclarationException(
                f"Rule '{rule['name']}': its configuration must have a FunctionName"
            )


def check_failure(stage: Declaration, pipeline: Declaration) -> None:
    """No rollback in PARALLEL mode (guide: execution-modes); no automatic retry with conditions
    (guide: stage-conditions).
    """
    on_failure = stage.get("onFailure") or {}
    nested = on_failure.get("conditions") or []
    if pipeline.get("executionMode") == "PARALLEL" and "ROLLBACK" in (
        on_failure.get("result"),
        *(each.get("result") for each in nested),
    ):
        raise InvalidStageDeclarationException(
            f"Stage '{stage['name']}': a pipeline in PARALLEL mode cannot roll back on failure"
        )
    if on_failure.get("result") == "RETRY" and nested:
        raise InvalidStageDeclarationException(
            f"Stage '{stage['name']}': automatic retry cannot be combined with onFailure conditions"
        )


def check_type(pipeline: Declaration) -> None:
    """A V1 pipeline has neither variables nor triggers nor another mode than SUPERSEDED (guide:
    pipeline-types), and no conditions (AWS's announcement of them: "V2 type pipelines now support
    stage level conditions").
    """
    if find_type(pipeline) == "V2":
        return
    if pipeline.get("executionMode", "SUPERSEDED") != "SUPERSEDED":
        raise InvalidStructureException(
            f"Execution mode {pipeline['executionMode']} needs a pipeline of type V2"
        )
    if pipeline.get("variables"):
        raise InvalidStructureException("Pipeline variables need a pipeline of type V2")
    if pipeline.get("triggers"):
        # (practice: cloudposse/terraform-aws-ecs-codepipeline#145)
        raise InvalidStructureException("Triggers on tag can only be used with V2 pipelines")
    for stage in pipeline["stages"]:
        if any(stage.get(key) for key in ("beforeEntry", "onSuccess", "onFailure")):
            raise InvalidStructureException(
                f"The conditions of stage '{stage['name']}' need a pipeline of type V2"
            )
