"""The Lambda function `gate`, as Lambda loads it.

It imports only the modules that an open gate needs, because a cold start compiles each of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib import runtime
from chalicelib.gate import answer_job


def gate(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer the gate action of a dependent pipeline, which invokes this function."""
    return answer_job(event, context, runtime.aws, datetime.now(UTC))
