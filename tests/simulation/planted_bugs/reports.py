"""What people read and wire up: output variables, per cent, estimates, metrics and events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from chalicelib import retry
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.holds import making
from chalicelib.holds.hold import Hold
from chalicelib.pipelines import estimate
from chalicelib.pipelines.upstream import Upstream
from chalicelib.records import events, log
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import bug_in


@bug_in(Upstream, "last_execution_id", "Told", seed=0)
def behind_the_newest(_real: Any, self: Upstream) -> str | None:
    """The output variables name the newest execution, whether it has finished or not."""
    return self.executions[0].id if self.executions else None


@bug_in(CodePipeline, "succeed_job", "Told", seed=0)
def other_order(real: Any, self: Any, job: str, summary: str, variables: Any) -> Any:
    """The output variables name the executions in another order than the upstreams."""
    ids = ",".join(reversed(variables["UpstreamExecutionIds"].split(",")))
    return real(self, job, summary, {**variables, "UpstreamExecutionIds": ids})


@bug_in(CodePipeline, "succeed_job", "Told", seed=3)
def never_released(real: Any, self: Any, job: str, summary: str, variables: Any) -> Any:
    """A gate that passes after a wait says that it just passed."""
    decision = variables["Decision"].replace("released", "passed")
    return real(self, job, summary, {**variables, "Decision": decision})


@bug_in(making, "estimate_percent", "Told", seed=23)
def percent_left(real: Any, *arguments: Any) -> int | None:
    """The percentage is what is left, not what is done."""
    percent = real(*arguments)
    return None if percent is None else 99 - percent


@bug_in(estimate, "estimate_duration", "Told", seed=1)
def failures_count(_real: Any, executions: Any) -> Any:
    """Failed executions count for the usual duration, too."""
    durations = sorted(one.updated - one.started for one in executions if one.finished)
    return durations[len(durations) // 2] if len(durations) >= estimate.MIN_SUCCESSES else None


@bug_in(retry, "report_decision", "Told", seed=0)
def milliseconds(real: Any, *arguments: Any, waited_seconds: int | None, **fields: Any) -> Any:
    """The time waited is counted in milliseconds."""
    waited = None if waited_seconds is None else 1000 * waited_seconds
    return real(*arguments, waited_seconds=waited, **fields)


@bug_in(Outcome, "metrics", "Told", seed=0)
def held_counts_as_passed(real: Any, self: Outcome) -> Any:
    """Holds are counted as passed."""
    return ("Passed",) if self is Outcome.HELD else real(self)


@bug_in(Outcome, "states", "Told", seed=3)
def release_untold(real: Any, self: Outcome) -> Any:
    """A release is not announced."""
    return () if self is Outcome.STARTED else real(self)


@bug_in(Outcome, "states", "Told", seed=3)
def drop_untold(real: Any, self: Outcome) -> Any:
    """A hold that is dropped is not announced."""
    return () if self is Outcome.DROPPED else real(self)


@bug_in(Outcome, "metrics", "Told", seed=1)
def drop_uncounted(real: Any, self: Outcome) -> Any:
    """A hold that is dropped is not counted."""
    return () if self is Outcome.DROPPED else real(self)


@bug_in(events, "_build_detail", "Told", seed=3)
def other_execution(real: Any, record: Any, state: str) -> Any:
    """An event names another execution than the held one."""
    execution = record.get("started") or record.get("execution")
    return real({**record, "execution": execution}, state)


@bug_in(events, "announce_decision", "Told", seed=9)
def bus_stops_it(_real: Any, outcome: Outcome, record: Any, bus: str, aws: Any) -> None:
    """A bus that does not answer stops the function."""
    if outcome.states and log.took_effect(record):
        details = [events._build_detail(record, state) for state in outcome.states]
        _put(aws.eventbridge, bus, details)


@bug_in(EventBridge, "send_events", "Told", seed=9)
def untaken(_real: Any, self: EventBridge, bus: str, _: Any, __: Any, details: Any) -> None:
    """A refused event is not noticed."""
    _put(self, bus, details)


def _put(eventbridge: EventBridge, bus: str, details: Any) -> None:
    entry = {"EventBusName": bus, "Source": events.SOURCE, "DetailType": events.DETAIL_TYPE}
    entries: list[Any] = [
        {**entry, "Detail": json.dumps(detail, default=str)} for detail in details
    ]
    eventbridge._client.put_events(Entries=entries)


@bug_in(Hold, "as_input", "Told", seed=3)
def counted_twice(real: Any, self: Hold) -> Any:
    """The end of a retried stage's hold is counted twice: its rule does not say."""
    return real(replace(self, end_reported=False))


@bug_in(EventBridge, "remove_target", "Told", seed=7)
def tidies_first(real: Any, self: EventBridge, rule: str) -> bool:
    """A hold whose empty rule cannot be deleted ends unreported."""
    removed = bool(real(self, rule))
    self.delete_empty_rule(rule)
    return removed
