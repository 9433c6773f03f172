"""`gatectl attach`: give a pipeline a gate."""

from __future__ import annotations

from collections.abc import Sequence

import click

from chalicelib.account.gates import find_gates, parse_declared_parameters
from chalicelib.holds.mode import MODES
from chalicelib.parameters import MAX_GIVE_UP_MINUTES, ON_GIVE_UP, RETRY_MINUTES, REVISIONS
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import PARKED, REQUIRE, Dependency
from gatectl import completion
from gatectl.arguments import parse_entries, refuse_missing_upstreams
from gatectl.editing import Caution, edit_pipeline, read_structure
from gatectl.functions import choose_gate_function
from gatectl.session import Place, Refused, add_options
from gatectl.structure import (
    BYPASS,
    Declaration,
    Impossible,
    add_gate,
    find_gate_to_change,
    format_parameters,
)


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option(
    "--depends-on",
    "depends_on",
    multiple=True,
    required=True,
    metavar="PIPELINE",
    shell_complete=completion.upstreams,
    help="What to wait for. Repeat the option, or separate names with commas.",
)
@click.option(
    "--after",
    metavar="STAGE",
    shell_complete=completion.stages,
    help="Add a gate right after this stage, or change the gate that is there.  [default: the only "
    "gate, or else after the first stage]",
)
@click.option(
    "--move",
    metavar="STAGE",
    shell_complete=completion.stages,
    help="Move the gate in this stage to the place that --after names.",
)
@click.option(
    "--require",
    type=click.Choice(REQUIRE),
    help="The state that the upstreams must be in. idle: none of them is running; succeeded: also, "
    "the newest finished execution of each has succeeded.  [default: idle]",
)
@click.option(
    "--hold",
    type=click.Choice(tuple(MODES)),
    help="How an execution is held: see above.  [default: restart]",
)
@click.option(
    "--retry-minutes",
    type=click.Choice(RETRY_MINUTES),
    metavar="MINUTES",
    help="How often a hold checks if no event arrives: a divisor of 60.  [default: as deployed, or "
    "5]",
)
@click.option(
    "--give-up-minutes",
    type=click.IntRange(1, MAX_GIVE_UP_MINUTES),
    metavar="MINUTES",
    help="The longest wait.  [default: none]",
)
@click.option(
    "--on-give-up",
    type=click.Choice(ON_GIVE_UP),
    help="What happens when that time is over. stop: nothing is started; continue: the pipeline "
    "continues anyway.  [default: stop]",
)
@click.option(
    "--revisions",
    type=click.Choice(REVISIONS),
    help="The source revisions that a restart uses. latest: the newest at that time; held: those "
    "of the held execution.  [default: latest after an ordinary push, otherwise held]",
)
@click.option(
    "--parked",
    type=click.Choice(PARKED),
    help="What to do about an upstream that is only waiting for a person (an approval, a disabled "
    "transition). wait: wait for it; pass: ignore it.  [default: wait]",
)
@click.option(
    "--bypass",
    is_flag=True,
    help="Declare a pipeline variable `bypass`, which opens the gate if it is true.",
)
@click.option(
    "--observe", is_flag=True, help="Always pass, and only report what the gate would have done."
)
@click.option("--function", metavar="NAME", help="The gate function.  [default: the deployed one]")
@click.option("--dry-run", is_flag=True, help="Show the change without making it.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@add_options
def attach(
    place: Place,
    pipeline: str,
    depends_on: tuple[str, ...],
    after: str | None,
    move: str | None,
    function: str | None,
    *,
    bypass: bool,
    observe: bool,
    dry_run: bool,
    yes: bool,
    **other_settings: object,
) -> None:
    """Give PIPELINE a gate, so that it waits for others.

    Shows the change to the pipeline's structure, and makes it after you confirm. A new gate gets a
    stage of its own. An existing gate stays where it is and gets the settings of this command;
    settings that you leave out return to their defaults. Nothing else changes, and no execution is
    started.

    A pipeline may have several gates: --after adds one in another place. That is needed behind an
    approval, because a gate checks only once (docs/where-to-put-the-gate.md).

    \b
    What to wait for (--depends-on):
      infra                  a pipeline in this region and account
      infra/Deploy           only this stage of it
      arn:aws:codepipeline:us-east-1:123456789012:infra
                             a pipeline in another region
      '{"pipeline": "infra", "require": "succeeded"}'
                             with its own settings: see docs/parameters.md

    \b
    How an execution is held (--hold):
      restart  It fails, and a new execution starts: after an ordinary push with
               the latest revision, otherwise with the held one. Frees the
               stage immediately. The default.
      retry    It fails, and its stage is retried: the same execution, history
               entry and revision. Cheaper. Recommended for production.
      wait     It stays in progress, and nothing turns red. Keeps the order of a
               QUEUED pipeline. Costs per minute.

    \b
    Examples:
      gatectl attach k8s --depends-on infra
      gatectl attach k8s --depends-on infra/Deploy,network --after Source
      gatectl attach k8s --depends-on infra --after Approve --hold retry

    If a template (CloudFormation, CDK, Terraform) defines the pipeline, add the gate to the
    template. Otherwise its next deployment removes the gate.
    """
    settings: dict[str, object] = {
        "depends_on": parse_entries(depends_on),
        **{key: value for key, value in other_settings.items() if value is not None},
    }
    settings |= {"bypass": BYPASS} if bypass else {}
    settings |= {"observe": True} if observe else {}
    if move and not after:
        raise Refused("--move moves a gate after another stage. Add --after and that stage.")
    try:
        text = format_parameters(pipeline, settings)
    except Impossible as error:
        raise Refused(str(error)) from None
    dependencies = parse_declared_parameters(text).depends_on
    refuse_missing_upstreams(place, pipeline, dependencies)
    declared = read_structure(place, pipeline)
    gates = find_gates(declared)
    try:
        gate = find_gate_to_change(declared, after, move)
        functions = [each.function for each in (gate, *gates) if each]
        name, warnings = choose_gate_function(place, function or next(iter(functions), None))
        changed = add_gate(declared, name, text, after, move)
    except Impossible as error:
        raise Refused(f"{error} Nothing was changed.") from None

    from gatectl import cautions  # noqa: PLC0415 - slow; completion does without it

    has_mode = '"hold":' in text or (gate is not None and '"hold":' in gate.text)
    faults = cautions.find_role_faults(place, changed)
    warnings = [
        *cautions.find_hold_cautions(changed),
        *cautions.find_restart_notes(changed),
        *warnings,
        *cautions.find_deadlocks(place, changed),
        *map(cautions.describe_role_fault, faults or ()),
    ]
    edit_pipeline(
        place,
        declared,
        changed,
        cautions=[*map(Caution, warnings), *cautions.find_place_cautions(place, changed)],
        unchanged_text=f"{pipeline} already has this gate. Nothing was changed.",
        changed_text=(
            f"From its next execution on, {pipeline} "
            f"{describe_wait(dependencies, observe=observe)} {cautions.summarize_role(faults)}"
        ),
        advice="" if has_mode else advise_mode(declared),
        dry_run=dry_run,
        yes=yes,
    )


def describe_wait(depends_on: Sequence[Dependency], *, observe: bool) -> str:
    """Return what a pipeline with this gate does from now on."""
    upstreams = join_names([upstream.label for upstream in depends_on])
    if observe:
        return f"only reports whether it would have waited for {upstreams}. It does not wait."
    idle = [upstream.label for upstream in depends_on if upstream.require == "idle"]
    if not idle:
        return f"waits for {upstreams} to succeed."
    return (
        f"waits for {upstreams}. It continues when {join_names(idle)} "
        f"{'finishes' if len(idle) == 1 else 'finish'}, successfully or not. To wait for a "
        "success, use --require succeeded."
    )


def advise_mode(declared: Declaration) -> str:
    """Return which hold mode a pipeline would get by default, and which one we recommend."""
    advice = (
        "This pipeline is QUEUED: to keep the queue's order, use --hold wait"
        if declared.get("executionMode") == "QUEUED"
        else "For production, we recommend --hold retry"
    )
    return f"Hold mode: restart (the default). {advice} (see attach --help)."
