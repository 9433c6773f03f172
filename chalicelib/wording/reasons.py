"""Why upstreams keep a gate closed, and until when, as far as their past executions show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.phrases import MAX_NAMES, format_time, join_names
from chalicelib.pipelines import estimate
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.state import Parked
from chalicelib.pipelines.upstream import Upstream


def describe_reasons(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return a sentence or two for each of the first upstreams, and how many more there are."""
    sentences = [_describe_reason(upstream, now) for upstream in waiting[:MAX_NAMES]]
    if len(waiting) > MAX_NAMES:
        sentences.append(f"So do {len(waiting) - MAX_NAMES} more.")
    return " ".join(sentences)


def describe_end_of_wait(waiting: Sequence[Upstream]) -> str:
    """Return what ends the wait.

    "the end of infra and network, successful or not", "the next success of infra", or both.
    """
    ends = [upstream.label for upstream in waiting if upstream.dependency.require == "idle"]
    successes = [
        upstream.label for upstream in waiting if upstream.dependency.require == "succeeded"
    ]
    parts = []
    if ends:
        parts.append(f"the end of {join_names(ends)}, successful or not")
    if successes:
        parts.append(f"the next success of {join_names(successes)}")
    return ", and ".join(parts) + _describe_forwarding(waiting)


def _describe_forwarding(waiting: Sequence[Upstream]) -> str:
    if any(upstream.dependency.region for upstream in waiting):
        return ", if its events are forwarded to this region's event bus"
    return ""


def describe_expected_end(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return when the last upstream will end: "Expected about 12:20 UTC. "; "" if unknown."""
    ends = [_estimate_end(upstream) for upstream in waiting]
    known_ends = [end for end in ends if end is not None]
    if not known_ends or len(known_ends) < len(ends) or max(known_ends) <= now:
        return ""
    return f"Expected about {format_time(max(known_ends), now)}. "


def _describe_reason(upstream: Upstream, now: datetime) -> str:
    name = upstream.label
    if upstream.unanswered is not None:
        return f"Whether {name} runs is not known: {upstream.unanswered}."
    if upstream.blocking:
        executions = [_describe_execution(run, upstream, now) for run in upstream.blocking]
        duration = _describe_usual_duration(upstream, now)
        return f"{name} runs: {join_names(executions)}.{duration}"
    if upstream.hold and not upstream.cycle:
        names = join_names([entry.label for entry in upstream.hold.depends_on])
        return (
            f"{name} is held itself since {format_time(upstream.hold.since, now)}, and will run "
            f"again: it waits for {names}."
        )
    if not upstream.idle:
        return f"{name} runs."
    return _describe_missing_success(upstream, now)


def _describe_missing_success(upstream: Upstream, now: datetime) -> str:
    last = upstream.newest_finished
    if upstream.dependency.stage:
        stage = upstream.state.find_stage(upstream.dependency.stage) if upstream.state else None
        status = f"it is {stage.status}" if stage and stage.status else "it has never run"
        return f"{upstream.label} has not succeeded: {status}."
    if last is None:
        return f"{upstream.label} has not succeeded: it has never finished an execution."
    return (
        f"{upstream.label} has not succeeded: its last execution {last.short_id} "
        f"{last.status} at {format_time(last.updated, now)}."
    )


def _describe_execution(execution: Execution, upstream: Upstream, now: datetime) -> str:
    parked = upstream.state.find_parked(execution.id) if upstream.state else None
    waits = f" and waits for a person: {_describe_parking(parked, now)}" if parked else ""
    return (
        f"execution {execution.short_id} is {execution.status} since "
        f"{format_time(execution.started, now)}{waits}"
    )


def _describe_parking(parked: Parked, now: datetime) -> str:
    since = f" since {format_time(parked.since, now)}" if parked.since else ""
    if parked.action is None:
        return f"the transition into its stage {parked.stage} is disabled{since}"
    return f"the approval {parked.action} in its stage {parked.stage} is open{since}"


def _describe_usual_duration(upstream: Upstream, now: datetime) -> str:
    duration = estimate.estimate_duration(upstream.executions)
    end = _estimate_end(upstream)
    if duration is None or end is None:
        return ""
    usual = f"It usually takes {max(1, round(duration.total_seconds() / 60))} min"
    if end > now:
        return f" {usual}, so until about {format_time(end, now)}."
    return f" {usual}; this time it takes longer."


def _estimate_end(upstream: Upstream) -> datetime | None:
    if not upstream.foreseeable:
        return None
    return estimate.estimate_end(upstream.blocking, upstream.executions)
