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


def read_log(function: str) -> list[dict[str, Any]]:
    """What the gate or the retry has logged, the oldest first; nothing if it has not run."""
    logs, group = boto3.client("logs"), f"/aws/lambda/pipeline-gate-dev-{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    messages = [event["message"] for page in pages for event in page["events"]]
    return [json.loads(message) for message in messages if message.startswith("{")]
