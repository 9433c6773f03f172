"""`gatectl release`: let a held pipeline go on now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click
from rich.console import Group
from rich.text import Text

from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.reader import AccountReader
from chalicelib.account.waits import Wait
from chalicelib.deployment import Deployment
from chalicelib.errors import NoAnswer, NoRoom, NotPermitted, UnexpectedAnswer
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import build_schedule, name_rule, read_stage
from chalicelib.phrases import format_time, join_names
from chalicelib.wording import held_pipeline
from gatectl.arguments import build_missing_pipeline_error
from gatectl.completion import pipelines
from gatectl.holds import WaitRow, list_rows
from gatectl.session import AWS_REFUSED, FAULTS_FOUND, Interrupted, Place, Refused, add_options
from gatectl.unseen import print_unseen

RETRY_MINUTES = 5
"""How often the rule that lets a wait in place go fires, until its execution has ended."""


class NoRoomForRule(click.ClickException):
    """EventBridge has no room for the rule that would let a wait in place go; the message says what
    to do.
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
@add_options
def release(place: Place, pipeline: str, execution: str | None, *, yes: bool) -> None:
    """Let PIPELINE go on now, although what it waits for is not over.

    The held stage is retried in the same execution, and the gate lets that execution pass, this
    once. Its next execution waits again. Who did it stands in the action's summary and in the log.
    """
    now = datetime.now(UTC)
    with place.show_progress("reading pipelines") as progress:
        view = AccountReader(place.client).read_view(now, progress)
    print_unseen(place, view.unseen)
    held = [row for row in list_rows(view) if row.wait.pipeline == pipeline and not row.over]
    rows = [row for row in held if row.wait.execution.startswith(execution or "")]
    if not rows:
        raise _build_not_held_error(place, view, held, pipeline, execution)
    for row in rows:
        _refuse_edited(place, view, row)
    waits = [row.wait for row in rows]
    by = place.caller.arn
    if not yes:
        if place.json:
            raise Refused("With --json nobody can be asked: add --yes.")
        sentences = [
            *map(_describe_wait, waits),
            *_describe_risk(place, pipeline, waits, by, now),
        ]
        place.console.print(Group(*map(Text, sentences)))
        if not place.confirm(f"Let {pipeline} go on now?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FAULTS_FOUND)
    try:
        for wait in waits:
            outcome = _let_go(place, wait, by, now)
            place.changed = (
                f"{pipeline} was let go before that: gatectl holds shows which of "
                "its executions were."
            )
            if not place.json:
                place.console.print(Text(outcome))
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


def _describe_wait(wait: Wait) -> str:
    since = f" since {wait.since:%Y-%m-%d %H:%M UTC}" if wait.since else ""
    return (
        f"Execution {wait.execution[:8]} of {wait.pipeline} waits for "
        f"{join_names(list(wait.depends_on))}{since}."
    )


def _describe_risk(
    place: Place, pipeline: str, waits: Sequence[Wait], by: str, now: datetime
) -> Iterator[str]:
    """What the upstreams do now, as `gatectl explain` says it, and what it means to go on. If they
    cannot be read, it says so.
    """
    # Imported here because they bring the doctor with them, which a --yes does without.
    from gatectl.explain.reader import ExplainReader  # noqa: PLC0415
    from gatectl.explain.reasons import describe_causes  # noqa: PLC0415

    recorded = f"That you let it go ({by}) will stand in its gate action's summary and in the log."
    execution = waits[0].execution if len(waits) == 1 else None
    try:
        evidence = ExplainReader(place, now).read_evidence(pipeline, execution)
    except (NotPermitted, NoAnswer, Refused) as error:
        # Refused: the execution is older than explain looks back.
        yield (
            f"What that does now was not looked at: {str(error).rstrip('.')}. {pipeline} "
            f"will go on whatever it does. {recorded}"
        )
        return
    held = {wait.execution for wait in waits}
    causes = dict.fromkeys(
        cause
        for story in evidence.stories
        if story.execution.id in held
        for cause in describe_causes(evidence, story)
    )
    yield from causes or [
        f"Nothing keeps {pipeline} waiting any more, as far as can be seen: it goes on by itself, "
        "too."
    ]
    yield f"{pipeline} will go on {'on top of that' if causes else 'all the same'}. {recorded}"


def _build_not_held_error(
    place: Place,
    view: AccountView,
    held: Sequence[WaitRow],
    pipeline: str,
    execution: str | None,
) -> Exception:
    if held:
        held_ids = ", ".join(row.wait.execution[:8] for row in held)
        return Refused(
            f"No held execution of {pipeline} begins with {execution}: held are {held_ids}."
        )
    if pipeline not in view.pipelines and pipeline not in place.codepipeline.list_pipelines():
        return build_missing_pipeline_error(place, pipeline)
    return Refused(f"{pipeline} is not held now. `gatectl explain {pipeline}` says how it stands.")


def _refuse_edited(place: Place, view: AccountView, row: WaitRow) -> None:
    """AWS does not retry a stage of a pipeline that was edited since (guide: actions-retry), and a
    new execution would wait again.
    """
    wait = row.wait
    if wait.mode.fails_execution and row.edited:
        raise Refused(
            f"{wait.pipeline} was edited after execution {wait.execution[:8]} began, so AWS does "
            "not retry its stage"
            f"{_describe_start(place, view.pipelines[wait.pipeline])} Nothing was changed."
        )


def _describe_start(place: Place, pipeline: Pipeline) -> str:
    """What a start would do, as the pipeline's gates stand now."""
    from gatectl.doctor.finding import format_command  # noqa: PLC0415 - it brings all of the doctor

    start = format_command(
        ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline.name),
        place.region,
        place.flags,
    )
    if not pipeline.gates:
        return f". {pipeline.name} has no gate any more: a start goes through: {start}."
    gates = [gate.parameters for gate in pipeline.gates]
    if all(parameters and parameters.observe for parameters in gates):
        return f". Its gate only observes now: a start goes through: {start}."
    labels = dict.fromkeys(
        dependency.label
        for parameters in gates
        if parameters and not parameters.observe
        for dependency in parameters.depends_on
    )
    asks = (
        f"asks its gate anew, which waits for {join_names(list(labels))}"
        if labels
        else "asks its gate anew, which refuses what it is asked now"
    )
    return (
        f", and a new execution {asks}. Start it with the pipeline variable of bypass set to true, "
        f"if its gate has one, or take the gate out: gatectl detach {pipeline.name}."
    )


