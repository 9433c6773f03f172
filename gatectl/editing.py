"""Changing a pipeline's structure: read it, show what would change and what that costs, ask, and
change it unless somebody else has changed it meanwhile.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence

import click
from rich.text import Text

from chalicelib.account.attempts import find_last_gate_attempts, list_attempts
from chalicelib.account.gates import find_gates
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import (
    CredentialsRejected,
    NoAnswer,
    NotPermitted,
    PipelineNotFound,
    UnexpectedAnswer,
)
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import NAME, Attempt
from gatectl.arguments import build_missing_pipeline_error
from gatectl.session import FAULTS_FOUND, Interrupted, Place, Refused
from gatectl.structure import Declaration

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def edit_pipeline(
    place: Place,
    declared: Declaration,
    changed: Declaration,
    *,
    warnings: Sequence[str] = (),
    unchanged_text: str,
    changed_text: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Change a pipeline's structure from `declared` to `changed`, after showing the difference and
    the warnings, and after a yes. Prints one of the two texts at the end.
    """
    pipeline = declared["name"]
    difference = _compare(declared, changed)
    warnings = list(warnings)
    if difference and (executions := _list_running(place.codepipeline, pipeline)):
        warnings.append(_warn_of_cancelling(place.codepipeline, declared, executions))
    if not place.json:
        _show_difference(place, difference, warnings)
    update = bool(difference) and not dry_run
    cancelled: list[str] = []
    if update:
        if not yes and not place.confirm(f"Change {pipeline}?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FAULTS_FOUND)
        cancelled = _update(place, declared, changed)
    text = "A dry run: nothing was changed." if difference else unchanged_text
    if update:
        text = changed_text
    for_programs = {
        "pipeline": pipeline,
        "changed": update,
        "cancelled": cancelled,
        "warnings": warnings,
        "diff": difference,
    }
    place.show(Text(text), for_programs)
    if cancelled and not place.json:
        _show_cancelled(place, pipeline, cancelled)


def read_structure(place: Place, pipeline: str) -> Declaration:
    """The structure of `pipeline`.

    Raises Refused if there is no such pipeline, or if this botocore cannot read all of its
    structure: settings that it does not know would be lost when the structure is written back. A
    secret, which AWS shows as asterisks, is not lost (model: ActionConfigurationProperty).
    """
    if not re.fullmatch(NAME, pipeline):
        raise build_missing_pipeline_error(place, pipeline)
    try:
        record = place.codepipeline.read_record(pipeline)
    except PipelineNotFound:
        raise build_missing_pipeline_error(place, pipeline) from None
    if record.unknown_settings:
        raise Refused(
            f"{pipeline} has settings that your boto3 does not know and would drop when it writes "
            f"the pipeline back: {join_names(list(record.unknown_settings))}. "
            "Nothing was changed. Upgrade it: pip install --upgrade boto3."
        )
    return record.declared


def _update(place: Place, declared: Declaration, changed: Declaration) -> list[str]:
    """Write the structure. Returns the executions that this cancelled: more may run than when the
    question was asked.

    AWS has no lock for this, and the last writer wins (model: UpdatePipeline), so the structure is
    read again right before.
    """
    pipeline = declared["name"]
    if read_structure(place, pipeline) != declared:
        raise Refused(
            f"Somebody changed {pipeline} while you looked at the difference. Nothing was "
            "changed: run this command again."
        )
    cancelled = _list_running(place.codepipeline, pipeline)
    unclear = f"Whether {pipeline} was changed is not known: run this command again, and it tells."
    try:
        version = place.codepipeline.update_pipeline(changed)
        place.changed = (
            f"{pipeline} was changed before that: it is at version {version} now. Run this command "
            "again, and it tells."
        )
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. {unclear}") from None
    except CredentialsRejected:
        raise
    except NoAnswer as error:
        raise NoAnswer(f"{error}. {unclear}") from error
    return cancelled


def _compare(before: Declaration, after: Declaration) -> list[str]:
    """A unified diff, line by line; empty if nothing would change."""
    now, then = (
        json.dumps(declared, indent=2, ensure_ascii=False).splitlines()
        for declared in (before, after)
    )
    return list(difflib.unified_diff(now, then, "now", "then", n=4, lineterm=""))


def _show_difference(place: Place, difference: Sequence[str], warnings: Sequence[str]) -> None:
    for line in difference:  # never folded: a folded line is no diff
        place.console.print(Text(line, style=COLOURS.get(line[:1], "")), soft_wrap=True)
    if difference:
        place.console.print()
    for warning in warnings:
        place.console.print(Text.assemble(("Caution: ", "yellow bold"), warning))


# What a change costs: CodePipeline cancels what runs in the pipeline (model: PipelineExecution,
# status Cancelled)


def _list_running(codepipeline: CodePipeline, pipeline: str) -> list[str]:
    """The executions that a change would cancel, newest first."""
    executions = codepipeline.list_newest_executions(pipeline)
    return [execution.id for execution in executions if execution.running]


def _warn_of_cancelling(
    codepipeline: CodePipeline, declared: Declaration, executions: Sequence[str]
) -> str:
    """What happens to the `executions` that run, and what to do before the change."""
    name, waiting = declared["name"], _list_waiting_in_place(codepipeline, declared, executions)
    advice = f"Better wait for {'its' if len(executions) == 1 else 'their'} end"
    if waiting:
        waits, it, its = ("waits", "it", "its") if len(waiting) == 1 else ("wait", "them", "their")
        advice = (
            f"{_name_executions('Execution', waiting)} {waits} in place: better let {it} go on "
            f"first (gatectl release {name}), and wait for {its} end"
        )
    return (
        f"{name} runs now ({_name_executions('execution', executions)}), and CodePipeline cancels "
        f"what runs in a pipeline that is changed. {advice}; else start it again afterwards."
    )


def _show_cancelled(place: Place, pipeline: str, executions: Sequence[str]) -> None:
    from gatectl.doctor.finding import format_command  # noqa: PLC0415 - slow; completion does without it

    was = "was" if len(executions) == 1 else "were"
    place.console.print(
        Text(
            f"{_name_executions('Execution', executions)} of {pipeline} {was} cancelled by this "
            f"change. To start {pipeline} anew:"
        )
    )
    command = ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline)
    place.console.print(
        f"  {format_command(command, place.region, place.flags)}", markup=False, soft_wrap=True
    )


def _name_executions(noun: str, executions: Sequence[str]) -> str:
    plural = "s" if len(executions) > 1 else ""
    return f"{noun}{plural} {join_names([execution[:8] for execution in executions])}"


def _list_waiting_in_place(
    codepipeline: CodePipeline, declared: Declaration, executions: Sequence[str]
) -> list[str]:
    """The executions that a gate keeps in progress; none if AWS does not let that be seen: the
    caution stands either way. They began with the structure as it is, because an edit would have
    cancelled them.
    """
    gates = [
        gate
        for gate in find_gates(declared)
        if gate.parameters and gate.parameters.mode.stays_in_progress
    ]
    if not gates:
        return []

    def waits(execution: str) -> bool:
        attempts = list_attempts(codepipeline, declared["name"], gates, execution)
        return any(map(_is_waiting, find_last_gate_attempts(attempts)))

    try:
        return list(filter(waits, executions))
    except (NotPermitted, NoAnswer, UnexpectedAnswer, PipelineNotFound):
        return []


def _is_waiting(attempt: Attempt) -> bool:
    """The gate has answered, and has not let the execution pass."""
    return attempt.status == "InProgress" and bool(attempt.message)
