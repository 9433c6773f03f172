"""`gatectl detach`: take a pipeline's gate out."""

from __future__ import annotations

import click

from chalicelib.account.gates import find_gates
from gatectl import completion
from gatectl.editing import edit_pipeline, read_structure
from gatectl.session import Place, Refused, add_options
from gatectl.structure import Declaration, Impossible, remove_gates


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@add_options
def detach(place: Place, pipeline: str, *, dry_run: bool, yes: bool) -> None:
    """Take the gate out of PIPELINE: it waits for nobody any more.

    Shows what would change in the pipeline's structure, and changes it when you say yes. All its
    gates go, and a stage that is nothing but a gate goes with it; everything else stays, a pipeline
    variable `bypass` too.

    An execution that a rule holds (`gatectl holds` shows it) still ends by itself: when its
    upstreams let it, PIPELINE starts anew, and goes through. One that waits in place is cancelled,
    as all that runs: CodePipeline does that when a pipeline is changed. To keep it, let it go on
    first, with `gatectl release`.
    """
    declared = read_structure(place, pipeline)
    try:
        changed = remove_gates(declared)
    except Impossible as error:
        raise Refused(f"{error} Nothing was changed.") from None
    edit_pipeline(
        place,
        declared,
        changed,
        unchanged_text=f"{pipeline} has no gate. Nothing was changed.",
        changed_text=_describe_end(declared),
        dry_run=dry_run,
        yes=yes,
    )


def _describe_end(declared: Declaration) -> str:
    """A hold's rule outlives the gate; a gate that keeps its executions in progress makes none."""
    name = declared["name"]
    text = f"{name} waits for nobody any more."
    if all(
        gate.parameters and gate.parameters.mode.stays_in_progress for gate in find_gates(declared)
    ):
        return text
    return (
        f"{text} An execution that a rule holds (`gatectl holds` shows it) still ends by "
        f"itself: {name} starts anew then, and goes through."
    )
