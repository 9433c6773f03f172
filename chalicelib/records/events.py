"""Decisions as EventBridge events, for people who wire chat or paging to them: only where EVENT_BUS
names a bus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib.records import log

if TYPE_CHECKING:
    from chalicelib.aws.clients import Aws

SOURCE = "pipeline-gate"
"""The functions' policies allow events of this source only."""
DETAIL_TYPE = "Pipeline Gate State Change"
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
_DETAIL = (
    "pipeline",
    "execution",
    "waiting",
    "reason",
    "rule",
    "started",
    "waited_seconds",
    "on_give_up",
    "released_by",
    "decision",
)


def announce_decision(record: Mapping[str, object], bus: str, aws: Aws) -> None:
    """Tell `bus` (a name or an ARN) of what `record` says was decided. That it cannot be told
    changes nothing else.
    """
    states = STATES.get(str(record["decision"]), ()) if log.came_about(record) else ()
    if states:
        try:
            aws.eventbridge.send_events(
                bus, SOURCE, DETAIL_TYPE, [_detail(record, state) for state in states]
            )
        except Exception as error:  # an announcement is a courtesy: the decision stands, and its record is in the log
            log.log_decision(
                str(record["function"]), "not announced", bus=bus, reason=type(error).__name__
            )


def _detail(record: Mapping[str, object], state: str) -> dict[str, object]:
    """As CodePipeline's own events say it: `pipeline`, `execution-id`, `state`; and what the log
    says beside, always with a `reason`.
    """
    said = {"reason": record["summary"], **record} if "summary" in record else record
    words = {key: said[key] for key in _DETAIL if key in said}
    execution = words.pop("execution", None)
    return {"state": state, **({"execution-id": execution} if execution else {}), **words}
