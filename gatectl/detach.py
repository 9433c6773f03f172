"""`gatectl detach`: remove a pipeline's gate."""

from __future__ import annotations

import click

from chalicelib.account.gates import find_gates
from gatectl import completion
from gatectl.editing import edit_pipeline, read_structure
from gatectl.session import Place, Refused, add_options
from gatectl.structure import Declaration, Impossible, remove_gates


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option("--dry-run", is_flag=True, help="Show the change without making it.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@add_options
def detach(place: Place, pipeline: str, *, dry_run: bool, yes: bool) -> None:
    """Remove the gate from PIPELINE, so that it no longer waits.

    Shows the change to the pipeline's structure, and makes it after you confirm. Removes all gates
    of the pipeline, and stages that contain nothing but a gate. Everything else stays, including a
    pipeline variable `bypass`.

    If a rule holds an execution (see `gatectl holds`), PIPELINE still starts again when the wait is
    over, and does not wait again. An execution held in the mode `wait` is cancelled, because
    CodePipeline cancels everything that is running when a pipeline is changed. To keep it, release
    it first with `gatectl release`.
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
    """Return what follows. A hold's rule outlives the gate; in the mode `wait` there is none."""
    name = declared["name"]
    text = f"{name} no longer waits for other pipelines."
    if all(
        gate.parameters and gate.parameters.mode.stays_in_progress for gate in find_gates(declared)
    ):
        return text
    return (
        f"{text} If a rule holds an execution (see `gatectl holds`), {name} still starts again "
        "when that wait is over, and does not wait again."
    )
