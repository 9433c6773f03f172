"""`gatectl release`: let a held pipeline continue now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.waits import Wait
from chalicelib.errors import NoAnswer, NotPermitted
from chalicelib.holds.continuation import list_sources
from chalicelib.phrases import format_time, join_names
from chalicelib.wording.continuation import describe_revisions
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
from gatectl.session import Place, Refused


@click.command()
@add_mark_options
def release(
    place: Place, pipeline: str, execution: str | None, reason: str | None, *, yes: bool
) -> None:
    """Let the held PIPELINE continue now, whatever its upstreams are doing.

    The held stage is retried in the same execution, and the gate lets this execution pass. The next
    execution waits again. The action's summary and the log say who released it, and why if you give
    a reason.
    """
    now = datetime.now(UTC)
    view, rows = find_held_rows(place, pipeline, execution, now)
    for row in rows:
        _refuse_edited(place, view, row)
    waits = [row.wait for row in rows]
    mark = PersonMark(released_by=place.caller.arn, comment=reason)
    if not yes:
        confirm_mark(
            place,
            lambda: [
                *map(describe_wait, waits),
                *_describe_risk(place, pipeline, waits, place.caller.arn, now),
            ],
            f"Release {pipeline} now?",
        )
    mark_waits(place, waits, mark, now, lambda wait, result: _describe_result(wait, result, now))


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
    from gatectl.explain.statement import build_start_command  # noqa: PLC0415

    start = format_command(build_start_command(pipeline.name), place.region, place.flags)
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


def _describe_result(wait: Wait, result: MarkResult, now: datetime) -> str:
    """Return what happens next."""
    pipeline, execution = wait.pipeline, wait.execution[:8]
    if wait.rule is None:
        return (
            f"{pipeline} continues as soon as CodePipeline invokes the gate again. Until then, "
            "gatectl holds shows it as released."
        )
    if result.has_ended:
        return (
            f"The hold of execution {execution} has just ended, so there was nothing to release. "
            f"To see what became of it, run: gatectl explain {pipeline}."
        )
    if result.delay:
        at = f", at {format_time(wait.next_check, now)}" if wait.next_check else ""
        return (
            f"{pipeline} is released and continues at the next check{at}. It does not continue "
            f"sooner because the retry function could not be invoked: {result.delay}."
        )
    return (
        f"{pipeline} continues within seconds: its stage is retried, and the gate lets execution "
        f"{execution} pass."
    )
