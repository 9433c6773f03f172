"""With EVENT_BUS, each decision that counts is announced as docs/events.md says, unless the log
tells why not; nothing else is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.promises.metrics import counts
from tests.simulation.record import Record
from tests.simulation.turns import Turn

STATES = {
    "held": ("HELD",),
    "passed": ("PASSED",),
    "bypassed": ("PASSED",),
    "observed": ("PASSED",),
    "started": ("RELEASED",),
    "retried": ("RELEASED",),
    "released": ("RELEASED", "PASSED"),
    "let go": ("PASSED",),
    "gave up": ("GAVE_UP",),
    "deadlock": ("DEADLOCKED",),
}
"""docs/events.md's table."""
ALIKE = (
    "pipeline",
    "execution",
    "rule",
    "started",
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
    lines = [
        line for line in turn.lines if counts(line) and line["decision"] in STATES and record.bus
    ]
    due = Counter((line["decision"], state) for line in lines for state in STATES[line["decision"]])
    details = [json.loads(event["Detail"]) for event in turn.events]
    sent = Counter((detail["decision"], detail["state"]) for detail in details)
    if more := sent.keys() - due.keys():
        yield f"announced {sorted(more)}, and that is not what it did"
    excused = turn.error or any(line["decision"] == "not announced" for line in turn.lines)
    if (missing := due.keys() - sent.keys()) and not excused:
        yield f"did not announce {sorted(missing)}"
    if any(sent[key] > due[key] for key in sent) and not any(
        "PutEvents" in hit for hit in turn.hits
    ):
        yield f"announced {dict(sent)}, more than once"
    if (
        turn.error
        and turn.hits
        and all(hit.startswith("PutEvents") and "dies" not in hit for hit in turn.hits)
    ):
        yield "failed because an event could not be sent"
    for event, detail in zip(turn.events, details, strict=True):
        if (event["EventBusName"], event["Source"], event["DetailType"]) != (
            record.bus,
            "pipeline-gate",
            "Pipeline Gate State Change",
        ):
            yield (
                f"sent another event: {event['Source']}, {event['DetailType']} on "
                f"{event['EventBusName']}"
            )
        for line in lines:
            if line["decision"] == detail["decision"]:
                yield from _other_words(line, detail)


def _other_words(line: dict[str, Any], detail: dict[str, Any]) -> Iterator[str]:
    """The event says what the log says."""
    said = {"execution" if key == "execution-id" else key: value for key, value in detail.items()}
    for key in ALIKE:
        if said.get(key) != line.get(key):
            yield f"announced {key} {said.get(key)}, and logged {line.get(key)}"
    if not detail.get("reason"):
        yield f"announced '{detail['decision']}' without a reason"