def _let_go(place: Place, wait: Wait, by: str, now: datetime) -> str:
    """Mark the hold, so that the gate lets its execution pass; returns what happens next."""
    if wait.rule is None:
        for stage in dict.fromkeys(gate.deployed_as for gate in wait.gates):
            _mark_open_gate(place, wait, _build_deployment(place, stage), by, now)
        return (
            f"{wait.pipeline} goes on as soon as CodePipeline asks the gate again. "
            "`gatectl holds` shows it until then."
        )
    deployment = _build_deployment(place, read_stage(wait.rule, wait.execution))
    kept = place.eventbridge.read_hold(wait.rule)
    if kept is None or not place.eventbridge.put_target(
        marked := replace(kept, released_by=by), deployment.retry_arn
    ):
        return (
            f"The hold of execution {wait.execution[:8]} ended by itself in this moment: "
            f"{wait.pipeline} goes on."
        )
    try:  # only makes it quicker: the rule fires by itself, too
        place.functions.invoke(deployment.retry_function, marked.as_input())
    except (NotPermitted, NoAnswer, UnexpectedAnswer) as error:
        at = f" at {format_time(wait.next_check, now)}" if wait.next_check else ""
        return (
            f"{wait.pipeline} is let go, and goes on when its rule is looked at next{at}. It "
            "would within seconds, but the retry could not "
            f"be invoked: {error}."
        )
    return (
        f"{wait.pipeline} goes on within seconds: its stage is retried, and the gate lets "
        f"execution {wait.execution[:8]} pass."
    )


def _mark_open_gate(
    place: Place, wait: Wait, deployment: Deployment, by: str, now: datetime
) -> None:
    """Make the rule that tells the gates of this deployment that a person let this execution go,
    which waits in place.
    """
    parameters_of_gates = [
        gate.parameters
        for gate in wait.gates
        if gate.parameters and gate.deployed_as == deployment.stage
    ]
    depends_on = dict.fromkeys(
        dependency for parameters in parameters_of_gates for dependency in parameters.depends_on
    )
    hold = Hold(
        rule=name_rule(deployment, wait.execution),
        pipeline=wait.pipeline,
        execution=wait.execution,
        depends_on=tuple(depends_on),
        since=wait.since or now,
        mode=RETRY,
        released_by=by,
        end_reported=True,  # the gate reports it when it lets the action pass
    )
    place.lambda_permissions.allow_rules(deployment.retry_arn, deployment.all_rules_arn)
    try:
        description = held_pipeline.describe_rule(hold, (), now)
        place.eventbridge.put_hold(
            hold, build_schedule(now, RETRY_MINUTES), description, deployment.retry_arn
        )
    except NoRoom:
        raise NoRoomForRule(
            f"EventBridge has no room for another rule, and {wait.pipeline} waits in place, which "
            f"only a rule lets go: execution {wait.execution[:8]} waits on, and nothing was "
            "changed for it. Remove rules that nobody needs (gatectl doctor names the gate's), or "
            "raise the quota 'Rules per event bus' of EventBridge in Service Quotas; then release "
            "it again."
        ) from None


def _build_deployment(place: Place, stage: str) -> Deployment:
    """Return the deployment of the gate that holds, by its Chalice stage."""
    return Deployment(place.caller.partition, place.region, place.caller.account, stage)
