"""A run's log lines in CloudWatch Logs, as Lambda writes them (guide: python-logging)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from moto.awslambda.models import LambdaFunction

from sandbox.clock import utcnow

if TYPE_CHECKING:
    from sandbox.awslambda.invocation import Finished


def group(function: LambdaFunction) -> str:
    return f"/aws/lambda/{function.function_name}"


def stream(function: LambdaFunction) -> str:
    """DATE/[VERSION]ID. AWS has a stream for each process; here all processes of one day and one
    version of the code share it.
    """
    return f"{utcnow():%Y/%m/%d}/[{function.version}]{function.code_digest[:32]}"


def lines(function: LambdaFunction, run: Finished) -> list[str]:
    """What one run leaves in the log: START, what the function printed, END, REPORT."""
    request_id = run.invocation.request_id
    milliseconds = (run.ended - run.started).total_seconds() * 1000
    return [
        f"START RequestId: {request_id} Version: {function.version}",
        # awslambdaric separates the lines of a traceback by \r, so that they stay one log event.
        *(line.replace("\r", "\n") for line in run.outcome.log.split("\n") if line),
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tBilled Duration: "
        f"{math.ceil(milliseconds)} ms\t"
        f"Memory Size: {function.memory_size} MB",
    ]


def write(function: LambdaFunction, messages: list[str]) -> None:
    """Append to the function's log stream, which is made when it is missing."""
    backend = function.logs_backend
    backend.ensure_log_group(group(function))
    backend.ensure_log_stream(group(function), stream(function))
    now = int(utcnow().timestamp() * 1000)
    backend.put_log_events(
        group(function),
        stream(function),
        [{"timestamp": now, "message": message} for message in messages],
    )
