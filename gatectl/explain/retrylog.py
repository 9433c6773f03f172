"""The retry's own words, from its log: why a hold that should be over is not, and how one ended
that is gone.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.deployment import Deployment
from chalicelib.errors import NoAnswer, NotPermitted, error_code, translate_error
from chalicelib.phrases import shorten
from gatectl.explain.facts import Log

MOST_PAGES = 10
"""A long log is not read to its end: what is not found by then is not told."""
ERROR = "[ERROR]"
"""How Lambda's runtime begins the line of an invocation that failed (practice)."""


def read(client: Any, deployment: Deployment, rule: str, since: datetime) -> Log:
    """What the retry logged of the hold `rule` since then, but for its looks that found it waiting;
    and its errors of any hold.

    (guide: CloudWatch Logs, "Filter pattern syntax": ?x ?y is x or y, and finds more than wanted:
    the rest is left out here.)
    """
    records: list[tuple[datetime, dict[str, Any]]] = []
    errors: list[tuple[datetime, str]] = []
    try:
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{deployment.retry_function}",
            startTime=int(since.timestamp() * 1000),
            filterPattern=f'?"{rule}" ?"{ERROR}"',
        )
        for _, page in zip(range(MOST_PAGES), pages, strict=False):
            for event in page["events"]:
                when, text = (
                    datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    event["message"].strip(),
                )
                record = _record(text)
                if text.startswith(ERROR):
                    errors.append(
                        (when, shorten(text.splitlines()[0].removeprefix(ERROR).strip(), 300))
                    )
                elif record.get("rule") == rule and record.get("decision") != "waiting":
                    records.append((when, record))
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException":
            return Log(silent=True)
        told = translate_error(error, "logs:FilterLogEvents")
        if isinstance(told, (NotPermitted, NoAnswer)):
            return Log(unread=str(told))
        raise told from error
    return Log(tuple(records), tuple(errors))


def _record(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
