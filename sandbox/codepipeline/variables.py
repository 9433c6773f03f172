"""Pipeline variables and #{namespace.key} in the configuration of an action (guide:
reference-variables) or a rule (model: RuleExecutionInput, resolvedConfiguration).
"""

from __future__ import annotations

import re

from sandbox.codepipeline.exceptions import ValidationException
from sandbox.codepipeline.execution import ActionExecution, PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline

REFERENCE = re.compile(r"#\{([A-Za-z0-9@\-_]+)\.([A-Za-z0-9@\-_]+)\}")


class ExportedVariables(dict[str, str]):
    """What an action put out whose work the sandbox does not do. A build exports the variables that
    its buildspec names (guide: action-reference-CodeBuild), a stack its outputs, and so on: each
    name gets a placeholder.
    """

    def __missing__(self, name: str) -> str:
        return f"sandbox-{name}"


class Unresolvable(Exception):
    """A configuration names a variable that has no value in this execution."""


def collect_variables(pipeline: Pipeline, requested: list[dict[str, str]]) -> dict[str, str]:
    """The variables of a new execution by name: the declared defaults, overridden by what
    StartPipelineExecution gives.

    ValidationException for a name that the pipeline does not declare. A declared one that has
    neither a default nor a given value is left out (AWS does not say; an action that uses it
    fails).
    """
    declared = pipeline.pipeline.get("variables") or []
    values = {
        variable["name"]: variable["defaultValue"]
        for variable in declared
        if "defaultValue" in variable
    }
    names = {variable["name"] for variable in declared}
    for variable in requested:
        if variable["name"] not in names:
            raise ValidationException(
                f"Pipeline '{pipeline.name}' does not declare the variable '{variable['name']}'"
            )
        values[variable["name"]] = variable["value"]
    return values


def resolve_configuration(action: ActionExecution) -> dict[str, str]:
    """The action's or rule's configuration with every #{...} replaced. Unresolvable, with a message
    for people, if one has no value.
    """
    configuration: dict[str, str] = action.declaration.get("configuration") or {}
    if not any("#{" in value for value in configuration.values()):
        return dict(configuration)
    values = _collect_values(action.execution)

    def value(match: re.Match[str]) -> str:
        namespace, key = match.groups()
        try:
            return values[namespace][key]
        except KeyError:
            raise Unresolvable(
                f"The variable {match.group()} in the configuration of {action.kind} "
                f"'{action.name}' has no value in this execution"
            ) from None

    return {key: REFERENCE.sub(value, text) for key, text in configuration.items()}


def _collect_values(execution: PipelineExecution) -> dict[str, dict[str, str]]:
    values = {
        "codepipeline": {"PipelineExecutionId": execution.id},
        "variables": execution.variables,
    }
    # A rollback uses the variables of the execution to which it goes back (guide: stage-rollback).
    earlier = [] if execution.rollback_target is None else execution.rollback_target.actions
    for action in (*earlier, *execution.actions):
        if action.status == "Succeeded" and "namespace" in action.declaration:
            is_played = action.type["category"] in ("Source", "Approval") or (
                action.type["provider"] == "Lambda"
            )
            values[action.declaration["namespace"]] = (
                action.output_variables if is_played else ExportedVariables(action.output_variables)
            )
    return values
