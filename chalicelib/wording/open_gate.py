"""What people read about a gate that lets its pipeline pass: the summary of its action."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.phrases import MAX_NAMES, describe_abandoning, format_time, join_names, shorten

if TYPE_CHECKING:
    from chalicelib.pipelines.dependency import Dependency
    from chalicelib.pipelines.upstream import Upstream

SUMMARY_LENGTH = 2048  # model: ExecutionSummary


def describe_pass(upstreams: Sequence[Upstream], now: datetime) -> str:
    """Return why the gate is open: a clause for each of the first upstreams."""
    clauses = [_describe_open_upstream(upstream, now) for upstream in upstreams[:MAX_NAMES]]
    if len(upstreams) > MAX_NAMES:
        clauses.append(f"{len(upstreams) - MAX_NAMES} more do not block it either")
    return shorten("; ".join(clauses), SUMMARY_LENGTH)


def describe_bypass(depends_on: Sequence[Dependency]) -> str:
    return shorten(
        'Bypassed: bypass is "true", so the gate did not check '
        f"{join_names([entry.label for entry in depends_on])}.",
        SUMMARY_LENGTH,
    )


def describe_pass_after_give_up(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """Return that the gate stops waiting and lets the pipeline continue."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Continued without waiting any longer for {names}: the wait began at "
        f"{format_time(since, now)}, and give_up_minutes is over. {describe_reasons(waiting, now)}",
        SUMMARY_LENGTH,
    )


def describe_release(
    waiting: Sequence[Upstream], person: str, since: datetime, now: datetime
) -> str:
    """Return that a person lets the pipeline continue."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Released by {person}. It had been waiting for {names} since {format_time(since, now)}. "
        f"{describe_reasons(waiting, now)}",
        SUMMARY_LENGTH,
    )


def describe_observed_wait(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return what the gate would have done if it did not only observe."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Observe only: the gate would have held this pipeline for {names}. "
        f"{describe_reasons(waiting, now)}",
        SUMMARY_LENGTH,
    )


def describe_observed_refusal(message: str) -> str:
    return shorten(
        f"Observe only: the gate would have failed this action. {message}", SUMMARY_LENGTH
    )


def _describe_open_upstream(upstream: Upstream, now: datetime) -> str:
    name = upstream.label
    if upstream.running:
        execution = upstream.running[0]
        is_past = upstream.is_past(execution)
        why = "has already left it" if is_past else "is waiting for a person"
        return f"{name} does not count: execution {execution.short_id} {why}"
    if upstream.dependency.stage:
        stage = upstream.state.find_stage(upstream.dependency.stage) if upstream.state else None
        if stage and stage.execution:
            caution = describe_abandoning(stage.status)
            return f"{name} is idle: execution {stage.execution[:8]} {stage.status} there{caution}"
        return f"{name} is idle: no execution has reached it"
    last = upstream.newest_finished or next(iter(upstream.executions), None)
    if last is None:
        return f"{name} is idle: it has not run in the last 14 days"
    return (
        f"{name} is idle: its last execution {last.short_id} {last.status} at "
        f"{format_time(last.updated, now)}{describe_abandoning(last.status)}"
    )
