"""`gatectl release`: let a held pipeline go on now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Group
from rich.text import Text

from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.reader import AccountReader
from chalicelib.account.waits import Wait
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.aws.lambda_permission import LambdaPermissions
from chalicelib.deployment import Deployment
from chalicelib.errors import NoAnswer, NoRoom, NotPermitted, translate_error
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import build_schedule, name_rule, read_stage
from chalicelib.phrases import format_time, join_names
from chalicelib.wording import held_pipeline
from gatectl.arguments import build_missing_pipeline_error
from gatectl.completion import pipelines
from gatectl.holds import Row, rows
from gatectl.session import AWS_REFUSED, FOUND, Interrupted, Place, Refused, options
from gatectl.unseen import note

RETRY_MINUTES = 5
"""How often the rule that lets a wait in place go is looked at, until its execution has ended."""


class NoRule(click.ClickException):
    """AWS has no room for the rule that would let a wait in place go; the message says what to
    do.
    """

    exit_code = AWS_REFUSED


@click.command()
@click.argument("pipeline", shell_complete=pipelines)
@click.option(
    "--execution",
    metavar="ID",
    help="Only this one, where several are held: its id, or how that begins.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options
def release(place: Place, pipeline: str, execution: str | None, *, yes: bool) -> None:
    """Let PIPELINE go on now, although what it waits for is not over.

    The held stage is retried in the same execution, and the gate lets that execution pass, this
    once. Its next execution waits again. Who did it stands in the action's summary and in the log.
    """
    now = datetime.now(UTC)
    with place.progress("reading pipelines") as progress:
        seen = AccountReader(place.client).read_view(now, progress)
    note(place, seen.unseen)
    held = [row for row in rows(seen) if row.wait.pipeline == pipeline and not row.over]
    waits = [row.wait for row in held if row.wait.execution.startswith(execution or "")]
    if not waits:
        raise _nobody_waits(place, seen, held, pipeline, execution)
    for wait in waits:
        _refuse_edited(place, seen, wait)
    by = str(place.client("sts").get_caller_identity()["Arn"])
    if not yes:
        if place.json:
            raise Refused("With --json nobody can be asked: add --yes.")
        place.console.print(
            Group(
                *(
                    Text(line)
                    for line in [*map(_about, waits), *_risk(place, pipeline, waits, by, now)]
                )
            )
        )
        if not place.agreed(f"Let {pipeline} go on now?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FOUND)
    try:
        for wait in waits:
            told = _let_go(place, wait, by, now)
            place.changed = (
                f"{pipeline} was let go before that: gatectl holds shows which of "
                "its executions were."
            )
            if not place.json:
                place.console.print(Text(told))
    except KeyboardInterrupt:
        raise Interrupted(
            "Stopped on the way: gatectl holds shows who was let go by then."
        ) from None
    if place.json:
        executions = [
            {"execution": wait.execution, "rule": wait.rule, "hold": wait.mode.name}
            for wait in waits
        ]
        place.show("", {"pipeline": pipeline, "released_by": by, "released": executions})


def _about(wait: Wait) -> str:
    since = f" since {wait.since:%Y-%m-%d %H:%M UTC}" if wait.since else ""
    return (
        f"Execution {wait.execution[:8]} of {wait.pipeline} waits for "
        f"{join_names(list(wait.depends_on))}{since}."
    )


def _risk(
    place: Place, pipeline: str, waits: Sequence[Wait], by: str, now: datetime
) -> Iterator[str]:
    """What the upstreams do now, as `gatectl explain` says it, and what it means to go on. Where
    they may not be looked at, that.
    """
    from gatectl.explain.because import because  # noqa: PLC0415 - a --yes does without, and without all of the doctor
    from gatectl.explain.reading import Reading  # noqa: PLC0415

    recorded = f"That you let it go ({by}) will stand in its gate action's summary and in the log."
    try:
        facts = Reading(place, now).facts(pipeline, waits[0].execution if len(waits) == 1 else None)
    except (
        ClientError,
        BotoCoreError,
        NotPermitted,
        NoAnswer,
        Refused,
    ) as error:  # a refusal: it began before explain looks back to
        told = (
            translate_error(error, "codepipeline:GetPipeline")
            if isinstance(error, (ClientError, BotoCoreError))
            else error
        )
        yield (
            f"What that does now was not looked at: {str(told).rstrip('.')}. {pipeline} "
            f"will go on whatever it does. {recorded}"
        )
        return
    held = {wait.execution for wait in waits}
    stories = [story for story in facts.stories if story.execution.id in held]
    reasons = list(
        dict.fromkeys(sentence for story in stories for sentence in because(facts, story))
    )
    yield from reasons or [
        f"Nothing keeps {pipeline} waiting any more, as far as can be seen: it goes on by itself, "
        "too."
    ]
    yield f"{pipeline} will go on {'on top of that' if reasons else 'all the same'}. {recorded}"


def _nobody_waits(
    place: Place, seen: AccountView, held: Sequence[Row], pipeline: str, execution: str | None
) -> Exception:
    if held:
        others = ", ".join(row.wait.execution[:8] for row in held)
        return Refused(
            f"No held execution of {pipeline} begins with {execution}: held are {others}."
        )
    if pipeline not in seen.pipelines and pipeline not in place.codepipeline.list_pipelines():
        return build_missing_pipeline_error(place, pipeline)
    return Refused(f"{pipeline} is not held now. `gatectl explain {pipeline}` says how it stands.")


def _refuse_edited(place: Place, seen: AccountView, wait: Wait) -> None:
    """AWS does not retry a stage of a pipeline that was edited since (guide: actions-retry), and a
    new execution would wait anew.
    """
    began = next(
        (
            one.started
            for one in seen.pipelines[wait.pipeline].executions
            if one.id == wait.execution
        ),
        None,
    )
    edited = (
        place.client("codepipeline").get_pipeline(name=wait.pipeline)["metadata"].get("updated")
    )
    if wait.mode.fails_execution and began and edited and edited > began:
        raise Refused(
            f"{wait.pipeline} was edited after execution {wait.execution[:8]} began, so AWS does "
            "not retry its stage"
            f"{_anew(place, seen.pipelines[wait.pipeline])} Nothing was changed."
        )


def _anew(place: Place, pipeline: Pipeline) -> str:
    """What a start would do, as the pipeline's gates stand now."""
    from gatectl.doctor.finding import format_command  # noqa: PLC0415 - it brings all of the doctor

    start = format_command(
        ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline.name),
        place.region,
        place.flags,
    )
    if not pipeline.gates:
        return f". {pipeline.name} has no gate any more: a start goes through: {start}."
    asked = [gate.parameters for gate in pipeline.gates]
    if all(one and one.observe for one in asked):
        return f". Its gate only observes now: a start goes through: {start}."
    names = join_names(
        list(
            dict.fromkeys(
                wanted.label
                for one in asked
                if one and not one.observe
                for wanted in one.depends_on
            )
        )
    )
    asks = (
        f"asks its gate anew, which waits for {names}"
        if names
        else "asks its gate anew, which refuses what it is asked now"
    )
    return (
        f", and a new execution {asks}. Start it with the pipeline variable of bypass set to "
        "true, if its gate has one, or take the gate "
        f"out: gatectl detach {pipeline.name}."
    )


