"""Changing a pipeline's structure: read it, show what would change, ask, and change it only if nobody else has meanwhile."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from typing import Any

import click
from botocore.exceptions import ClientError
from rich.console import Group
from rich.text import Text

from chalicelib.errors import code
from gatectl.cautions import cautions
from gatectl.names import no_such_pipeline
from gatectl.session import FOUND, Place, Refused
from gatectl.structure import Declaration, Impossible

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def edit(
    place: Place, pipeline: str, change: Callable[[Declaration], Declaration], *, nothing: str, done: str, dry_run: bool, yes: bool
) -> None:
    """Change `pipeline` with `change`, after a look and a yes. `nothing` and `done`: what to say where it is so already, and afterwards."""
    codepipeline = place.client("codepipeline")
    declared = structure(place, codepipeline, pipeline)
    try:
        changed = change(declared)
    except Impossible as error:
        raise Refused(str(error)) from None
    warnings = cautions(changed)
    difference = list(_difference(declared, changed))
    shown = {"pipeline": pipeline, "changed": False, "warnings": warnings, "diff": difference}
    if not difference:
        place.show(_page([], warnings, nothing), shown)
        return
    if dry_run:
        place.show(_page(difference, warnings, "A dry run: nothing was changed."), shown)
        return
    if not yes:
        if place.json:
            raise Refused("With --json nobody can be asked: add --yes to change the pipeline, or --dry-run to see what would change.")
        place.console.print(_page(difference, warnings, ""))
        if not click.confirm(f"Change {pipeline}?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FOUND)
    _refuse_other_changes(place, codepipeline, pipeline, declared)
    try:
        codepipeline.update_pipeline(pipeline=changed)
    except ClientError as error:
        if code(error) == "ConcurrentModificationException":
            raise Refused(f"Somebody else changes {pipeline} right now. Nothing was changed: try again.") from None
        raise
    place.show(_page(difference if yes else [], warnings if yes else [], done), {**shown, "changed": True})


def structure(place: Place, codepipeline: Any, pipeline: str) -> Declaration:
    """The structure of `pipeline`. Raises Refused where there is none, or where this boto3 cannot read all of it: what it does not know
    would be lost when it is written back.
    """
    bodies: list[bytes] = []
    codepipeline.meta.events.register_last(
        "after-call.codepipeline.GetPipeline", lambda http_response, **_: bodies.append(http_response.content), unique_id="whole-answer"
    )
    try:
        declared: Declaration = codepipeline.get_pipeline(name=pipeline)["pipeline"]
    except ClientError as error:
        if code(error) == "PipelineNotFoundException":
            raise no_such_pipeline(place, pipeline) from None
        raise
    unknown = _unknown(json.loads(bodies[-1])["pipeline"], declared)
    if unknown:
        raise Refused(
            f"{pipeline} has settings that your boto3 does not know ({', '.join(unknown)}), and would lose when the pipeline is written "
            "back. Nothing was changed. Upgrade it: pip install --upgrade boto3."
        )
    return declared


def _unknown(told: Any, read: Any, where: str = "") -> list[str]:
    """The keys that AWS's answer `told` has and the parsed one `read` has not."""
    if isinstance(told, dict) and isinstance(read, dict):
        gone = [f"{where}{key}" for key in told if key not in read and told[key] is not None]
        return gone + [one for key in told if key in read for one in _unknown(told[key], read[key], f"{where}{key}.")]
    if isinstance(told, list) and isinstance(read, list):
        return [one for mine, its in zip(told, read, strict=False) for one in _unknown(mine, its, where)]
    return []


def _refuse_other_changes(place: Place, codepipeline: Any, pipeline: str, declared: Declaration) -> None:
    """AWS has no lock for this: whoever writes last wins, so look once more right before (model: UpdatePipeline)."""
    if structure(place, codepipeline, pipeline) != declared:
        raise Refused(f"Somebody changed {pipeline} while you looked at the difference. Nothing was changed: run this command again.")


def _difference(before: Declaration, after: Declaration) -> list[str]:
    now, then = (json.dumps(one, indent=2, ensure_ascii=False).splitlines() for one in (before, after))
    return list(difflib.unified_diff(now, then, "now", "then", n=4, lineterm=""))


def _page(difference: Sequence[str], warnings: Sequence[str], last: str) -> Group:
    lines = [Text(line, style=COLOURS.get(line[:1], "")) for line in difference]
    told = [Text.assemble(("Caution: ", "yellow bold"), warning) for warning in warnings]
    return Group(*lines, *told, *([Text(last)] if last else []))
