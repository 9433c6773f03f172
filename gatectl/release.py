"""`gatectl release`: let a held pipeline continue now."""

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
from chalicelib.holds.continuation import BY_TRIGGER, list_sources
from chalicelib.holds.hold import MAX_NEIGHBORS, Hold
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import name_rule, read_stage
from chalicelib.holds.schedule import Schedule
from chalicelib.phrases import format_time, join_names
from chalicelib.wording import held_pipeline
from chalicelib.wording.continuation import describe_revisions
from gatectl.arguments import build_missing_pipeline_error
from gatectl.completion import pipelines
from gatectl.holds import WaitRow, list_rows
from gatectl.session import AWS_REFUSED, FAULTS_FOUND, Interrupted, Place, Refused, add_options
from gatectl.unseen import print_unseen

RETRY_MINUTES = 5
"""How often the rule fires that releases a wait in the mode wait, until its execution has ended."""


class NoRoomForRule(click.ClickException):
    """EventBridge has no room for the rule that would release a wait in the mode wait."""

    exit_code = AWS_REFUSED


@click.command()
@click.argument("pipeline", shell_complete=pipelines)
@click.option(
    "--execution",
    metavar="ID",
    help="Release only this execution, if several are held: its id, or the beginning of it.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@add_options
def release(place: Place, pipeline: str, execution: str | None, *, yes: bool) -> None:
    """Let the held PIPELINE continue now, whatever its upstreams are doing.

    The held stage is retried in the same execution, and the gate lets this execution pass. The next
    execution waits again. The action's summary and the log say who released it.
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
            raise Refused("Cannot ask for confirmation with --json. Use --yes.")
        sentences = [
            *map(_describe_wait, waits),
            *_describe_risk(place, pipeline, waits, by, now),
        ]
        place.console.print(Group(*map(Text, sentences)))
        if not place.confirm(f"Release {pipeline} now?"):
            place.console.print("Nothing was changed.")
            raise click.exceptions.Exit(FAULTS_FOUND)
    try:
        for wait in waits:
            outcome = _release_wait(place, wait, by, now)
            place.changed = (
                f"{pipeline} had already been released. To see which of its executions, run: "
                "gatectl holds."
            )
            if not place.json:
                place.console.print(Text(outcome))
    except KeyboardInterrupt:
        raise Interrupted(
            "Stopped in the middle. To see what has been released, run: gatectl holds."
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
        f"Execution {wait.execution[:8]} of {wait.pipeline} has been waiting for "
        f"{join_names(list(wait.depends_on))}{since}."
    )


def _describe_risk(
    place: Place, pipeline: str, waits: Sequence[Wait], by: str, now: datetime
) -> Iterator[str]:
    """Yield what the upstreams are doing now, as explain says it, and what a release means."""
    # Imported here because they import the doctor, which --yes does not need.
    from gatectl.explain.reader import ExplainReader  # noqa: PLC0415
    from gatectl.explain.reasons import describe_causes  # noqa: PLC0415

    recorded = f"The gate action's summary and the log will say that you released it ({by})."
    execution = waits[0].execution if len(waits) == 1 else None
    try:
        evidence = ExplainReader(place, now).read_evidence(pipeline, execution)
    except (NotPermitted, NoAnswer, Refused) as error:
        # Refused: the execution is older than those that explain reads.
        yield (
            f"gatectl could not check what the upstreams are doing: {str(error).rstrip('.')}. "
            f"{pipeline} will continue anyway. {recorded}"
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
        f"As far as gatectl can see, nothing keeps {pipeline} waiting anymore: it also continues "
        "automatically."
    ]
    revisions = [
        describe_revisions(story.execution.revisions, list_sources(story.attempts))
        for story in evidence.stories
        if story.execution.id in held
    ]
    names = join_names(list(dict.fromkeys(filter(None, revisions))) or [""])
    how = f"{'anyway' if causes else 'now'}{f', with {names}' if names else ''}"
    yield f"{pipeline} will continue {how}. {recorded}"


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
            f"No held execution of {pipeline} has an id that begins with {execution}. The held "
            f"executions are {held_ids}."
        )
    if pipeline not in view.pipelines and pipeline not in place.codepipeline.list_pipelines():
        return build_missing_pipeline_error(place, pipeline)
    return Refused(
        f"{pipeline} is not held. To see what it is doing, run: gatectl explain {pipeline}."
    )


def _refuse_edited(place: Place, view: AccountView, row: WaitRow) -> None:
    """Raise Refused if the pipeline was edited: AWS does not retry its stage then (guide:
    actions-retry), and a new execution would wait again.
    """
    wait = row.wait
    if wait.mode.fails_execution and row.edited:
        raise Refused(
            f"{wait.pipeline} was edited after execution {wait.execution[:8]} began, so AWS does "
            "not retry its stage. Nothing was changed. "
            f"{_describe_start(place, view.pipelines[wait.pipeline])}"
        )


def _describe_start(place: Place, pipeline: Pipeline) -> str:
    """Return what a new execution would do, given the pipeline's current gates."""
    from gatectl.doctor.finding import format_command  # noqa: PLC0415 - it imports all of the doctor

    start = format_command(
        ("aws", "codepipeline", "start-pipeline-execution", "--name", pipeline.name),
        place.region,
        place.flags,
    )
    if not pipeline.gates:
        return f"{pipeline.name} no longer has a gate. To start a new execution, run: {start}."
    gates = [gate.parameters for gate in pipeline.gates]
    if all(parameters and parameters.observe for parameters in gates):
        return f"Its gate only observes now. To start a new execution, run: {start}."
    labels = dict.fromkeys(
        dependency.label
        for parameters in gates
        if parameters and not parameters.observe
        for dependency in parameters.depends_on
    )
    effect = f"waits for {join_names(list(labels))}" if labels else "refuses its parameters"
    return (
        f"A new execution would reach a gate that {effect}. If the gate has a bypass variable, "
        "start the pipeline with that variable set to true. Otherwise, remove the gate: gatectl "
        f"detach {pipeline.name}."
    )


def _release_wait(place: Place, wait: Wait, by: str, now: datetime) -> str:
    """Mark the hold, so that the gate lets its execution pass. Return what happens next."""
    if wait.rule is None:
        for stage in dict.fromkeys(gate.deployed_as for gate in wait.gates):
            _mark_open_gate(place, wait, _build_deployment(place, stage), by, now)
        return (
            f"{wait.pipeline} continues as soon as CodePipeline invokes the gate again. Until "
            "then, gatectl holds shows it as released."
        )
    deployment = _build_deployment(place, read_stage(wait.rule, wait.execution))
    kept = place.eventbridge.read_hold(wait.rule)
    marked = kept and replace(
        kept,
        released_by=by,
        neighbors=tuple(replace(other, released_by=by) for other in kept.neighbors),
    )
    if marked is None or not place.eventbridge.put_target(marked, deployment.retry_arn):
        return (
            f"The hold of execution {wait.execution[:8]} has just ended automatically: "
            f"{wait.pipeline} continues."
        )
    try:  # this only makes it quicker, because the rule also fires
        place.functions.invoke(deployment.retry_function, marked.as_input())
    except (NotPermitted, NoAnswer, UnexpectedAnswer) as error:
        at = f", at {format_time(wait.next_check, now)}" if wait.next_check else ""
        return (
            f"{wait.pipeline} is released and continues at the next check{at}. It does not "
            f"continue sooner because the retry function could not be invoked: {error}."
        )
    return (
        f"{wait.pipeline} continues within seconds: its stage is retried, and the gate lets "
        f"execution {wait.execution[:8]} pass."
    )


def _mark_open_gate(
    place: Place, wait: Wait, deployment: Deployment, by: str, now: datetime
) -> None:
    """Create the rule by which the gates of this deployment know that a person released this
    execution, which is waiting in the mode wait.
    """
    hold, *neighbors = [
        Hold(
            rule=name_rule(deployment, wait.execution),
            pipeline=wait.pipeline,
            execution=wait.execution,
            depends_on=gate.parameters.depends_on,
            since=wait.since or now,
            mode=RETRY,
            revisions=gate.parameters.revisions or BY_TRIGGER,
            released_by=by,
            end_reported=True,  # the gate reports it when it lets the action pass
            gate=(gate.stage, gate.action),
        )
        for gate in wait.gates
        if gate.parameters and gate.deployed_as == deployment.stage
    ]
    schedule = Schedule.begin(now, RETRY_MINUTES)
    hold = replace(hold, schedule=schedule, neighbors=tuple(neighbors[:MAX_NEIGHBORS]))
    place.lambda_permissions.allow_rules(deployment.retry_arn, deployment.all_rules_arn)
    try:
        description = held_pipeline.describe_rule(hold, (), now)
        place.eventbridge.put_hold(hold, schedule.expression, description, deployment.retry_arn)
    except NoRoom:
        raise NoRoomForRule(
            f"EventBridge has no room for another rule, and {wait.pipeline} stays in progress "
            f"while it waits, so only a rule can release it. Execution {wait.execution[:8]} is "
            "still waiting, and nothing was changed for it. Remove rules that are not needed "
            "(gatectl doctor lists those of Pipeline Gate), or raise the quota 'Rules per event "
            "bus' of EventBridge in Service Quotas. Then release it again."
        ) from None


def _build_deployment(place: Place, stage: str) -> Deployment:
    """Return the deployment with this Chalice stage."""
    return Deployment(place.caller.partition, place.region, place.caller.account, stage)
