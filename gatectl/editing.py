"""Changing a pipeline's structure: read it, show what would change, ask, and change it only if
nobody else has meanwhile.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from chalicelib.errors import NoAnswer, error_code, translate_error
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import NAME
from gatectl import losses
from gatectl.cautions import cautions
from gatectl.names import no_such_pipeline
from gatectl.session import FOUND, Interrupted, Place, Refused
from gatectl.structure import Declaration, Impossible

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def edit(
    place: Place,
    pipeline: str,
    change: Callable[[Declaration], Declaration],
    *,
    nothing: str,
    done: Callable[[Declaration], str],
    dry_run: bool,
    yes: bool,
    warn: Callable[[Declaration], Iterable[str]] = lambda changed: (),
) -> None:
    """Change `pipeline` with `change`, after a look and a yes. `nothing`: what to say where it is
    so already; `done`: what to say afterwards of the structure as it was; `warn`: what to say
    before the question of the structure as it would be, beside what a hold would trip over and what
    would be cancelled.
    """
    codepipeline = place.client("codepipeline")
    declared = structure(place, codepipeline, pipeline)
    try:
        changed = change(declared)
    except Impossible as error:
        raise Refused(f"{error} Nothing was changed.") from None
    difference = list(_difference(declared, changed))
    warnings = [*cautions(changed), *warn(changed)]
    if difference and (executions := losses.running(codepipeline, pipeline)):
        warnings.append(losses.caution(codepipeline, declared, executions))
    if not place.json:
        _show(place, difference, warnings)
    update = bool(difference) and not dry_run
    cancelled: list[str] = []
    if update:
        if not yes and not place.agreed(f"Change {pipeline}?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FOUND)
        cancelled = _update(place, codepipeline, declared, changed)
    told = (
        done(declared) if update else "A dry run: nothing was changed." if difference else nothing
    )
    for_programs = {
        "pipeline": pipeline,
        "changed": update,
        "cancelled": cancelled,
        "warnings": warnings,
        "diff": difference,
    }
    place.show(Text(told), for_programs)
    if cancelled and not place.json:
        _show_loss(place, pipeline, cancelled)


def structure(place: Place, codepipeline: Any, pipeline: str) -> Declaration:
    """The structure of `pipeline`. Raises Refused where there is none, or where this botocore
    cannot read all of it: what it does not know would be lost when it is written back. A secret,
    which AWS shows as asterisks, is not: written back so, it stays (model:
    ActionConfigurationProperty).
    """
    if not re.fullmatch(NAME, pipeline):
        raise no_such_pipeline(place, pipeline)
    codepipeline.meta.events.register(
        "before-parse.codepipeline.GetPipeline", _keep_whole, unique_id="whole"
    )
    try:
        answer = codepipeline.get_pipeline(name=pipeline)
    except ClientError as error:
        if error_code(error) == "PipelineNotFoundException":
            raise no_such_pipeline(place, pipeline) from None
        raise
    declared: Declaration = answer["pipeline"]
    unknown = list(_unknown(json.loads(answer["whole"])["pipeline"], declared))
    if unknown:
        raise Refused(
            f"{pipeline} has settings that your boto3 does not know and would drop when it writes "
            f"the pipeline back: {join_names(unknown)}. "
            "Nothing was changed. Upgrade it: pip install --upgrade boto3."
        )
    return declared


def _keep_whole(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """botocore adds the latter to the answer that it has parsed."""
    customized_response_dict["whole"] = response_dict["body"]


def _unknown(told: Any, read: Any, where: str = "") -> Iterator[str]:
    """The keys that AWS's answer `told` has and the parsed one `read` has not."""
    if isinstance(told, dict):
        for key, value in told.items():
            if key in read:
                yield from _unknown(value, read[key], f"{where}{key}.")
            elif value is not None:
                yield f"{where}{key}"
    elif isinstance(told, list):
        for one, parsed in zip(told, read, strict=True):
            yield from _unknown(one, parsed, where)


def _update(
    place: Place, codepipeline: Any, declared: Declaration, changed: Declaration
) -> list[str]:
    """AWS has no lock for this, and whoever writes last wins (model: UpdatePipeline): so look once
    more right before. Returns the executions that were cancelled by it: whoever was asked may have
    thought for long.
    """
    pipeline = declared["name"]
    if structure(place, codepipeline, pipeline) != declared:
        raise Refused(
            f"Somebody changed {pipeline} while you looked at the difference. Nothing was "
            "changed: run this command again."
        )
    cancelled = losses.running(codepipeline, pipeline)
    again = f"Whether {pipeline} was changed is not known: run this command again, and it tells."
    try:
        version = codepipeline.update_pipeline(pipeline=changed)["pipeline"]["version"]
        place.changed = (
            f"{pipeline} was changed before that: it is at version {version} now. "
            "Run this command again, and it tells."
        )
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. {again}") from None
    except (ClientError, BotoCoreError) as error:
        told = translate_error(error, "codepipeline:UpdatePipeline")
        raise (NoAnswer(f"{told}. {again}") if isinstance(told, NoAnswer) else error) from error
    return cancelled


def _difference(before: Declaration, after: Declaration) -> Iterator[str]:
    now, then = (
        json.dumps(one, indent=2, ensure_ascii=False).splitlines() for one in (before, after)
    )
    return difflib.unified_diff(now, then, "now", "then", n=4, lineterm="")


def _show(place: Place, difference: Sequence[str], warnings: Sequence[str]) -> None:
    for line in difference:  # as they are: a line that is broken in two is no diff
        place.console.print(Text(line, style=COLOURS.get(line[:1], "")), soft_wrap=True)
    if difference:
        place.console.print()
    for warning in warnings:
        place.console.print(Text.assemble(("Caution: ", "yellow bold"), warning))


def _show_loss(place: Place, pipeline: str, cancelled: Sequence[str]) -> None:
    from gatectl.findings.finding import pasted  # noqa: PLC0415 - it brings all of the doctor, and the completion of a word does without

    place.console.print(Text(losses.cancelled(pipeline, cancelled)))
    place.console.print(
        f"  {pasted(losses.restart(pipeline), place.region, place.flags)}",
        markup=False,
        soft_wrap=True,
    )
