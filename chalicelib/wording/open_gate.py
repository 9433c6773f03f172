"""Why a gate is open, for the summary of the action that passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.phrases import MAX_NAMES, format_time, join_names, shorten

if TYPE_CHECKING:
    from chalicelib.pipelines.dependency import Dependency
    from chalicelib.pipelines.upstream import Upstream

SUMMARY_LENGTH = 2048  # model: ExecutionSummary


def describe_pass(upstreams: Sequence[Upstream], now: datetime) -> str:
    """Why the gate is open, for the action's summary."""
    rest_counted = (
        [f"so are {len(upstreams) - MAX_NAMES} more"] if len(upstreams) > MAX_NAMES else []
    )
    return shorten(
        "; ".join([*(_open(upstream, now) for upstream in upstreams[:MAX_NAMES]), *rest_counted]),
        SUMMARY_LENGTH,
    )


def describe_bypass(depends_on: Sequence[Dependency]) -> str:
    return shorten(
        "Bypassed: the pipeline variable asked for it, so nobody looked whether "
        f"{join_names([entry.label for entry in depends_on])} runs.",
        SUMMARY_LENGTH,
    )


def describe_pass_after_give_up(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """That the wait is given up and the pipeline goes on, for the action's summary."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Goes on in spite of {names}: waited since {format_time(since, now)}, as long as "
        f"give_up_minutes says. {describe_reasons(waiting, now)}",
        SUMMARY_LENGTH,
    )


def describe_release(waiting: Sequence[Upstream], by: str, since: datetime, now: datetime) -> str:
    """That a person lets the pipeline go on, for the action's summary."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Goes on in spite of {names}: waited since {format_time(since, now)}, and {by} let it go. "
        f"{describe_reasons(waiting, now)}",
        SUMMARY_LENGTH,
    )


def describe_observed_wait(waiting: Sequence[Upstream], now: datetime) -> str:
    """What the gate would have done, for the summary of one that only observes."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Observe only: would have held this pipeline for {names}. {describe_reasons(waiting, now)}",
        SUMMARY_LENGTH,
    )


def describe_observed_refusal(message: str) -> str:
    return shorten(f"Observe only: would have failed this action. {message}", SUMMARY_LENGTH)


def _open(upstream: Upstream, now: datetime) -> str:
    name, last = upstream.label, upstream.newest_finished or next(iter(upstream.executions), None)
    if upstream.running:
        why = (
            "past that stage"
            if upstream.is_past(upstream.running[0])
            else "parked until a person lets it go on"
        )
        return f"{name} does not count: execution {upstream.running[0].short_id} is {why}"
    if upstream.dependency.stage:
        stage = upstream.state.stage(upstream.dependency.stage) if upstream.state else None
        shown = (
            f"execution {stage.execution[:8]} {stage.status} there"
            if stage and stage.execution
            else "no execution has been there"
        )
        return f"{name} is idle: {shown}"
    if last is None:
        return f"{name} is idle: it has not run in the last 14 days"
    return (
        f"{name} is idle: last execution {last.short_id} {last.status} at "
        f"{format_time(last.updated, now)}"
    )
