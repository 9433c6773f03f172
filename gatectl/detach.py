"""`gatectl detach`: take a pipeline's gate out."""

from __future__ import annotations

import click

from chalicelib.account.gates import find_gates
from gatectl import completion
from gatectl.editing import edit
from gatectl.session import Place, options
from gatectl.structure import Declaration, without_gates


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options
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
    edit(
        place,
        pipeline,
        without_gates,
        nothing=f"{pipeline} has no gate. Nothing was changed.",
        done=_done,
        dry_run=dry_run,
        yes=yes,
    )


def _done(declared: Declaration) -> str:
    """A hold's rule outlives the gate; a gate that waits in place makes none."""
    name = declared["name"]
    told = f"{name} waits for nobody any more."
    if all(
        gate.parameters and gate.parameters.mode.stays_in_progress for gate in find_gates(declared)
    ):
        return told
    return (
        f"{told} An execution that a rule holds (`gatectl holds` shows it) still ends by "
        f"itself: {name} starts anew then, and goes through."
    )
