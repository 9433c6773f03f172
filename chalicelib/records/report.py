"""Reports a decision: in the log always, and as an event if EVENT_BUS names a bus."""

from __future__ import annotations

import os

from chalicelib.aws.clients import Aws
from chalicelib.records.log import log_decision
from chalicelib.records.outcomes import Outcome


def report_decision(
    function: str, outcome: Outcome, aws: Aws, **fields: object
) -> dict[str, object]:
    """Log and announce what `function` decided; returns the record."""
    record = log_decision(function, outcome, **fields)
    if bus := os.environ.get("EVENT_BUS"):
        from chalicelib.records.events import announce_decision  # noqa: PLC0415 - rarely set

        announce_decision(outcome, record, bus, aws)
    return record
