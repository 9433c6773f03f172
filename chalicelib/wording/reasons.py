"""Why an upstream keeps a gate closed, in words; and until when, as far as its own history
tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.phrases import MAX_NAMES, format_time, join_names
from chalicelib.pipelines import estimate
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.state import Parked
from chalicelib.pipelines.upstream import Upstream


def describe_reasons(waiting: Sequence[Upstream], now: datetime) -> str:
    """A sentence or two for each of the first upstreams, and how many more there are."""
    rest_counted = [f"So do {len(waiting) - MAX_NAMES} more."] if len(waiting) > MAX_NAMES else []
    return " ".join([*(_busy(upstream, now) for upstream in waiting[:MAX_NAMES]), *rest_counted])


def describe_end_of_wait(waiting: Sequence[Upstream]) -> str:
    """What ends the wait: "the end of infra and network, successful or not", "the next success of
    infra".
    """
    ends = [upstream.label for upstream in waiting if upstream.dependency.require == "idle"]
    successes = [
        upstream.label for upstream in waiting if upstream.dependency.require == "succeeded"
    ]
    parts = [f"the end of {join_names(ends)}, successful or not"] if ends else []
    return ", and ".join(
        [*parts, *([f"the next success of {join_names(successes)}"] if successes else [])]
    ) + _forwarded(waiting)


def _forwarded(waiting: Sequence[Upstream]) -> str:
    return (
        ", if its events are forwarded to this region's event bus"
        if any(upstream.dependency.region for upstream in waiting)
        else ""
    )


def describe_expected_end(waiting: Sequence[Upstream], now: datetime) -> str:
    """When the last of them will be done, if that can be told: "Expected about 12:20 UTC. ", or
    nothing.
    """
    ends = [_end(upstream) for upstream in waiting]
    known_ends = [end for end in ends if end is not None]
    return (
        f"Expected about {format_time(max(known_ends), now)}. "
        if known_ends and len(known_ends) == len(ends) and max(known_ends) > now
        else ""
    )


def _busy(upstream: Upstream, now: datetime) -> str:
    name = upstream.label
    if upstream.unanswered is not None:
        return f"Whether {name} runs is not known: {upstream.unanswered}."
    if upstream.blocking:
        return (
            f"{name} runs: "
            f"{join_names([_running(execution, upstream, now) for execution in upstream.blocking])}.{_until(upstream, now)}"
        )
    if upstream.hold and not upstream.cycle:
        names = join_names([entry.label for entry in upstream.hold.depends_on])
        return (
            f"{name} is held itself since {format_time(upstream.hold.since, now)}, and will run "
            f"again: it waits for {names}."
        )
    if not upstream.idle:
        return f"{name} runs."
    return _not_succeeded(upstream, now)


def _not_succeeded(upstream: Upstream, now: datetime) -> str:
    last = upstream.newest_finished
    if upstream.dependency.stage:
        stage = upstream.state.stage(upstream.dependency.stage) if upstream.state else None
        return (
            f"{upstream.label} has not succeeded: "
            f"{f'it is {stage.status}' if stage and stage.status else 'it has never run'}."
        )
    if last is None:
        return f"{upstream.label} has not succeeded: it has never finished an execution."
    return (
        f"{upstream.label} has not succeeded: its last execution {last.short_id} "
        f"{last.status} at {format_time(last.updated, now)}."
    )


def _running(execution: Execution, upstream: Upstream, now: datetime) -> str:
    parked = upstream.state.parked(execution.id) if upstream.state else None
    waits = f" and waits for a person: {_person(parked, now)}" if parked else ""
    return (
        f"execution {execution.short_id} is {execution.status} since "
        f"{format_time(execution.started, now)}{waits}"
    )


def _person(parked: Parked, now: datetime) -> str:
    since = f" since {format_time(parked.since, now)}" if parked.since else ""
    if parked.action is None:
        return f"the transition into its stage {parked.stage} is disabled{since}"
    return f"the approval {parked.action} in its stage {parked.stage} is open{since}"


def _until(upstream: Upstream, now: datetime) -> str:
    takes, end = estimate.estimate_duration(upstream.executions), _end(upstream)
    if takes is None or end is None:
        return ""
    usual = f"It usually takes {max(1, round(takes.total_seconds() / 60))} min"
    return (
        f" {usual}, so until about {format_time(end, now)}."
        if end > now
        else f" {usual}; this time it takes longer."
    )


def _end(upstream: Upstream) -> datetime | None:
    return (
        estimate.estimate_end(upstream.blocking, upstream.executions)
        if upstream.foreseeable
        else None
    )
