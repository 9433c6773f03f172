"""Changes a pipeline's structure: reads it, shows the change and what it costs, asks for
confirmation, and makes the change unless someone else has changed the pipeline in the meantime.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from rich.text import Text

from chalicelib.account.attempts import find_last_gate_attempts, list_attempts
from chalicelib.account.gates import find_gates
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import (
    NoAnswer,
    NotPermitted,
    PipelineNotFound,
    UnexpectedAnswer,
)
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import NAME, Attempt
from gatectl.arguments import build_missing_pipeline_error
from gatectl.session import (
    FAILED,
    FAULTS_FOUND,
    Interrupted,
    Place,
    Refused,
    Unfinished,
    describe_error,
)
from gatectl.structure import Declaration

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class Caution:
    """What to consider before the change. `command`: what to run about it, word by word, if
    anything.
    """

    text: str
    command: tuple[str, ...] = ()


def edit_pipeline(
    place: Place,
    declared: Declaration,
    changed: Declaration,
    *,
    cautions: Sequence[Caution] = (),
    unchanged_text: str,
    changed_text: str,
    advice: str = "",
    dry_run: bool,
    yes: bool,
) -> None:
    """Change a pipeline's structure from `declared` to `changed`, after showing the difference, the
    cautions and the advice, and after a confirmation. Prints one of the two texts at the end.
    """
    pipeline = declared["name"]
    difference = _compare(declared, changed)
    cautions = list(cautions)
    if difference and (executions := _list_running(place.codepipeline, pipeline)):
        cautions += _warn_of_cancelling(place, declared, executions)
    if not place.json:
        _show_difference(place, difference)
        _show_cautions(place, cautions)
        if difference and advice:
            place.console.print(Text(advice))
    update = bool(difference) and not dry_run
    cancelled: list[str] = []
    if update:
        if not yes and not place.confirm(f"Change {pipeline}?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FAULTS_FOUND)
        cancelled = _update(place, declared, changed)
    text = "Dry run: nothing was changed." if difference else unchanged_text
    if update:
        text = changed_text
    for_programs = {
        "pipeline": pipeline,
        "changed": update,
        "cancelled": cancelled,
        "warnings": [
            " ".join(filter(None, [caution.text, _format_command(place, caution.command)]))
            for caution in cautions
        ],
        "diff": difference,
    }
    place.show(Text(text), for_programs)
    if cancelled and not place.json:
        _show_cancelled(place, pipeline, cancelled)


def read_structure(place: Place, pipeline: str) -> Declaration:
    """Return the structure of `pipeline`.

    Raises Refused if there is no such pipeline, or if this botocore does not know all settings in
    its structure: they would be lost when the structure is written back. A secret, which AWS shows
    as asterisks, is not lost (model: ActionConfigurationProperty).
    """
    if not re.fullmatch(NAME, pipeline):
        raise build_missing_pipeline_error(place, pipeline)
    try:
        record = place.codepipeline.read_record(pipeline)
    except PipelineNotFound:
        raise build_missing_pipeline_error(place, pipeline) from None
    if record.unknown_settings:
        raise Refused(
            f"{pipeline} has settings that your boto3 does not know and would lose when it writes "
            f"the pipeline back: {join_names(list(record.unknown_settings))}. "
            "Nothing was changed. Upgrade boto3: pip install --upgrade boto3."
        )
    return record.declared


def _update(place: Place, declared: Declaration, changed: Declaration) -> list[str]:
    """Write the structure. Returns the ids of the executions that this cancelled, including those
    that have started since the confirmation.

    AWS has no lock for this, and the last writer wins (model: UpdatePipeline), so the structure is
    read again immediately before.
    """
    pipeline = declared["name"]
    if read_structure(place, pipeline) != declared:
        raise Refused(
            f"Someone else has changed {pipeline} since this command read it. This command "
            "changed nothing. Run it again."
        )
    cancelled = _list_running(place.codepipeline, pipeline)
    unclear = (
        f"It is not known whether {pipeline} was changed. To find out, run this command again."
    )
    try:
        version = place.codepipeline.update_pipeline(changed)
        place.changed = (
            f"{pipeline} had already been changed, and is now at version {version}. To see the "
            "result, run this command again."
        )
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. {unclear}") from None
    except Exception as error:
        status, sentence = describe_error(error)
        if status != FAILED:
            raise
        end = "" if sentence.endswith((".", "?")) else "."
        raise Unfinished(f"{sentence}{end} {unclear}") from error
    return cancelled


def _compare(before: Declaration, after: Declaration) -> list[str]:
    """Return the lines of a unified diff; none if nothing would change."""
    now, then = (
        json.dumps(declared, indent=2, ensure_ascii=False).splitlines()
        for declared in (before, after)
    )
    return list(difflib.unified_diff(now, then, "now", "then", n=4, lineterm=""))


def _show_difference(place: Place, difference: Sequence[str]) -> None:
    for line in difference:  # never wrapped, which would break the diff
        place.console.print(Text(line, style=COLOURS.get(line[:1], "")), soft_wrap=True)
    if difference:
        place.console.print()


def _show_cautions(place: Place, cautions: Sequence[Caution]) -> None:
    for caution in cautions:
        place.console.print(Text.assemble(("Caution: ", "yellow bold"), caution.text))
        if caution.command:
            _print_command(place, caution.command)


def _print_command(place: Place, command: tuple[str, ...]) -> None:
    """On one line, however narrow the terminal is, so that it can be pasted."""
    line = f"  {_format_command(place, command)}"
    place.console.print(line, markup=False, soft_wrap=True)


def _format_command(place: Place, command: tuple[str, ...]) -> str:
    from gatectl.doctor.finding import format_command  # noqa: PLC0415 - slow; completion does without it

    return format_command(command, place.region, place.flags) if command else ""


# CodePipeline cancels everything that is running in a pipeline that is changed (model:
# PipelineExecution, status Cancelled)


def _list_running(codepipeline: CodePipeline, pipeline: str) -> list[str]:
    """Return the ids of the executions that a change would cancel, newest first."""
    executions = codepipeline.list_newest_executions(pipeline)
    return [execution.id for execution in executions if execution.running]


def _warn_of_cancelling(
    place: Place, declared: Declaration, executions: Sequence[str]
) -> Iterator[Caution]:
    """Yield what happens to the running `executions` and to the pipelines that are waiting for
    them, and what to do before the change.
    """
    name = declared["name"]
    waiting = _list_waiting_in_place(place.codepipeline, declared, executions)
    advice = "Wait until it is idle"
    if waiting:
        verb, pronoun = ("is", "it") if len(waiting) == 1 else ("are", "them")
        advice = (
            f"{_name_executions('Execution', waiting)} {verb} waiting at the gate: release "
            f"{pronoun} first (gatectl release {name}), and wait until {name} is idle"
        )
    yield Caution(
        f"{name} is running ({_name_executions('execution', executions)}), and this change would "
        f"cancel everything that is running. {advice}, or start {name} again afterwards."
    )
    from gatectl.dependents import list_dependents  # noqa: PLC0415 - slow; completion does without it

    if dependents := list_dependents(place, name):
        are = "is" if len(dependents) == 1 else "are"
        yield Caution(
            f"{join_names(dependents)} {are} waiting for {name}, and may continue when {name} is "
            "cancelled in the middle of its work, unless success is required."
        )


def _show_cancelled(place: Place, pipeline: str, executions: Sequence[str]) -> None:
    place.console.print(
        Text(
            f"This change cancelled {_name_executions('execution', executions)} of {pipeline}. "
            f"To start {pipeline} again:"
        )
    )
    start = ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline)
    _print_command(place, start)


def _name_executions(noun: str, executions: Sequence[str]) -> str:
    plural = "s" if len(executions) > 1 else ""
    return f"{noun}{plural} {join_names([execution[:8] for execution in executions])}"


def _list_waiting_in_place(
    codepipeline: CodePipeline, declared: Declaration, executions: Sequence[str]
) -> list[str]:
    """Return the executions that a gate keeps in progress; none if AWS denies reading that, because
    the caution is shown anyway. They started with the current structure: a change would have
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
    """Return whether the gate has answered without letting the execution pass."""
    return attempt.status == "InProgress" and bool(attempt.message)
