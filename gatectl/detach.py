"""`gatectl detach`: take a pipeline's gate out."""

from __future__ import annotations

import click

from gatectl import completion
from gatectl.editing import edit
from gatectl.session import Place, options
from gatectl.structure import without_gates


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options
def detach(place: Place, pipeline: str, *, dry_run: bool, yes: bool) -> None:
    """Take the gate out of PIPELINE: it waits for nobody any more.

    Shows what would change in the pipeline's structure, and changes it when you say yes. All its gates go, and a stage that is nothing
    but a gate goes with it; everything else stays, a pipeline variable `bypass` too.

    An execution that is held now is still started again when its upstreams let it: `gatectl holds` shows it.
    """
    edit(
        place,
        pipeline,
        without_gates,
        nothing=f"{pipeline} has no gate. Nothing was changed.",
        done=f"{pipeline} waits for nobody any more. What is held now still ends by itself: see `gatectl holds`.",
        dry_run=dry_run,
        yes=yes,
    )
