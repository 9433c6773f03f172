"""The Invoke operation. It replaces moto's LambdaFunction.invoke, which needs docker."""

from __future__ import annotations

import base64
import json
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction
from moto.moto_api._internal import mock_random

from sandbox.awslambda import invocation, logs
from sandbox.executor import Invocation

LOG_TAIL_BYTES = 4096
"""LogResult is "the last 4 KB of the execution log" (model: InvocationResponse)."""


def invoke(
    function: LambdaFunction, body: str | None, request_headers: Any, response_headers: Any
) -> bytes:
    """Run or queue the function, by the invocation type: RequestResponse, Event or DryRun (model:
    InvocationType).
    """
    payload = body or "{}"
    try:
        json.loads(payload)
    except ValueError as error:
        raise LambdaClientError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
    kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind == "DryRun":
        return b""
    if kind == "Event":
        invocation.invoke_async(
            function.account_id,
            function.region,
            function.function_arn,
            payload,
            service="lambda.amazonaws.com",
        )
        return b""
    request = Invocation(
        function.account_id,
        function.region,
        function.function_name,
        function.function_arn,
        str(mock_random.uuid4()),
        payload,
    )
    run = invocation.invoke(function, request)
    response_headers["X-Amz-Executed-Version"] = str(function.version)
    tail = "\n".join(logs.format_lines(function, run)).encode()[-LOG_TAIL_BYTES:]
    response_headers["x-amz-log-result"] = base64.b64encode(tail).decode()
    if run.outcome.error:
        response_headers["x-amz-function-error"] = run.outcome.error
    return run.outcome.payload.encode()
