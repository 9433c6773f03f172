"""What the deployed functions have logged."""

from __future__ import annotations

import json
from typing import Any

import boto3


def read_retry_log(decision: str) -> list[dict[str, Any]]:
    """The lines in the retry's log that tell of this decision."""
    events = boto3.client("logs").filter_log_events(
        logGroupName="/aws/lambda/pipeline-gate-dev-retry"
    )["events"]
    lines = [json.loads(event["message"]) for event in events if event["message"].startswith("{")]
    return [line for line in lines if line["decision"] == decision]
