"""The table of docs/events.md: what each line of the log has to count and to announce."""

from __future__ import annotations

from typing import Any

from tests.simulation.entries import Invocation

Line = dict[str, Any]

COUNTED = {
    "passed": "Passed",
    "bypassed": "Bypassed",
    "observed": "Observed",
    "held": "Held",
    "kept open": "Held",
    "released": "Released",
    "let go": "LetGo",
    "gave up": "GaveUp",
    "canceled": "Canceled",
    "deadlock": "Deadlocks",
    "refused": "Refused",
    "defect": "Defects",
    "started": "Released",
    "retried": "Released",
    "dropped": "Dropped",
}
"""The metric of each decision; all other decisions have none."""
STATES = {
    "passed": "PASSED",
    "bypassed": "PASSED",
    "observed": "PASSED",
    "held": "HELD",
    "kept open": "HELD",
    "released": "RELEASED",
    "let go": "RELEASED",
    "gave up": "GAVE_UP",
    "canceled": "CANCELED",
    "deadlock": "DEADLOCKED",
    "started": "RELEASED",
    "retried": "RELEASED",
    "dropped": "DROPPED",
}
"""The state that each decision announces; all other decisions announce none."""
BEGINS = ("held", "kept open")
HOLDS = (*BEGINS, "still held")
"""With these, the gate says that a hold stands. The retry function may not know it."""
ENDS = ("released", "let go", "gave up", "canceled", "started", "retried", "dropped")
"""A hold that was counted ends with these, and with a deadlock that says how long it had waited."""
ALSO_PASSES = ("released", "let go", "gave up")
"""If the gate decides so, its action passes too."""


def took_effect(line: Line) -> bool:
    """Whether its answer came in time."""
    return line.get("answered") is not False


def passes(invocation: Invocation, line: Line) -> bool:
    """Whether the gate says that its action passed."""
    if invocation.function != "gate":
        return False
    if line["decision"] == "gave up":
        return bool(line["on_give_up"] == "continue")
    return line["decision"] in ALSO_PASSES or STATES.get(line["decision"]) == "PASSED"


def due_metrics(invocation: Invocation, line: Line) -> set[str]:
    """What CloudWatch has to get from it."""
    metric = COUNTED.get(line["decision"])
    if not took_effect(line):
        return set()
    if line["decision"] in HOLDS or "waiting_seconds" in line:
        return {"Waiting", *([metric] if metric else ())}
    if metric is None:
        return set()
    also = {"Passed"} if passes(invocation, line) and line["decision"] in ALSO_PASSES else set()
    return {metric, *also, *({"WaitTime"} if ends_hold(invocation, line) else ())}


def due_states(invocation: Invocation, line: Line) -> list[str]:
    """What the bus has to get of it."""
    state = STATES.get(line["decision"])
    if state is None or not took_effect(line):
        return []
    return [state, *(["PASSED"] if passes(invocation, line) and state != "PASSED" else [])]


def ends_hold(invocation: Invocation, line: Line) -> bool:
    """Whether a hold ends with it. A deadlock ends one if its action had stayed in progress."""
    if line["decision"] != "deadlock" or invocation.job is None:
        return line["decision"] in ENDS
    return invocation.job.continuation_token is not None
