"""One run of a Lambda function, and the asynchronous queue in front of it with its two retries."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, cast

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.moto_api._internal import mock_random

from sandbox.awslambda import logs, permission
from sandbox.clock import utcnow
from sandbox.world import World, current

log = logging.getLogger(__name__)

RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=2))
"""An asynchronous invocation that ends in an error is tried again twice (guide:
invocation-async-error-handling).
"""


@dataclass(frozen=True)
class Invocation:
    """A request to run a function: `function_arn` as invoked (with its qualifier if it had one),
    `payload` as JSON text.
    """

    account_id: str
    region: str
    function_name: str
    function_arn: str
    request_id: str
    payload: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    `payload` is the JSON text of the result or of the error object, `error` is None (success),
    "Handled" or "Unhandled", `log` what the function printed.
    """

    payload: str
    error: str | None
    log: str


@dataclass(frozen=True)
class Finished:
    """A run that is over. `attempt` is 1 for the first one; `started` and `ended` are aware UTC
    datetimes.
    """

    invocation: Invocation
    attempt: int
    started: datetime
    ended: datetime
    outcome: Outcome


class Executor(Protocol):
    def run(self, function: LambdaFunction, invocation: Invocation) -> Outcome:
        """Run the function's code to its end. An error of the code is an Outcome with an error, not
        an exception.
        """
        ...


def finished(account_id: str, region: str) -> list[Finished]:
    """The runs that are over, in the order in which they ended. Kept on moto's backend, so that
    moto's reset clears it.
    """
    backend = lambda_backends[account_id][region]
    return cast(list[Finished], backend.__dict__.setdefault("finished_invocations", []))


def invoke(function: LambdaFunction, invocation: Invocation, attempt: int = 1) -> Finished:
    """Run the function now, on this thread; write its log to CloudWatch Logs and keep the run as
    finished.

    The caller must not hold the world's lock: the function's code takes what time it likes.
    """
    world = current()
    started = utcnow()
    outcome = world.executor.run(function, invocation)
    run = Finished(invocation, attempt, started, utcnow(), outcome)
    with world.lock:
        logs.write(function, logs.lines(function, run))
        finished(invocation.account_id, invocation.region).append(run)
    return run


def invoke_async(
    account_id: str,
    region: str,
    function: str,
    payload: str,
    *,
    service: str,
    source_arn: str | None = None,
) -> None:
    """Queue an event for a function: it runs on the world's clock, once for each of
    `dials.invocation_copies()`.

    `function` is a name or an ARN, with or without a qualifier; `payload` is JSON text. For the
    service "events.amazonaws.com" the function's resource policy must allow the invocation from
    `source_arn`. CodePipeline invokes with the pipeline's own role, so no resource policy is asked
    (guide: action-reference-Lambda). Raises LookupError where the function does not exist,
    PermissionError where its policy does not allow it.
    """
    world = current()
    with world.lock:
        invocation = _invocation(account_id, region, function, payload)
        if service == "events.amazonaws.com" and not permission.allows(
            _model(invocation), invocation.function_arn, service, source_arn, account_id
        ):
            raise PermissionError(
                f"the policy of {function} does not let {service} invoke it for {source_arn}"
            )
        for seconds in world.dials.invocation_copies():
            _plan(world, invocation, timedelta(seconds=seconds), attempt=1)


def _plan(world: World, invocation: Invocation, after: timedelta, attempt: int) -> None:
    def run() -> None:
        try:
            function = _model(invocation)
        except LookupError as error:
            log.warning("an event was dropped: %s", error)
            return
        outcome = invoke(function, invocation, attempt).outcome
        if outcome.error and attempt <= len(RETRY_AFTER):
            _plan(world, invocation, RETRY_AFTER[attempt - 1], attempt + 1)

    world.clock.call_at(
        utcnow() + after, run, f"Lambda {invocation.function_name}, attempt {attempt}"
    )


def _invocation(account_id: str, region: str, function: str, payload: str) -> Invocation:
    if function.startswith("arn:"):
        arn = function
        _, _, _, region, account_id, _, name, *_ = function.split(":")
    else:
        name = function.split(":", maxsplit=1)[0]
        arn = f"arn:{lambda_backends[account_id][region].partition}:lambda:{region}:{account_id}:function:{function}"
    invocation = Invocation(account_id, region, name, arn, str(mock_random.uuid4()), payload)
    _model(invocation)
    return invocation


def _model(invocation: Invocation) -> LambdaFunction:
    """moto's record of the function as it is now. LookupError where there is none."""
    try:
        return lambda_backends[invocation.account_id][invocation.region].get_function(
            invocation.function_arn
        )
    except (LambdaClientError, KeyError) as error:
        raise LookupError(f"function {invocation.function_arn} does not exist") from error
