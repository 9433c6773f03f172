"""What a pipeline's declaration has to be beyond the limits of the model (guide: reference-pipeline-structure)."""

from __future__ import annotations

from moto.codepipeline.exceptions import InvalidStructureException

from sandbox.codepipeline.exceptions import InvalidActionDeclarationException, InvalidStageDeclarationException
from sandbox.codepipeline.execution import Declaration


def check(pipeline: Declaration) -> None:
    """InvalidStructure-, InvalidStage- or InvalidActionDeclarationException where CreatePipeline or UpdatePipeline refuses it."""
    stages = pipeline["stages"]
    if len(stages) < 2:
        raise InvalidStructureException(f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline")
    if ("artifactStore" in pipeline) == ("artifactStores" in pipeline):  # (model: PipelineDeclaration)
        raise InvalidStructureException("A pipeline must have either artifactStore or artifactStores, and not both")
    names = [stage["name"] for stage in stages]
    if len(set(names)) < len(names):
        raise InvalidStageDeclarationException("The names of a pipeline's stages must be unique")
    for stage in stages:
        check_actions(stage, first=stage is stages[0])
    check_type(pipeline)


def check_actions(stage: Declaration, *, first: bool) -> None:
    names = [action["name"] for action in stage["actions"]]
    if not names:
        raise InvalidStageDeclarationException(f"Stage '{stage['name']}' must have at least one action")
    if len(set(names)) < len(names):
        raise InvalidActionDeclarationException(f"The names of the actions in stage '{stage['name']}' must be unique")
    for action in stage["actions"]:
        if (action["actionTypeId"]["category"] == "Source") != first:
            raise InvalidStructureException(
                f"Action '{action['name']}' in stage '{stage['name']}': the first stage must have source actions only, "
                "and no other stage may have one"
            )
        if action["actionTypeId"]["provider"] == "Lambda" and "FunctionName" not in (action.get("configuration") or {}):
            raise InvalidActionDeclarationException(f"Action '{action['name']}': its configuration must have a FunctionName")


def check_type(pipeline: Declaration) -> None:
    """A V1 pipeline has neither variables nor another mode than SUPERSEDED (guide: pipeline-types)."""
    if pipeline.get("pipelineType", "V1") == "V2":
        return
    if pipeline.get("executionMode", "SUPERSEDED") != "SUPERSEDED":
        raise InvalidStructureException(f"Execution mode {pipeline['executionMode']} needs a pipeline of type V2")
    if pipeline.get("variables"):
        raise InvalidStructureException("Pipeline variables need a pipeline of type V2")
