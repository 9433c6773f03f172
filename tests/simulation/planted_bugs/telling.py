"""What people read and wire up: output variables, per cent, estimates, metrics and events."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from chalicelib import retry
from chalicelib.aws import codepipeline, eventbridge
from chalicelib.pipelines import estimate, upstream
from chalicelib.records import events as announcement
from chalicelib.records import log
from tests.simulation.planted_bugs.bug import both, bug


@bug(
    "Told", "the output variables name the newest execution, whether it has finished or not", seed=0
)
def behind_the_newest() -> AbstractContextManager[object]:
    return patch.object(
        upstream.Upstream,
        "last_execution_id",
        property(lambda self: self.executions[0].id if self.executions else None),
    )


@bug("Told", "the output variables name the executions in another order than the upstreams", seed=0)
def other_order() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.succeed_job

    def succeed(self: Any, job: str, summary: str, variables: Any) -> bool:
        ids = ",".join(reversed(variables["UpstreamExecutionIds"].split(",")))
        return real(self, job, summary, {**variables, "UpstreamExecutionIds": ids})

    return patch.object(codepipeline.CodePipeline, "succeed_job", succeed)


@bug("Told", "a gate that passes after a wait says that it just passed", seed=3)
def never_released() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.succeed_job

    def succeed(self: Any, job: str, summary: str, variables: Any) -> bool:
        decision = variables["Decision"].replace("released", "passed")
        return real(self, job, summary, {**variables, "Decision": decision})

    return patch.object(codepipeline.CodePipeline, "succeed_job", succeed)


@bug("Told", "the percentage tells what is left, not what is done", seed=3)
def percent_left() -> AbstractContextManager[object]:
    real = estimate.estimate_percent

    def percent(*arguments: Any) -> int | None:
        done = real(*arguments)
        return None if done is None else 99 - done

    return patch.object(estimate, "estimate_percent", percent)


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
    return patch.object(log, "came_about", lambda _: True)


@bug("Told", "holds are counted as passed", seed=0)
def held_counts_as_passed() -> AbstractContextManager[object]:
    return patch.dict(log.METRICS, held=("Passed",))


@bug("Told", "the time waited is counted in milliseconds", seed=0)
def milliseconds() -> AbstractContextManager[object]:
    real = retry._record

    def record(hold: Any, look: Any, aws: Any, now: Any, started: Any = None) -> Any:
        with patch.object(log, "log_decision", _a_thousandfold(log.log_decision)):
            return real(hold, look, aws, now, started)

    return patch.object(retry, "_record", record)


def _a_thousandfold(real: Any) -> Any:
    def decision(function: str, decided: str, **seen: Any) -> Any:
        waited = seen.get("waited_seconds")
        return real(
            function,
            decided,
            **{**seen, "waited_seconds": None if waited is None else 1000 * waited},
        )

    return decision


@bug("Told", "a release is not announced", seed=3)
def release_untold() -> AbstractContextManager[object]:
    return patch.dict(announcement.STATES, started=())


@bug("Told", "an event names another execution than the held one", seed=3)
def other_execution() -> AbstractContextManager[object]:
    real = announcement._detail

    def detail(record: Any, state: str) -> Any:
        return real(
            {**record, "execution": record["started"]} if "started" in record else record, state
        )

    return patch.object(announcement, "_detail", detail)


@bug("Told", "a bus that does not answer stops the function", seed=9)
def bus_stops_it() -> AbstractContextManager[object]:
    def announce(record: Any, bus: str, aws: Any) -> None:
        states = announcement.STATES.get(record["decision"], ())
        if states and log.came_about(record):
            _put(aws.eventbridge, bus, [announcement._detail(record, state) for state in states])

    return both(
        patch.object(announcement, "announce_decision", announce),
        patch.object(retry, "announce_decision", announce),
    )


@bug("Told", "that an event was not taken is not noticed", seed=9)
def untaken() -> AbstractContextManager[object]:
    return patch.object(
        eventbridge.EventBridge,
        "send_events",
        lambda self, bus, _, __, details: _put(self, bus, details),
    )


def _put(room: eventbridge.EventBridge, bus: str, details: Any) -> None:
    entry: dict[str, Any] = {
        "EventBusName": bus,
        "Source": announcement.SOURCE,
        "DetailType": announcement.DETAIL_TYPE,
    }
    entries: list[Any] = [{**entry, "Detail": json.dumps(one, default=str)} for one in details]
    room._client.put_events(Entries=entries)
