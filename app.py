"""The two Lambda functions of Pipeline Gate. They only hand over: what they do is in chalicelib/gate.py and chalicelib/retry.py.

Each imports its own part when it is invoked: a cold start compiles what it imports, and neither needs the other's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalice import Chalice

from chalicelib.aws import Aws

app = Chalice(app_name="pipeline-gate", configure_logs=False)
aws = Aws()


@app.lambda_function(name="gate")
def gate(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoked by the gate action of a dependent pipeline."""
    from chalicelib.gate import answer  # noqa: PLC0415

    return answer(event, context, aws, datetime.now(UTC))


@app.lambda_function(name="retry")
def retry(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoked by the rule of a hold."""
    from chalicelib.retry import recheck  # noqa: PLC0415

    return recheck(event, context, aws, datetime.now(UTC))
