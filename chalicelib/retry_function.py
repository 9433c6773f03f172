"""The Lambda function `retry`, as Lambda loads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib import runtime
from chalicelib.retry import check_hold


def retry(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Check a hold, whose EventBridge rule invokes this function."""
    return check_hold(event, context, runtime.aws, datetime.now(UTC))
