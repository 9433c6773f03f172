"""What people read and wire up: output variables, per cent, estimates, metrics and events."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chalicelib import gate, retry
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.holds import making
from chalicelib.holds.hold import Hold
from chalicelib.pipelines import estimate
from chalicelib.pipelines.upstream import Upstream
from chalicelib.records import events, log
from chalicelib.records.outcomes import Outcome
from chalicelib.records.report import report_decision
from tests.simulation.planted_bugs.bug import bug


@bug(
    "Told", "the output variables name the newest execution, whether it has finished or not", seed=0
)
def behind_the_newest() -> AbstractContextManager[object]:
    return patch.object(
        Upstream,
        "last_execution_id",
        property(lambda self: self.executions[0].id if self.executions else None),
    )


@bug("Told", "the output variables name the executions in another order than the upstreams", seed=0)
def other_order() -> AbstractContextManager[object]:
    real = CodePipeline.succeed_job

    def succeed(self: Any, job: str, summary: str, variables: Any) -> bool:
        ids = ",".join(reversed(variables["UpstreamExecutionIds"].split(",")))
        return real(self, job, summary, {**variables, "UpstreamExecutionIds": ids})

    return patch.object(CodePipeline, "succeed_job", succeed)


@bug("Told", "a gate that passes after a wait says that it just passed", seed=3)
def never_released() -> AbstractContextManager[object]:
    real = CodePipeline.succeed_job

    def succeed(self: Any, job: str, summary: str, variables: Any) -> bool:
        decision = variables["Decision"].replace("released", "passed")
        return real(self, job, summary, {**variables, "Decision": decision})

    return patch.object(CodePipeline, "succeed_job", succeed)


@bug("Told", "the percentage tells what is left, not what is done", seed=3)
def percent_left() -> AbstractContextManager[object]:
    def percent(*arguments: Any) -> int | None:
        done = estimate.estimate_percent(*arguments)
        return None if done is None else 99 - done

    return patch.object(making, "estimate_percent", percent)


@bug("Told", "one success is enough to tell how long it usually takes", seed=3)
def one_is_enough() -> AbstractContextManager[object]:
    return patch.object(estimate, "MIN_SUCCESSES", 1)


@bug("Told", "how long it usually takes is told from failures, too", seed=1)
def failures_count() -> AbstractContextManager[object]:
    def usual(executions: Any) -> Any:
        durations = sorted(one.updated - one.started for one in executions if one.finished)
        return durations[len(durations) // 2] if len(durations) >= estimate.MIN_SUCCESSES else None

    return patch.object(estimate, "estimate_duration", usual)


@bug("Told", "an answer that came too late is counted", seed=1)
def late_counts() -> AbstractContextManager[object]:
    return patch.object(log, "took_effect", lambda _: True)


@bug("Told", "holds are counted as passed", seed=0)
def held_counts_as_passed() -> AbstractContextManager[object]:
    return _instead("metrics", Outcome.HELD, ("Passed",))


@bug("Told", "the time waited is counted in milliseconds", seed=0)
def milliseconds() -> AbstractContextManager[object]:
    def report(*arguments: Any, waited_seconds: int | None, **fields: Any) -> Any:
        waited = None if waited_seconds is None else 1000 * waited_seconds
        return report_decision(*arguments, waited_seconds=waited, **fields)

    return patch.object(retry, "report_decision", report)


@bug("Told", "a release is not announced", seed=3)
def release_untold() -> AbstractContextManager[object]:
    return _instead("states", Outcome.STARTED, ())


@bug("Told", "an event names another execution than the held one", seed=3)
def other_execution() -> AbstractContextManager[object]:
    real = events._build_detail

    def build(record: Any, state: str) -> Any:
        execution = record.get("started") or record.get("execution")
        return real({**record, "execution": execution}, state)

    return patch.object(events, "_build_detail", build)


@bug("Told", "a bus that does not answer stops the function", seed=9)
def bus_stops_it() -> AbstractContextManager[object]:
    def announce(outcome: Outcome, record: Any, bus: str, aws: Any) -> None:
        if outcome.states and log.took_effect(record):
            details = [events._build_detail(record, state) for state in outcome.states]
            _put(aws.eventbridge, bus, details)

    return patch.object(events, "announce_decision", announce)


@bug("Told", "that an event was not taken is not noticed", seed=9)
def untaken() -> AbstractContextManager[object]:
    return patch.object(
        EventBridge, "send_events", lambda self, bus, _, __, details: _put(self, bus, details)
    )


def _put(eventbridge: EventBridge, bus: str, details: Any) -> None:
    entry: dict[str, Any] = {
        "EventBusName": bus,
        "Source": events.SOURCE,
        "DetailType": events.DETAIL_TYPE,
    }
    entries: list[Any] = [{**entry, "Detail": json.dumps(one, default=str)} for one in details]
    eventbridge._client.put_events(Entries=entries)


# What is counted and announced of a hold's begin and end


@bug("Told", "a hold that is dropped is not announced", seed=3)
def drop_untold() -> AbstractContextManager[object]:
    return _instead("states", Outcome.DROPPED, ())


@bug("Told", "a hold that is dropped is not counted", seed=1)
def drop_uncounted() -> AbstractContextManager[object]:
    return _instead("metrics", Outcome.DROPPED, ())


@bug("Told", "the end of a retried stage's hold is counted twice: its rule does not say", seed=1)
def counted_twice() -> AbstractContextManager[object]:
    real = Hold.as_input
    return patch.object(Hold, "as_input", lambda self: real(replace(self, end_reported=False)))


@bug("Told", "a stage that AWS does not retry leaves its hold marked as ended", seed=90)
def mark_stays() -> AbstractContextManager[object]:
    return patch.object(retry, "_unmark", lambda *_: None)


@bug("Told", "a rule that takes over from a wait in progress counts its hold again", seed=1)
def held_again() -> AbstractContextManager[object]:
    return patch.object(making.ClosedGate, "_choose_hold_outcome", lambda *_: Outcome.HELD)


@bug("Told", "the rule of a gate that answered too late is counted as a hold when it ends", seed=25)
def late_hold_counts() -> AbstractContextManager[object]:
    return patch.object(making.ClosedGate, "_mark_uncounted", lambda *_: None)


@bug("Told", "the end of a wait that the gate refuses is not reported", seed=270)
def refused_untold() -> AbstractContextManager[object]:
    return patch.object(gate, "_report_end_of_wait", lambda *_: None)


@bug("Told", "a hold whose empty rule cannot be deleted ends unreported", seed=186)
def tidies_first() -> AbstractContextManager[object]:
    real = EventBridge.remove_target

    def remove(self: EventBridge, rule: str) -> bool:
        removed = real(self, rule)
        self.delete_empty_rule(rule)
        return removed

    return patch.object(EventBridge, "remove_target", remove)


def _instead(column: str, outcome: Outcome, value: Any) -> AbstractContextManager[object]:
    """Let the table of outcomes say something else there."""
    real = getattr(Outcome, column).fget
    return patch.object(
        Outcome, column, property(lambda self: value if self is outcome else real(self))
    )
