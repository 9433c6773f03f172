"""`gatectl cancel`: end a wait, and start nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from chalicelib.account.waits import Wait
from chalicelib.phrases import format_time
from gatectl.holds import WaitRow
from gatectl.marking import (
    MarkResult,
    PersonMark,
    add_mark_options,
    confirm_mark,
    describe_wait,
    find_held_rows,
    mark_waits,
)
from gatectl.session import FAULTS_FOUND, Place


@click.command()
@add_mark_options
def cancel(
    place: Place, pipeline: str, execution: str | None, reason: str | None, *, yes: bool
) -> None:
    """End the wait of the held PIPELINE, and start nothing.

    The held execution stays failed; in the mode wait, the gate fails it. The next execution waits
    again. The log and the event say who canceled it, and why if you give a reason.
    """
    now = datetime.now(UTC)
    _, rows = find_held_rows(place, pipeline, execution, now)
    waits = [row.wait for row in rows]
    mark = PersonMark(canceled_by=place.caller.arn, comment=reason)
    if not yes:
        noun = "this wait" if len(waits) == 1 else "these waits"
        confirm_mark(
            place,
            lambda: [*map(describe_wait, waits), *_describe_effect(place, rows)],
            f"Cancel {noun} now?",
        )
    canceled = mark_waits(
        place, waits, mark, now, lambda wait, result: _describe_result(wait, result, now)
    )
    if len(canceled) < len(waits):
        raise click.exceptions.Exit(FAULTS_FOUND)


def _describe_effect(place: Place, rows: Sequence[WaitRow]) -> Iterator[str]:
    """Yield what a cancellation means, and how the pipeline can be started later."""
    from gatectl.doctor.finding import format_command  # noqa: PLC0415 - it imports all of the doctor
    from gatectl.explain.statement import build_start_command  # noqa: PLC0415

    pipeline = rows[0].wait.pipeline
    subject, possessive = ("This execution", "its") if len(rows) == 1 else ("They", "their")
    if any(row.wait.rule is None for row in rows):
        verb = "fails" if len(rows) == 1 else "fail"
        fate = f"{subject} {verb} at the gate's next check"
    else:
        verb = "stays" if len(rows) == 1 else "stay"
        fate = f"{subject} {verb} failed"
    yield (
        f"{fate}, and nothing is started. The log and the event will say that you canceled it "
        f"({place.caller.arn})."
    )
    command = format_command(build_start_command(pipeline), place.region, place.flags)
    retry = f"retry {possessive} stage, so that the gate checks again, or "
    yield (
        f"To start {pipeline} later, {'' if any(row.edited for row in rows) else retry}run: "
        f"{command}."
    )


def _describe_result(wait: Wait, result: MarkResult, now: datetime) -> str:
    """Return what happens next."""
    pipeline, execution = wait.pipeline, wait.execution[:8]
    if wait.rule is None:
        return (
            f"{pipeline} stops waiting as soon as CodePipeline invokes the gate again: the gate "
            f"fails execution {execution}. Until then, gatectl holds shows it as canceled."
        )
    if result.has_ended:
        return (
            f"The hold of execution {execution} has just ended, so there was nothing to cancel. "
            f"To see what became of it, run: gatectl explain {pipeline}."
        )
    if result.delay:
        at = f", at {format_time(wait.next_check, now)}" if wait.next_check else ""
        return (
            f"The wait of {pipeline} is canceled and ends at the next check{at}. It does not end "
            f"sooner because the retry function could not be invoked: {result.delay}."
        )
    return (
        f"The wait of {pipeline} ends within seconds, and nothing is started. Execution "
        f"{execution} stays failed."
    )
