"""CloudWatch Logs: what a function has logged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chalicelib.errors import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


@dataclass(frozen=True)
class LogLines:
    """Lines of a log group, each with its time (aware UTC). `complete`: whether these are all that
    match.
    """

    lines: tuple[tuple[datetime, str], ...]
    complete: bool = True


class Logs:
    """CloudWatch Logs in a region."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def read_lines(
        self,
        group: str,
        pattern: str,
        since: datetime,
        max_pages: int,
        *,
        newest_first: bool = False,
    ) -> LogLines:
        """Return the lines of a log group that match `pattern`, the oldest or the newest first.

        (model: FilterLogEvents; guide: CloudWatch Logs, "Filter pattern syntax".) At most
        `max_pages` answers are read. Raises NotFound, NotPermitted or NoAnswer.
        """
        lines: list[tuple[datetime, str]] = []
        with translate_errors("logs:FilterLogEvents"):
            pages = self._client.get_paginator("filter_log_events").paginate(
                logGroupName=group,
                startTime=int(since.timestamp() * 1000),
                filterPattern=pattern,
                startFromHead=not newest_first,
            )
            for number, page in enumerate(pages, start=1):
                lines += [
                    (datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"])
                    for event in page["events"]
                ]
                if number == max_pages:
                    return LogLines(tuple(lines), complete=not page.get("nextToken"))
        return LogLines(tuple(lines))


def parse_record(line: str) -> dict[str, Any]:
    """Return the object that a line contains as JSON, {} if it is not one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
