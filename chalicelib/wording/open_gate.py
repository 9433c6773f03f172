"""Why a gate is open, for the summary of the action that passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.phrases import SHOWN, clock, shortened, some

if TYPE_CHECKING:
    from chalicelib.pipelines.dependency import Dependency
    from chalicelib.pipelines.upstream import Upstream

SUMMARY_LENGTH = 2048  # model: ExecutionSummary


def passed(upstreams: Sequence[Upstream], now: datetime) -> str:
    """Why the gate is open, for the action's summary."""
    more = [f"so are {len(upstreams) - SHOWN} more"] if len(upstreams) > SHOWN else []
    return shortened(
        "; ".join([*(_open(upstream, now) for upstream in upstreams[:SHOWN]), *more]),
        SUMMARY_LENGTH,
    )


def bypassed(wanted: Sequence[Dependency]) -> str:
    return shortened(
        "Bypassed: the pipeline variable asked for it, so nobody looked whether "
        f"{some([one.label for one in wanted])} runs.",
        SUMMARY_LENGTH,
    )


def goes_on_all_the_same(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """That the wait is given up and the pipeline goes on, for the action's summary."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Goes on in spite of {names}: waited since {clock(since, now)}, as long as "
        f"give_up_minutes says. {why(waiting, now)}",
        SUMMARY_LENGTH,
    )


def let_go(waiting: Sequence[Upstream], by: str, since: datetime, now: datetime) -> str:
    """That a person lets the pipeline go on, for the action's summary."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Goes on in spite of {names}: waited since {clock(since, now)}, and {by} let it go. "
        f"{why(waiting, now)}",
        SUMMARY_LENGTH,
    )


def observed(waiting: Sequence[Upstream], now: datetime) -> str:
    """What the gate would have done, for the summary of one that only observes."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Observe only: would have held this pipeline for {names}. {why(waiting, now)}",
        SUMMARY_LENGTH,
    )


def observed_refusal(message: str) -> str:
    return shortened(f"Observe only: would have failed this action. {message}", SUMMARY_LENGTH)


def _open(upstream: Upstream, now: datetime) -> str:
    name, last = upstream.label, upstream.newest_finished or next(iter(upstream.executions), None)
    if upstream.running:
        why = (
            "past that stage"
            if upstream.is_past(upstream.running[0])
            else "parked until a person lets it go on"
        )
        return f"{name} does not count: execution {upstream.running[0].short_id} is {why}"
    if upstream.wanted.stage:
        stage = upstream.state.stage(upstream.wanted.stage) if upstream.state else None
        there = (
            f"execution {stage.execution[:8]} {stage.status} there"
            if stage and stage.execution
            else "no execution has been there"
        )
        return f"{name} is idle: {there}"
    if last is None:
        return f"{name} is idle: it has not run in the last 14 days"
    return (
        f"{name} is idle: last execution {last.short_id} {last.status} at "
        f"{clock(last.updated, now)}"
    )
