"""A run's log lines in CloudWatch Logs, as Lambda writes them (guide: python-logging)."""

from __future__ import annotations

import math

from moto.awslambda.models import LambdaFunction

from sandbox.clock import utcnow
from sandbox.executor import FinishedRun


def name_log_group(function: LambdaFunction) -> str:
    return f"/aws/lambda/{function.function_name}"


def name_log_stream(function: LambdaFunction) -> str:
    """DATE/[VERSION]ID. AWS has a stream for each process; here all processes of a day with the
    same code share one.
    """
    return f"{utcnow():%Y/%m/%d}/[{function.version}]{function.code_digest[:32]}"


def format_lines(function: LambdaFunction, run: FinishedRun) -> list[str]:
    """The log lines of a run: START, what the function printed, END, REPORT."""
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


def write_lines(function: LambdaFunction, messages: list[str]) -> None:
    """Append to the function's log stream, and create it if it does not exist."""
    backend = function.logs_backend
    backend.ensure_log_group(name_log_group(function))
    backend.ensure_log_stream(name_log_group(function), name_log_stream(function))
    now = int(utcnow().timestamp() * 1000)
    backend.put_log_events(
        name_log_group(function),
        name_log_stream(function),
        [{"timestamp": now, "message": message} for message in messages],
    )
