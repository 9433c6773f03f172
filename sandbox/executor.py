"""One run of a Lambda function: what is asked for, what runs the code, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from moto.awslambda.models import LambdaFunction


@dataclass(frozen=True)
class Invocation:
    """A request to run a function.

    `function_arn` is the ARN as invoked, with its qualifier if it had one; `payload` is JSON text.
    """

    account_id: str
    region: str
    function_name: str
    function_arn: str
    request_id: str
    payload: str


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    `payload` is the JSON text of the result or of the error object, `error` is None (success),
    "Handled" or "Unhandled", `log` is what the function printed.
    """

    payload: str
    error: str | None
    log: str


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended. The first attempt is 1; `started` and `ended` are aware UTC times."""

    invocation: Invocation
    attempt: int
    started: datetime
    ended: datetime
    outcome: RunOutcome


class Executor(Protocol):
    """Runs the code of Lambda functions."""

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        """Run the function's code to its end. An error of the code is in the outcome; it is not
        raised.
        """
        ...