def _let_go(place: Place, wait: Wait, by: str, now: datetime) -> str:
    """Mark the hold, so that the gate lets its execution pass; returns what happens next."""
    if wait.rule is None:
        for stage in dict.fromkeys(gate.deployed_as for gate in wait.gates):
            _mark(place, wait, _deployment(place, stage, by), by, now)
        return (
            f"{wait.pipeline} goes on as soon as CodePipeline asks the gate again. "
            "`gatectl holds` shows it until then."
        )
    eventbridge = EventBridge(place.client("events"))
    deployment = _deployment(place, read_stage(wait.rule, wait.execution), by)
    kept = eventbridge.read_hold(wait.rule)
    if kept is None or not eventbridge.put_target(
        marked := replace(kept, released_by=by), deployment.retry_arn
    ):
        return (
            f"The hold of execution {wait.execution[:8]} ended by itself in this moment: "
            f"{wait.pipeline} goes on."
        )
    try:  # only makes it quicker: the rule fires by itself, too
        place.client("lambda").invoke(
            FunctionName=deployment.retry_function,
            InvocationType="Event",
            Payload=marked.as_input(),
        )
    except (ClientError, BotoCoreError) as error:
        at = f" at {format_time(wait.next_check, now)}" if wait.next_check else ""
        return (
            f"{wait.pipeline} is let go, and goes on when its rule is looked at next{at}. It "
            "would within seconds, but the retry could not "
            f"be invoked: {translate_error(error, 'lambda:InvokeFunction')}."
        )
    return (
        f"{wait.pipeline} goes on within seconds: its stage is retried, and the gate lets "
        f"execution {wait.execution[:8]} pass."
    )


def _mark(place: Place, wait: Wait, deployment: Deployment, by: str, now: datetime) -> None:
    """Make the rule by which the gates of this deployment see that an execution which waits in
    place is let go.
    """
    asked = [
        gate.parameters
        for gate in wait.gates
        if gate.parameters and gate.deployed_as == deployment.stage
    ]
    hold = Hold(
        name_rule(deployment, wait.execution),
        wait.pipeline,
        wait.execution,
        tuple(dict.fromkeys(one for each in asked for one in each.depends_on)),
        wait.since or now,
        mode=RETRY,
        released_by=by,
        end_reported=True,  # the gate reports it when it lets the action pass
    )
    LambdaPermissions(place.client("lambda")).allow_rules(
        deployment.retry_arn, deployment.all_rules_arn
    )
    try:
        description = held_pipeline.describe_rule(hold, (), now)
        EventBridge(place.client("events")).put_hold(
            hold, build_schedule(now, RETRY_MINUTES), description, deployment.retry_arn
        )
    except NoRoom:
        raise NoRule(
            f"EventBridge has no room for another rule, and {wait.pipeline} waits in place, which "
            "only a rule lets go: execution "
            f"{wait.execution[:8]} waits on, and nothing was changed for it. Remove rules that "
            "nobody needs (gatectl doctor names "
            "the gate's), or raise the quota 'Rules per event bus' of EventBridge in Service "
            "Quotas; then release it again."
        ) from None


def _deployment(place: Place, stage: str, by: str) -> Deployment:
    """`stage`: that of the gate that holds it, which stands in the rule's name, and in that of the
    function which the gate action names.
    """
    _, partition, _, _, account, _ = by.split(":", 5)
    return Deployment(partition, place.region, account, stage)
