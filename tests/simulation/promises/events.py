"""With EVENT_BUS, each decision that counts is announced as docs/events.md says, unless the log
tells why not; nothing else is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from tests.simulation.orders import order
from tests.simulation.promises.table import Line, due_states
from tests.simulation.record import Record
from tests.simulation.turns import Turn

ALIKE = (
    "pipeline",
    "execution",
    "rule",
    "started",
    "replaced_by",
    "waited_seconds",
    "on_give_up",
    "released_by",
    "waiting",
)


def events(record: Record) -> Iterator[str]:
    for turn in record.turns:
        for sentence in _unlike(record, turn):
            yield f"Told: at {turn.began:%d %H:%M:%S} the {turn.function} {sentence}"


def _unlike(record: Record, turn: Turn) -> Iterator[str]:
    lines = [line for line in turn.lines if record.bus and due_states(turn, line)]
    due = Counter((line["decision"], state) for line in lines for state in due_states(turn, line))
    details = [json.loads(event["Detail"]) for event in turn.events]
    sent = Counter((detail["decision"], detail["state"]) for detail in details)
    if needless := sent.keys() - due.keys():
        yield f"announced {sorted(needless)}, and that is not what it did"
    excused = turn.error or any(line["decision"] == "not announced" for line in turn.lines)
    if (missing := due.keys() - sent.keys()) and not excused:
        yield f"did not announce {sorted(missing)}"
    struck = [hit for hit in turn.hits if hit.startswith("PutEvents")]
    if any(sent[key] > due[key] for key in sent) and not struck:
        yield f"announced {dict(sent)}, more than once"
    if turn.error and turn.hits == struck != [] and not any("dies" in hit for hit in struck):
        yield "failed because an event could not be sent"
    form = (record.bus, "pipeline-gate", "Pipeline Gate State Change")
    for event, detail in zip(turn.events, details, strict=True):
        sent_form = event["EventBusName"], event["Source"], event["DetailType"]
        if sent_form != form:
            yield f"sent another event: {sent_form}"
        for line in lines:
            if line["decision"] == detail["decision"]:
                yield from _other_words(line, detail)
        job = record.job(turn.job or "")
        says_who = job is None or order(job).says_who
        if detail["state"] == "DROPPED" and says_who and "execution-id" not in detail:
            yield "announced the end of a hold, and not whose"


def _other_words(line: Line, detail: Line) -> Iterator[str]:
    """The event says what the log says."""
    said = {"execution" if key == "execution-id" else key: value for key, value in detail.items()}
    for key in ALIKE:
        if said.get(key) != line.get(key):
            yield f"announced {key} {said.get(key)}, and logged {line.get(key)}"
    if not detail.get("reason"):
        yield f"announced '{detail['decision']}' without a reason"
