"""What a user may send with PutEvents; each entry is taken or refused by itself (model:
PutEvents).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sandbox.clock import utcnow
from sandbox.eventbridge.payload import envelope


class EntryRefused(ValueError):
    """`answer`: the entry's part of PutEvents' answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"ErrorCode": code, "ErrorMessage": message}


def event_of(entry: dict[str, Any], account_id: str, region: str) -> dict[str, Any]:
    """The event, in AWS's envelope, that an entry of PutEvents stands for. EntryRefused if AWS does
    not take it.
    """
    for key in ("Source", "DetailType", "Detail"):
        if not entry.get(key):
            raise EntryRefused(
                "InvalidArgument",
                f"Parameter {key} is not valid. Reason: {key} is a required argument.",
            )
    if entry["Source"].startswith("aws."):  # only AWS's own services may say so
        raise EntryRefused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        raise EntryRefused("MalformedDetail", "Detail is malformed.") from None
    return envelope(
        account_id,
        region,
        source=entry["Source"],
        detail_type=entry["DetailType"],
        detail=detail,
        resources=entry.get("Resources") or [],
        time=datetime.fromtimestamp(float(entry["Time"]), UTC) if entry.get("Time") else utcnow(),
    )
