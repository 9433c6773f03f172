"""`gatectl attach`: give a pipeline its gate."""

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
from gatectl.editing import edit_pipeline, read_structure
from gatectl.functions import choose_gate_function
from gatectl.session import Place, Refused, add_options
from gatectl.structure import BYPASS, Impossible, add_gate, format_parameters


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option(
    "--depends-on",
    "depends_on",
    multiple=True,
    required=True,
    metavar="PIPELINE",
    shell_complete=completion.upstreams,
    help="What it shall wait for. Several: again, or with commas.",
)
@click.option(
    "--after",
    metavar="STAGE",
    shell_complete=completion.stages,
    help="The stage that the gate's comes after.  [default: the first; a gate that is there stays]",
)
@click.option(
    "--require",
    type=click.Choice(REQUIRE),
    help="What the others have to be. idle: none of them runs; succeeded: the newest that "
    "finished has succeeded, too.  [default: idle]",
)
@click.option(
    "--hold",
    type=click.Choice(tuple(MODES)),
    help="How the pipeline is held. restart: fails, and starts anew; retry: fails, and its stage "
    "is retried; wait: stays in progress.  [default: restart]",
)
@click.option(
    "--retry-minutes",
    type=click.Choice(RETRY_MINUTES),
    metavar="MINUTES",
    help="How often a hold looks again on its own, a divisor of 60.  [default: as deployed, else "
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
    help="What happens after that. stop: nothing is started; continue: the pipeline goes on all "
    "the same.  [default: stop]",
)
@click.option(
    "--revisions",
    type=click.Choice(REVISIONS),
    help="What a restart takes from the sources. latest: what is newest then; held: what the held "
    "execution had.  [default: latest; in PARALLEL mode held]",
)
@click.option(
    "--parked",
    type=click.Choice(PARKED),
    help="Whether one that only waits for a person (an approval, a disabled transition) counts. "
    "wait: is waited for; pass: is not.  [default: wait]",
)
@click.option(
    "--bypass", is_flag=True, help="Let the pipeline variable `bypass` open the gate; declares it."
)
@click.option(
    "--observe", is_flag=True, help="Always pass, and only say what the gate would have done."
)
@click.option(
    "--function", metavar="NAME", help="The gate's function.  [default: the one that is deployed]"
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@add_options
def attach(
    place: Place,
    pipeline: str,
    depends_on: tuple[str, ...],
    after: str | None,
    function: str | None,
    *,
    bypass: bool,
    observe: bool,
    dry_run: bool,
    yes: bool,
    **other_settings: object,
) -> None:
    """Give PIPELINE a gate, so that it waits for others.

    Shows what would change in the pipeline's structure, and changes it when you say yes. The gate
    becomes a stage of its own; a gate that is there already is made to ask for what this command
    says, where it stands. Nothing else is touched, no execution is started.

    \b
    What it waits for (--depends-on):
      infra                  a pipeline of this region and account
      infra/Deploy           only that stage of it
      arn:aws:codepipeline:us-east-1:123456789012:infra
                             a pipeline of another region
      '{"pipeline": "infra", "require": "succeeded"}'
                             with settings of its own: see docs/parameters.md

    \b
    Examples:
      gatectl attach k8s --depends-on infra
      gatectl attach k8s --depends-on infra/Deploy,network --after Source

    A pipeline that a template makes (CloudFormation, CDK, Terraform) gets its gate there: its next
    deployment would take this one out.
    """
    settings: dict[str, object] = {
        "depends_on": parse_entries(depends_on),
        **{key: value for key, value in other_settings.items() if value is not None},
    }
    settings |= {"bypass": BYPASS} if bypass else {}
    settings |= {"observe": True} if observe else {}
    try:
        text = format_parameters(pipeline, settings)
    except Impossible as error:
        raise Refused(str(error)) from None
    dependencies = parse_declared_parameters(text).depends_on
    refuse_missing_upstreams(place, pipeline, dependencies)
    declared = read_structure(place, pipeline)
    gates = find_gates(declared)
    name, warnings = choose_gate_function(place, function or (gates[0].function if gates else None))
    try:
        changed = add_gate(declared, name, text, after)
    except Impossible as error:
        raise Refused(f"{error} Nothing was changed.") from None

    from gatectl import cautions  # noqa: PLC0415 - slow; completion does without it

    faults = cautions.find_role_faults(place, changed)
    edit_pipeline(
        place,
        declared,
        changed,
        warnings=[
            *cautions.find_hold_cautions(changed),
            *warnings,
            *cautions.find_deadlocks(place, changed),
            *map(cautions.describe_role_fault, faults or ()),
        ],
        unchanged_text=f"{pipeline} has this gate already. Nothing was changed.",
        changed_text=(
            f"From its next execution on {pipeline} {describe_wait(dependencies, observe=observe)} "
            f"{cautions.summarize_role(faults)}"
        ),
        dry_run=dry_run,
        yes=yes,
    )


def describe_wait(depends_on: Sequence[Dependency], *, observe: bool) -> str:
    """What a pipeline with this gate does from now on."""
    upstreams = join_names([upstream.label for upstream in depends_on])
    if observe:
        return f"only says whether it would have waited for {upstreams}, and never waits."
    idle = [upstream.label for upstream in depends_on if upstream.require == "idle"]
    if not idle:
        return f"waits for {upstreams} to succeed."
    return (
        f"waits for {upstreams}. It goes on when {join_names(idle)} "
        f"{'has' if len(idle) == 1 else 'have'} ended, also after a failure: "
        "--require succeeded prevents that."
    )
