"""What a user may send with PutEvents. Each entry is accepted or refused separately (model:
PutEvents).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sandbox.clock import utcnow
from sandbox.eventbridge.payload import wrap_event


class EntryRefused(ValueError):
    """`answer` is the entry's part of the answer of PutEvents."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"ErrorCode": code, "ErrorMessage": message}


def parse_entry(entry: dict[str, Any], account_id: str, region: str) -> dict[str, Any]:
    """The event of an entry of PutEvents, in AWS's envelope. EntryRefused if AWS refuses it."""
    for key in ("Source", "DetailType", "Detail"):
        if not entry.get(key):
            raise EntryRefused(
                "InvalidArgument",
                f"Parameter {key} is not valid. Reason: {key} is a required argument.",
            )
    if entry["Source"].startswith("aws."):  # for AWS's own services only
        raise EntryRefused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        raise EntryRefused("MalformedDetail", "Detail is malformed.") from None
    return wrap_event(
        account_id,
        region,
        source=entry["Source"],
        detail_type=entry["DetailType"],
        detail=detail,
        resources=entry.get("Resources") or [],
        time=datetime.fromtimestamp(float(entry["Time"]), UTC) if entry.get("Time") else utcnow(),
    )
