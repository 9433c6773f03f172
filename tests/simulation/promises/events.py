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
    *("decision", "pipeline", "execution", "rule", "started", "replaced_by"),
    *("waited_seconds", "on_give_up", "released_by", "waiting"),
)
"""An event says the same as its line of the log there."""


def events(record: Record) -> Iterator[str]:
    for invocation in record.invocations:
        for sentence in _find_differences(record, invocation):
            yield f"at {invocation.began:%d %H:%M:%S} the {invocation.function} {sentence}"


def _find_differences(record: Record, invocation: Invocation) -> Iterator[str]:
    details = [json.loads(event["Detail"]) for event in invocation.events]
    due = Counter(
        _describe(line, state)
        for line in invocation.lines
        if record.bus
        for state in due_states(invocation, line)
    )
    sent = Counter(_describe(detail, detail["state"]) for detail in details)
    if needless := sent.keys() - due.keys():
        yield f"announced {sorted(needless)}, and did {sorted(due.keys() - sent.keys())}"
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
        if not detail.get("reason"):
            yield f"announced '{detail['decision']}' without a reason"
        if detail["state"] == "DROPPED" and names_execution and "execution-id" not in detail:
            yield "announced the end of a hold, and not whose"


def _describe(fields: Line, state: str) -> str:
    """All that a line of the log and an event of that state have to agree on. Several lines of one
    invocation can have the same decision: those of gates that share a rule.
    """
    named = {"execution" if key == "execution-id" else key: fields[key] for key in fields}
    shared = {key: named[key] for key in SHARED_KEYS if named.get(key) is not None}
    return f"{state} {json.dumps(shared)}"
