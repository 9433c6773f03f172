"""One run of a Lambda function, and the asynchronous queue in front of it with its two retries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import cast

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.moto_api._internal import mock_random

from sandbox.awslambda import logs, permission
from sandbox.clock import utcnow
from sandbox.executor import FinishedRun, Invocation
from sandbox.world import World, current_world

log = logging.getLogger(__name__)

RETRY_DELAYS = (timedelta(minutes=1), timedelta(minutes=2))
"""An asynchronous invocation that ends in an error is retried twice (guide:
invocation-async-error-handling).
"""


def list_finished_runs(account_id: str, region: str) -> list[FinishedRun]:
    """The finished runs, in the order in which they ended. Kept on moto's backend, so that moto's
    reset clears them.
    """
    backend = lambda_backends[account_id][region]
    return cast(list[FinishedRun], backend.__dict__.setdefault("finished_invocations", []))


def invoke(function: LambdaFunction, invocation: Invocation, attempt: int = 1) -> FinishedRun:
    """Run the function now, on this thread; write its log to CloudWatch Logs and record the run.

    The caller must not hold the world's lock, because the function's code may take any time.
    """
    world = current_world()
    started = utcnow()
    outcome = world.executor.run(function, invocation)
    run = FinishedRun(invocation, attempt, started, utcnow(), outcome)
    with world.lock:
        logs.write_lines(function, logs.format_lines(function, run))
        list_finished_runs(invocation.account_id, invocation.region).append(run)
    return run


def invoke_async(
    account_id: str,
    region: str,
    function: str,
    payload: str,
    *,
    service: str,
    source_arn: str | None = None,
    on_end: Callable[[FinishedRun], None] = lambda run: None,
) -> None:
    """Queue an event for a function: it runs on the world's clock, once for each of
    `dials.invocation_copies()`. `on_end` is called after each run, without the world's lock.

    `function` is a name or an ARN, with or without a qualifier; `payload` is JSON text. For the
    service "events.amazonaws.com" the function's resource policy must allow the invocation from
    `source_arn`. CodePipeline invokes with the pipeline's own role, so the resource policy is not
    checked (guide: action-reference-Lambda). LookupError if the function does not exist,
    PermissionError if its policy does not allow the invocation.
    """
    world = current_world()
    with world.lock:
        invocation = _make_invocation(account_id, region, function, payload)
        if service == "events.amazonaws.com" and not permission.allows_invocation(
            _find_function(invocation), invocation.function_arn, service, source_arn, account_id
        ):
            raise PermissionError(
                f"the policy of {function} does not let {service} invoke it for {source_arn}"
            )
        for seconds in world.dials.invocation_copies():
            _plan_attempt(world, invocation, on_end, timedelta(seconds=seconds), attempt=1)


def _plan_attempt(
    world: World,
    invocation: Invocation,
    on_end: Callable[[FinishedRun], None],
    after: timedelta,
    attempt: int,
) -> None:
    def run() -> None:
        try:
            function = _find_function(invocation)
        except LookupError as error:
            log.warning("an event was dropped: %s", error)
            return
        finished = invoke(function, invocation, attempt)
        if finished.outcome.error and attempt <= len(RETRY_DELAYS):
            _plan_attempt(world, invocation, on_end, RETRY_DELAYS[attempt - 1], attempt + 1)
        on_end(finished)

    world.clock.call_at(
        utcnow() + after, run, f"Lambda {invocation.function_name}, attempt {attempt}"
    )


def _make_invocation(account_id: str, region: str, function: str, payload: str) -> Invocation:
    if function.startswith("arn:"):
        arn = function
        _, _, _, region, account_id, _, name, *_ = function.split(":")
    else:
        name = function.split(":", maxsplit=1)[0]
        partition = lambda_backends[account_id][region].partition
        arn = f"arn:{partition}:lambda:{region}:{account_id}:function:{function}"
    invocation = Invocation(account_id, region, name, arn, str(mock_random.uuid4()), payload)
    _find_function(invocation)
    return invocation


def _find_function(invocation: Invocation) -> LambdaFunction:
    """moto's record of the function as it is now. LookupError if there is none."""
    try:
        return lambda_backends[invocation.account_id][invocation.region].get_function(
            invocation.function_arn
        )
    except (LambdaClientError, KeyError) as error:
        raise LookupError(f"function {invocation.function_arn} does not exist") from error
