"""What `release` and `cancel` share: a mark in the rule of a hold, and who left it.

The retry function executes the mark, or, if the action stays in progress, the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import click
from rich.console import Group
from rich.text import Text

from chalicelib.account.pipeline import AccountView
from chalicelib.account.reader import AccountReader
from chalicelib.account.waits import Wait
from chalicelib.deployment import Deployment
from chalicelib.errors import NoAnswer, NoRoom, NotPermitted, UnexpectedAnswer
from chalicelib.holds.continuation import BY_TRIGGER
from chalicelib.holds.hold import COMMENT_LENGTH, MAX_NEIGHBORS, Hold, clean_comment
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import name_rule, read_stage
from chalicelib.holds.schedule import Schedule
from chalicelib.phrases import join_names
from chalicelib.wording import held_pipeline
from gatectl.arguments import build_missing_pipeline_error
from gatectl.completion import pipelines
from gatectl.holds import WaitRow, list_rows
from gatectl.session import AWS_REFUSED, FAULTS_FOUND, Interrupted, Place, Refused, add_options
from gatectl.unseen import print_unseen

RETRY_MINUTES = 5
"""How often a rule fires that has only a mark, until its execution has ended."""


class NoRoomForRule(click.ClickException):
    """EventBridge has no room for the rule that would mark a wait in the mode wait."""

    exit_code = AWS_REFUSED


@dataclass(frozen=True)
class PersonMark:
    """What a person wants with a hold, as the hold stores it."""

    released_by: str | None = None
    canceled_by: str | None = None
    comment: str | None = None

    @property
    def participle(self) -> str:
        return "canceled" if self.canceled_by else "released"

    def apply(self, hold: Hold) -> Hold:
        """Return the hold with this mark at each of its waits, instead of an earlier one."""
        marked = replace(
            hold,
            released_by=self.released_by,
            canceled_by=self.canceled_by,
            comment=self.comment,
        )
        return replace(marked, neighbors=tuple(map(self.apply, hold.neighbors)))


@dataclass(frozen=True)
class MarkResult:
    """What became of a mark. `has_ended`: the hold had ended before, so nothing was marked.
    `delay`: why the retry function could not be invoked, so that the mark has to wait for the
    rule's next check.
    """

    has_ended: bool = False
    delay: str = ""


def add_mark_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what both commands accept. The command's name is in the help."""
    verb = command.__name__.capitalize()
    for decorate in (
        add_options,
        click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
        click.option(
            "--reason",
            metavar="TEXT",
            callback=_check_reason,
            help="Why, for the log, the event and the action's message.",
        ),
        click.option(
            "--execution",
            metavar="ID",
            help=f"{verb} only this execution, if several are held: its id, or the beginning of "
            "it.",
        ),
        click.argument("pipeline", shell_complete=pipelines),
    ):
        command = decorate(command)
    return command


def _check_reason(
    _context: click.Context, _parameter: click.Parameter, reason: str | None
) -> str | None:
    """Return the reason without spaces around it. Raises Refused if it cannot be shown as it is."""
    if reason is None:
        return None
    reason = reason.strip()
    if not reason:
        raise Refused("--reason is empty. Say why, or leave it out.")
    if len(reason) > COMMENT_LENGTH:
        raise Refused(
            f"--reason has {len(reason)} characters, and at most {COMMENT_LENGTH} are possible."
        )
    if not reason.isprintable():
        raise Refused(
            "--reason contains a line break or another character that cannot be printed. Write it "
            "on one line."
        )
    return clean_comment(reason)


def find_held_rows(
    place: Place, pipeline: str, execution: str | None, now: datetime
) -> tuple[AccountView, list[WaitRow]]:
    """Return the account, and the held executions of a pipeline whose ids begin with `execution`.

    Raises Refused if there are none.
    """
    with place.show_progress("reading pipelines") as progress:
        view = AccountReader(place.client).read_view(now, progress)
    print_unseen(place, view.unseen)
    held = [row for row in list_rows(view) if row.wait.pipeline == pipeline and not row.over]
    rows = [row for row in held if row.wait.execution.startswith(execution or "")]
    if rows:
        return view, rows
    if held:
        held_ids = ", ".join(row.wait.execution[:8] for row in held)
        raise Refused(
            f"No held execution of {pipeline} has an id that begins with {execution}. The held "
            f"executions are {held_ids}."
        )
    if pipeline not in view.pipelines and pipeline not in place.codepipeline.list_pipelines():
        raise build_missing_pipeline_error(place, pipeline)
    raise Refused(
        f"{pipeline} is not held. To see what it is doing, run: gatectl explain {pipeline}."
    )


def describe_wait(wait: Wait) -> str:
    since = f" since {wait.since:%Y-%m-%d %H:%M UTC}" if wait.since else ""
    return (
        f"Execution {wait.execution[:8]} of {wait.pipeline} has been waiting for "
        f"{join_names(list(wait.depends_on))}{since}."
    )


