"""CloudWatch Logs: what a function has logged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chalicelib.errors import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class Logs:
    """CloudWatch Logs in a region."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def list_lines(
        self, group: str, pattern: str, since: datetime, max_pages: int
    ) -> Iterator[tuple[datetime, str]]:
        """Yield the lines of a log group that match `pattern`, each with its time (aware UTC).

        (model: FilterLogEvents; guide: CloudWatch Logs, "Filter pattern syntax".) At most
        `max_pages` answers are read. Raises NotFound, NotPermitted or NoAnswer.
        """
        with translate_errors("logs:FilterLogEvents"):
            pages = self._client.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=pattern
            )
            for _, page in zip(range(max_pages), pages, strict=False):
                for event in page["events"]:
                    yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"]
