"""Decisions as EventBridge events, for people who connect them to chat or paging. Only if EVENT_BUS
names a bus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib.records.log import log_decision, took_effect
from chalicelib.records.outcomes import Outcome

if TYPE_CHECKING:
    from chalicelib.aws.clients import Aws

SOURCE = "pipeline-gate"
"""The functions' policies allow events of this source only."""
DETAIL_TYPE = "Pipeline Gate State Change"
_DETAIL_KEYS = (
    "pipeline",
    "execution",
    "waiting",
    "reason",
    "rule",
    "started",
    "also_started",
    "replaced_by",
    "waited_seconds",
    "on_give_up",
    "start_command",
    "released_by",
    "canceled_by",
    "comment",
    "decision",
)


def announce_decision(outcome: Outcome, record: Mapping[str, object], bus: str, aws: Aws) -> None:
    """Send the events of `outcome` to `bus` (a name or an ARN). If that fails, nothing else does:
    the decision stands, and its record is in the log.
    """
    states = outcome.states if took_effect(record) else ()
    if not states:
        return
    details = [_build_detail(record, state) for state in states]
    try:
        aws.eventbridge.send_events(bus, SOURCE, DETAIL_TYPE, details)
    except Exception as error:
        log_decision(
            str(record["function"]),
            Outcome.NOT_ANNOUNCED,
            bus=bus,
            reason=type(error).__name__,
        )


def _build_detail(record: Mapping[str, object], state: str) -> dict[str, object]:
    """In the shape of CodePipeline's own events (`pipeline`, `execution-id`, `state`), with what
    the log has, and always with a `reason`.
    """
    fields = {"reason": record["summary"], **record} if "summary" in record else record
    detail = {key: fields[key] for key in _DETAIL_KEYS if key in fields}
    execution = detail.pop("execution", None)
    return {"state": state, **({"execution-id": execution} if execution else {}), **detail}
