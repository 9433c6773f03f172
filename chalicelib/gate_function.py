"""The Lambda function `gate`, as Lambda loads it. Of chalicelib it imports no more than an open
gate needs: a cold start compiles that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib import runtime
from chalicelib.gate import answer_job


def gate(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoked by the gate action of a dependent pipeline."""
    return answer_job(event, context, runtime.aws, datetime.now(UTC))
