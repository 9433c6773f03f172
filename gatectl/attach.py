"""`gatectl attach`: give a pipeline its gate."""

from __future__ import annotations

import re

import click

from chalicelib.dependency import PARKED, REQUIRE
from chalicelib.executions import NAME
from chalicelib.landscape.gates import FUNCTION
from chalicelib.parameters import MODES, ON_GIVE_UP, RETRY_MINUTES, REVISIONS
from gatectl import names
from gatectl.editing import edit
from gatectl.functions import deployed
from gatectl.session import Place, Refused, options
from gatectl.structure import BYPASS, Declaration, Impossible, parameters, with_gate


@click.command()
@click.argument("pipeline")
@click.option(
    "--depends-on",
    "depends_on",
    multiple=True,
    required=True,
    metavar="PIPELINE",
    help="Whom it shall wait for: a name or an ARN. Several: again, or with commas.",
)
@click.option("--after", metavar="STAGE", help="The stage that the gate's comes after.  [default: the first, which takes the sources]")
@click.option("--require", type=click.Choice(REQUIRE), help="What those have to be.  [default: idle]")
@click.option("--hold", type=click.Choice(MODES), help="How the pipeline is held.  [default: restart]")
@click.option(
    "--retry-minutes",
    type=click.Choice([str(number) for number in RETRY_MINUTES]),
    metavar="MINUTES",
    help="How often a hold looks again on its own.",
)
@click.option("--give-up-minutes", type=click.IntRange(min=1), metavar="MINUTES", help="The longest wait.  [default: none]")
@click.option("--on-give-up", type=click.Choice(ON_GIVE_UP), help="What happens after that.  [default: stop]")
@click.option("--revisions", type=click.Choice(REVISIONS), help="What a restart takes from the sources.")
@click.option("--parked", type=click.Choice(PARKED), help="Whether one counts that only waits for a person.  [default: wait]")
@click.option("--bypass", is_flag=True, help="Let the pipeline variable `bypass` open the gate; declares it.")
@click.option("--observe", is_flag=True, help="Always pass, and only say what the gate would have done.")
@click.option("--function", metavar="NAME", help="The gate's function.  [default: the one that is deployed]")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options
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
    retry_minutes: str | None,
    **more: object,
) -> None:
    """Give PIPELINE a gate: a stage that waits until others have finished.

    Shows what would change in the pipeline's structure, and changes it when you say yes. A gate that is there already is changed
    in its place. Nothing else of the structure is touched, and no execution is started.

    \b
    Example: gatectl attach k8s --depends-on infra --after Source
    """
    upstreams = names.split(depends_on)
    _refuse_unknown(place, pipeline, upstreams)
    asked: dict[str, object] = {"depends_on": upstreams, **{key: value for key, value in more.items() if value is not None}}
    asked |= {"retry_minutes": int(retry_minutes)} if retry_minutes else {}
    asked |= {"bypass": BYPASS} if bypass else {}
    asked |= {"observe": True} if observe else {}
    try:
        text = parameters(pipeline, asked)
    except Impossible as error:
        raise Refused(str(error)) from None
    gate = _function(place, function)

    def change(declared: Declaration) -> Declaration:
        return with_gate(declared, gate, text, after)

    edit(
        place,
        pipeline,
        change,
        nothing=f"{pipeline} has this gate already. Nothing was changed.",
        done=f"{pipeline} waits for {', '.join(upstreams)} from its next execution on. Its role must be allowed to invoke {gate}: "
        "`gatectl doctor` looks whether it is.",
        dry_run=dry_run,
        yes=yes,
    )


def _refuse_unknown(place: Place, pipeline: str, upstreams: list[str]) -> None:
    """Those that are named by an ARN live elsewhere: whether they are there, the gate will see."""
    there = names.existing(place)
    for name in [pipeline, *upstreams]:
        if re.fullmatch(NAME, name) and name not in there:
            raise names.no_such_pipeline(place, name)


def _function(place: Place, asked: str | None) -> str:
    if asked is not None:
        if not FUNCTION.fullmatch(asked):
            raise Refused(f"{asked} is no gate's function: those are named pipeline-gate-STAGE-gate, as `chalice deploy` names them.")
        return asked
    gates = [one.gate for one in deployed(place) if one.has_gate]
    if len(gates) == 1:
        return gates[0]
    if not gates:
        raise Refused(f"No gate is deployed in {place.region}. Deploy it first (chalice deploy --stage prod), or name it with --function.")
    raise Refused(f"Several gates are deployed in {place.region}: say with --function which one, {' or '.join(gates)}.")