def confirm_mark(place: Place, sentences: Callable[[], Iterable[str]], question: str) -> None:
    """Print the sentences and ask the question. Ends the command if the answer is no."""
    if place.json:
        raise Refused("Cannot ask for confirmation with --json. Use --yes.")
    place.console.print(Group(*map(Text, sentences())))
    if not place.confirm(question):
        place.console.print("Nothing was changed.")
        raise click.exceptions.Exit(FAULTS_FOUND)


def mark_waits(
    place: Place,
    waits: Sequence[Wait],
    mark: PersonMark,
    now: datetime,
    describe: Callable[[Wait, MarkResult], str],
) -> list[Wait]:
    """Leave the mark at each wait, and print what `describe` says about it, or all as JSON. Returns
    the waits that were marked.
    """
    marked, pipeline = [], waits[0].pipeline
    try:
        for wait in waits:
            result = mark_wait(place, wait, mark, now)
            place.changed = (
                f"{pipeline} had already been {mark.participle}. To see which of its executions, "
                "run: gatectl holds."
            )
            if not result.has_ended:
                marked.append(wait)
            if not place.json:
                place.console.print(Text(describe(wait, result)))
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped in the middle. To see what has been {mark.participle}, run: gatectl holds."
        ) from None
    if place.json:
        executions = [
            {"execution": wait.execution, "rule": wait.rule, "hold": wait.mode.name}
            for wait in marked
        ]
        by = {f"{mark.participle}_by": mark.released_by or mark.canceled_by}
        document = {**by, "comment": mark.comment, mark.participle: executions}
        place.show("", {"pipeline": pipeline, **document})
    return marked


def mark_wait(place: Place, wait: Wait, mark: PersonMark, now: datetime) -> MarkResult:
    """Leave the mark at one wait."""
    if wait.rule is None:
        for stage in dict.fromkeys(gate.deployed_as for gate in wait.gates):
            _mark_open_gate(place, wait, _build_deployment(place, stage), mark, now)
        return MarkResult()
    deployment = _build_deployment(place, read_stage(wait.rule, wait.execution))
    kept = place.eventbridge.read_hold(wait.rule)
    if kept is None or kept.restart:
        return MarkResult(has_ended=True)
    marked = mark.apply(kept)
    if not place.eventbridge.put_target(marked, deployment.retry_arn):
        return MarkResult(has_ended=True)
    try:  # this only makes it quicker, because the rule also fires
        place.functions.invoke(deployment.retry_function, marked.as_input())
    except (NotPermitted, NoAnswer, UnexpectedAnswer) as error:
        return MarkResult(delay=str(error))
    return MarkResult()


def _mark_open_gate(
    place: Place, wait: Wait, deployment: Deployment, mark: PersonMark, now: datetime
) -> None:
    """Create the rule by which the gates of this deployment know what a person wants with this
    execution, which is waiting in the mode wait.
    """
    rule = name_rule(deployment, wait.execution)
    waits = [
        Hold(
            rule=rule,
            pipeline=wait.pipeline,
            execution=wait.execution,
            depends_on=gate.parameters.depends_on,
            # By this, the gate knows that the mark is about this wait.
            since=wait.begins.get((gate.stage, gate.action), now),
            mode=RETRY,
            revisions=gate.parameters.revisions or BY_TRIGGER,
            end_reported=True,  # the gate reports it when it answers
            gate=(gate.stage, gate.action),
        )
        for gate in wait.gates
        if gate.parameters and gate.deployed_as == deployment.stage
    ]
    # A gate of the same stage with another mode may have its wait in this rule already.
    marked = {hold.gate for hold in waits}
    kept = None
    with suppress(ValueError):  # the gate did not write it
        kept = place.eventbridge.read_hold(rule)
    waits += [hold for hold in (kept.waits if kept else ()) if hold.gate not in marked]
    schedule, neighbors = Schedule.begin(now, RETRY_MINUTES), tuple(waits[1 : MAX_NEIGHBORS + 1])
    hold = replace(waits[0], schedule=schedule, neighbors=neighbors)
    place.lambda_permissions.allow_rules(deployment.retry_arn, deployment.all_rules_arn)
    try:
        description = held_pipeline.describe_rule(hold, (), now)
        place.eventbridge.put_hold(
            mark.apply(hold), schedule.expression, description, deployment.retry_arn
        )
    except NoRoom:
        verb = "cancel" if mark.canceled_by else "release"
        instead = "Or stop the execution. " if mark.canceled_by else ""
        raise NoRoomForRule(
            f"EventBridge has no room for another rule, and {wait.pipeline} stays in progress "
            f"while it waits, so only a rule can {verb} it. Execution {wait.execution[:8]} is "
            "still waiting, and nothing was changed for it. Remove rules that are not needed "
            "(gatectl doctor lists those of Pipeline Gate), or raise the quota 'Rules per event "
            f"bus' of EventBridge in Service Quotas. Then {verb} it again. {instead}".rstrip()
        ) from None


def _build_deployment(place: Place, stage: str) -> Deployment:
    """Return the deployment with this Chalice stage."""
    return Deployment(place.caller.partition, place.region, place.caller.account, stage)
