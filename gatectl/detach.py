"""`gatectl detach`: remove a pipeline's gate."""

from __future__ import annotations

import click

from chalicelib.account.gates import find_gates
from chalicelib.phrases import join_names
from gatectl import completion
from gatectl.editing import edit_pipeline, read_structure
from gatectl.session import Place, Refused, add_options
from gatectl.structure import Declaration, Impossible, remove_gates


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option(
    "--after",
    metavar="STAGE",
    shell_complete=completion.stages,
    help="Remove only the gate right after this stage.  [default: all gates]",
)
@click.option("--dry-run", is_flag=True, help="Show the change without making it.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@add_options
def detach(place: Place, pipeline: str, after: str | None, *, dry_run: bool, yes: bool) -> None:
    """Remove the gate from PIPELINE, so that it no longer waits.

    Shows the change to the pipeline's structure, and makes it after you confirm. Removes all gates
    of the pipeline, or with --after only one, and stages that contain nothing but a gate.
    Everything else stays, including a pipeline variable `bypass`.

    If a rule holds an execution (see `gatectl holds`), PIPELINE still starts again when the wait is
    over, and does not wait again. An execution held in the mode `wait` is cancelled, because
    CodePipeline cancels everything that is running when a pipeline is changed. To keep it, release
    it first with `gatectl release`.
    """
    declared = read_structure(place, pipeline)
    try:
        changed = remove_gates(declared, after)
    except Impossible as error:
        raise Refused(f"{error} Nothing was changed.") from None
    edit_pipeline(
        place,
        declared,
        changed,
        unchanged_text=(
            f"{pipeline} has no gate{f' right after {after}' if after else ''}. Nothing was "
            "changed."
        ),
        changed_text=_describe_end(declared, changed),
        dry_run=dry_run,
        yes=yes,
    )


def _describe_end(declared: Declaration, changed: Declaration) -> str:
    """Return what follows. A hold's rule outlives the gate; in the mode `wait` there is none."""
    name, left = declared["name"], find_gates(changed)
    text = f"{name} no longer waits for other pipelines."
    if left:
        places = join_names([gate.stage for gate in left])
        text = f"{name} no longer waits there. It still has a gate in {places}."
    removed = [gate for gate in find_gates(declared) if gate not in left]
    if all(gate.parameters and gate.parameters.mode.stays_in_progress for gate in removed):
        return text
    return (
        f"{text} If a rule holds an execution (see `gatectl holds`), {name} still starts again "
        "when that wait is over, and does not wait again" + (" there." if left else ".")
    )
