"""With EVENT_BUS, what docs/events.md says is announced, unless the log tells why not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from tests.simulation.entries import Invocation
from tests.simulation.promises.table import Line, due_states
from tests.simulation.record import Record
from tests.simulation.settings import read_settings

SHARED_KEYS = (
    *("pipeline", "execution", "rule", "started", "replaced_by"),
    *("waited_seconds", "on_give_up", "released_by", "waiting"),
)
"""An event says the same as the log there."""


def events(record: Record) -> Iterator[str]:
    for invocation in record.invocations:
        for sentence in _find_differences(record, invocation):
            yield f"at {invocation.began:%d %H:%M:%S} the {invocation.function} {sentence}"


def _find_differences(record: Record, invocation: Invocation) -> Iterator[str]:
    lines = [line for line in invocation.lines if record.bus and due_states(invocation, line)]
    due = Counter((line["decision"], one) for line in lines for one in due_states(invocation, line))
    details = [json.loads(event["Detail"]) for event in invocation.events]
    sent = Counter((detail["decision"], detail["state"]) for detail in details)
    if needless := sent.keys() - due.keys():
        yield f"announced {sorted(needless)}, and that is not what it did"
    excused = invocation.error or any(
        line["decision"] == "not announced" for line in invocation.lines
    )
    if (missing := due.keys() - sent.keys()) and not excused:
        yield f"did not announce {sorted(missing)}"
    struck = [fault for fault in invocation.faults if fault.startswith("PutEvents")]
    if any(sent[key] > due[key] for key in sent) and not struck:
        yield f"announced {dict(sent)}, more than once"
    killed = any("dies" in fault for fault in struck)
    if invocation.error and struck and invocation.faults == struck and not killed:
        yield "failed because an event could not be sent"
    names_execution = invocation.job is None or read_settings(invocation.job).names_execution
    for event, detail in zip(invocation.events, details, strict=True):
        form = event["EventBusName"], event["Source"], event["DetailType"]
        if form != (record.bus, "pipeline-gate", "Pipeline Gate State Change"):
            yield f"sent another event: {form}"
        for line in lines:
            if line["decision"] == detail["decision"]:
                yield from _compare(line, detail)
        if detail["state"] == "DROPPED" and names_execution and "execution-id" not in detail:
            yield "announced the end of a hold, and not whose"


def _compare(line: Line, detail: Line) -> Iterator[str]:
    event = {"execution" if key == "execution-id" else key: value for key, value in detail.items()}
    for key in SHARED_KEYS:
        if event.get(key) != line.get(key):
            yield f"announced {key} {event.get(key)}, and logged {line.get(key)}"
    if not detail.get("reason"):
        yield f"announced '{detail['decision']}' without a reason"
