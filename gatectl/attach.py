"""`gatectl attach`: give a pipeline its gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click
from botocore.exceptions import ClientError

from chalicelib.account.gates import FUNCTION, find_gates, parse_declared_parameters
from chalicelib.deployment import refuse_long_stage
from chalicelib.errors import Misconfigured, NotPermitted, translate_error
from chalicelib.holds.mode import MODES
from chalicelib.parameters import MOST_GIVE_UP_MINUTES, ON_GIVE_UP, RETRY_MINUTES, REVISIONS
from chalicelib.phrases import format_minutes, join_names
from chalicelib.pipelines.dependency import PARKED, REQUIRE, Dependency
from gatectl import completion, upstreams
from gatectl.editing import edit
from gatectl.functions import deployed
from gatectl.minutes import OneOf, Within
from gatectl.session import Place, Refused, options
from gatectl.structure import BYPASS, Declaration, Impossible, parameters, with_gate
from gatectl.wording import number


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
    "is retried; wait: stays in progress.  "
    "[default: restart]",
)
@click.option(
    "--retry-minutes",
    type=OneOf(RETRY_MINUTES),
    metavar="MINUTES",
    help="How often a hold looks again on its own, a divisor of 60.  [default: as deployed, else "
    "5]",
)
@click.option(
    "--give-up-minutes",
    type=Within(1, MOST_GIVE_UP_MINUTES),
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
    "execution had.  "
    "[default: latest; in PARALLEL mode held]",
)
@click.option(
    "--parked",
    type=click.Choice(PARKED),
    help="Whether one that only waits for a person (an approval, a disabled transition) counts. "
    "wait: is waited for; pass: is not.  "
    "[default: wait]",
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
    """Give PIPELINE a gate, so that it waits for others.

    Shows what would change in the pipeline's structure, and changes it when you say yes. The gate becomes a stage of its own; a gate
    that is there already is made to ask for what this command says, where it stands. Nothing else is touched, no execution is started.

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

    A pipeline that a template makes (CloudFormation, CDK, Terraform) gets its gate there: its next deployment would take this one out.
    """
    entries = upstreams.entries(depends_on)
    asked: dict[str, object] = {
        "depends_on": entries,
        **{key: value for key, value in more.items() if value is not None},
    }
    asked |= {"retry_minutes": int(retry_minutes)} if retry_minutes else {}
    asked |= {"bypass": BYPASS} if bypass else {}
    asked |= {"observe": True} if observe else {}
    try:
        text = parameters(pipeline, asked)
    except Impossible as error:
        raise Refused(str(error)) from None
    wanted = parse_declared_parameters(text).depends_on
    upstreams.refuse_missing(place, pipeline, wanted)
    unseen: list[str] = []

    def change(declared: Declaration) -> Declaration:
        present = find_gates(declared)
        return with_gate(
            declared,
            _function(place, function or (present[0].function if present else None), unseen),
            text,
            after,
        )

    role: list[str] = []

    def warn(changed: Declaration) -> list[str]:
        from gatectl import invoking  # noqa: PLC0415 - it brings all of the doctor, and the completion of a word does without

        found = invoking.look(place, changed)
        role.append(invoking.told(found))
        return [*unseen, *upstreams.deadlocks(place, changed), *map(invoking.caution, found or ())]

    edit(
        place,
        pipeline,
        change,
        nothing=f"{pipeline} has this gate already. Nothing was changed.",
        done=lambda _: " ".join(
            (f"From its next execution on {pipeline} {_does(wanted, asked)}", *role)
        ),
        dry_run=dry_run,
        yes=yes,
        warn=warn,
    )


def _does(depends_on: Sequence[Dependency], asked: Mapping[str, object]) -> str:
    """What a pipeline does from now on that waits for these, with what the command line `asked`
    for.
    """
    others, settings = (
        join_names([one.label for one in depends_on]),
        f" ({', '.join(said)})" if (said := list(_settings(asked))) else "",
    )
    if asked.get("observe"):
        return f"only says whether it would have waited for {others}{settings}, and never waits."
    idle = [one.label for one in depends_on if one.require == "idle"]
    ended = f"{join_names(idle)} {'has' if len(idle) == 1 else 'have'} ended" if idle else ""
    goes_on = (
        f" It goes on when {ended}, also after a failure: --require succeeded prevents that."
        if idle
        else ""
    )
    return f"waits for {others}{settings}.{goes_on}"


def _settings(asked: Mapping[str, object]) -> Iterator[str]:
    """What is not as it is by itself."""
    usual = {
        "require": "idle",
        "hold": "restart",
        "revisions": None,
        "parked": "wait",
    }  # what a restart takes depends on the mode
    yield from (
        f"{key} {asked[key]}" for key, value in usual.items() if asked.get(key, value) != value
    )
    if "retry_minutes" in asked:
        yield f"looks again every {format_minutes(int(str(asked['retry_minutes'])))}"
    if "give_up_minutes" in asked:
        then = " and goes on all the same" if asked.get("on_give_up") == "continue" else ""
        yield f"gives up after {number(int(str(asked['give_up_minutes'])), 'minute')}{then}"
    if "bypass" in asked:
        yield "its variable bypass opens the gate"


def _function(place: Place, named: str | None, unseen: list[str]) -> str:
    """The function that the gate's action shall invoke: the one that is named, if there is one of
    that name, else the only one.

    Where one is named and AWS does not let anyone look whether it is there, it is taken, and
    `unseen` is told so.
    """
    if named is None:
        return _only_one(place)
    match = FUNCTION.fullmatch(named)
    if match is None:
        raise Refused(
            f"{named} is no gate's function: those are named pipeline-gate-STAGE-gate, as "
            "`chalice deploy` names them."
        )
    try:
        there = [one.gate for one in deployed(place) if one.has_gate]
    except ClientError as error:
        denied = translate_error(error, "lambda:ListFunctions")
        if not isinstance(denied, NotPermitted):
            raise
        unseen.append(f"Whether there is a function {named} could not be looked: {denied}.")
    else:
        if match["name"] not in there:
            others = (
                f"there is {join_names(there)}. Name it with --function."
                if there
                else "no gate is deployed there."
            )
            raise Refused(f"There is no function {named} in {place.region}; {others}")
    return _able(named, match["stage"])


def _only_one(place: Place) -> str:
    there = [one for one in deployed(place) if one.has_gate]
    if len(there) == 1:
        return _able(there[0].gate, there[0].stage)
    if there:
        names = " or ".join(one.gate for one in there)
        raise Refused(
            f"Several gates are deployed in {place.region}: say with --function which one, {names}."
        )
    raise Refused(
        f"No gate is deployed in {place.region}. Deploy it first (chalice deploy --stage prod), "
        "or look in another --region."
    )


def _able(function: str, stage: str) -> str:
    """The function, of that Chalice stage. Raises Refused where that one's name leaves no room for
    a hold's.
    """
    try:
        refuse_long_stage(stage)
    except Misconfigured as error:
        raise Refused(f"{function} can hold nobody. {error} Nothing was changed.") from None
    return function
