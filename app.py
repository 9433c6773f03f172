"""The two Lambda functions of Pipeline Gate. They only hand over: what they do is in chalicelib/gate.py and chalicelib/retry.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalice import Chalice

from chalicelib.aws import Aws
from chalicelib.gate import answer
from chalicelib.retry import recheck

app = Chalice(app_name="pipeline-gate", configure_logs=False)
aws = Aws()


@app.lambda_function(name="gate")
def gate(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoked by the gate action of a dependent pipeline."""
    return answer(event, context, aws, datetime.now(UTC))


@app.lambda_function(name="retry")
def retry(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoked by the rule of a hold."""
    return recheck(event, context, aws, datetime.now(UTC))
