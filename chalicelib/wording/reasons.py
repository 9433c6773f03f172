"""Why upstreams keep a gate closed, and until when, as far as their past executions show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.phrases import MAX_NAMES, describe_abandoning, format_time, join_names
from chalicelib.pipelines import estimate
from chalicelib.pipelines.execution import RESTART_TIME, Execution
from chalicelib.pipelines.state import Parked
from chalicelib.pipelines.upstream import Upstream


def describe_reasons(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return a sentence or two for each of the first upstreams, and how many more there are."""
    sentences = [_describe_reason(upstream, now) for upstream in waiting[:MAX_NAMES]]
    if len(waiting) > MAX_NAMES:
        sentences.append(f"{len(waiting) - MAX_NAMES} more also keep it waiting.")
    return " ".join(sentences)


def describe_end_of_wait(waiting: Sequence[Upstream]) -> str:
    """Return what ends the wait.

    "infra and network finish (successfully or not)", "infra succeeds", or both.
    """
    ends = [upstream.label for upstream in waiting if upstream.dependency.require == "idle"]
    successes = [
        upstream.label for upstream in waiting if upstream.dependency.require == "succeeded"
    ]
    parts = []
    if ends:
        verb = "finishes" if len(ends) == 1 else "finish"
        parts.append(f"{join_names(ends)} {verb} (successfully or not)")
    if successes:
        verb = "succeeds" if len(successes) == 1 else "succeed"
        parts.append(f"{join_names(successes)} {verb}")
    return " and ".join(parts) + _describe_forwarding(waiting)


def _describe_forwarding(waiting: Sequence[Upstream]) -> str:
    if any(upstream.dependency.region for upstream in waiting):
        return ", if its events are forwarded to this region's event bus"
    return ""


def describe_expected_end(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return when the last upstream will end; "" if that is unknown."""
    ends = [_estimate_end(upstream) for upstream in waiting]
    known_ends = [end for end in ends if end is not None]
    if not known_ends or len(known_ends) < len(ends) or max(known_ends) <= now:
        return ""
    return f"Expected to end at about {format_time(max(known_ends), now)}. "


def _describe_reason(upstream: Upstream, now: datetime) -> str:
    name = upstream.label
    if upstream.unanswered is not None:
        return f"The gate could not check {name}: {upstream.unanswered}."
    if upstream.blocking or upstream.blocking_by_state:
        executions = [_describe_execution(run, upstream, now) for run in upstream.blocking]
        executions += [f"execution {id_[:8]} is InProgress" for id_ in upstream.blocking_by_state]
        duration = _describe_usual_duration(upstream, now)
        return f"{name} is running: {join_names(executions)}.{duration}"
    if cancelled := upstream.just_cancelled:
        return (
            f"{name} counts as running until {format_time(cancelled.updated + RESTART_TIME, now)}: "
            f"its execution {cancelled.short_id} was cancelled at "
            f"{format_time(cancelled.updated, now)} because the pipeline was edited, and will "
            "probably be started again."
        )
    if upstream.hold and not upstream.cycle:
        names = join_names([entry.label for entry in upstream.hold.depends_on])
        return (
            f"{name} is held too, and will run again: it has been waiting for {names} since "
            f"{format_time(upstream.hold.since, now)}."
        )
    return _describe_missing_success(upstream, now)


def _describe_missing_success(upstream: Upstream, now: datetime) -> str:
    last = upstream.last_execution
    if upstream.rolled_back:
        moment = f" at {format_time(last.updated, now)}" if last else ""
        return (
            f"{upstream.label} was rolled back{moment} (execution "
            f"{str(upstream.last_execution_id)[:8]}): what was pushed has not succeeded."
        )
    if upstream.dependency.stage:
        stage = upstream.state.find_stage(upstream.dependency.stage) if upstream.state else None
        status = f"its status is {stage.status}" if stage and stage.status else "it has never run"
        caution = describe_abandoning(stage.status) if stage else ""
        return f"{upstream.label} has not succeeded: {status}{caution}."
    if last is None:
        return f"{upstream.label} has not succeeded: it has never finished an execution."
    return (
        f"{upstream.label} has not succeeded: its last execution {last.short_id} "
        f"{last.status} at {format_time(last.updated, now)}{describe_abandoning(last.status)}."
    )


def _describe_execution(execution: Execution, upstream: Upstream, now: datetime) -> str:
    parked = upstream.state.find_parked(execution.id) if upstream.state else None
    waits = f" and is waiting for a person: {_describe_parking(parked, now)}" if parked else ""
    return (
        f"execution {execution.short_id} has been {execution.status} since "
        f"{format_time(execution.started, now)}{waits}"
    )


def _describe_parking(parked: Parked, now: datetime) -> str:
    if parked.action is None:
        subject, state = f"the transition into its stage {parked.stage}", "disabled"
    else:
        subject, state = f"the approval {parked.action} in its stage {parked.stage}", "open"
    if parked.since is None:
        return f"{subject} is {state}"
    return f"{subject} has been {state} since {format_time(parked.since, now)}"


def _describe_usual_duration(upstream: Upstream, now: datetime) -> str:
    duration = estimate.estimate_duration(upstream.executions)
    end = _estimate_end(upstream)
    if duration is None or end is None:
        return ""
    usual = f"It usually takes {max(1, round(duration.total_seconds() / 60))} min"
    if end > now:
        return f" {usual}, so it should finish at about {format_time(end, now)}."
    return f" {usual}; this time it is taking longer."


def _estimate_end(upstream: Upstream) -> datetime | None:
    if not upstream.foreseeable:
        return None
    return estimate.estimate_end(upstream.blocking, upstream.executions)
