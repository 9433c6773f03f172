"""Many Lambda invocations at once, on driven time: an exact and repeatable run that takes seconds.

An invocation that sleeps (in an AWS call, or in botocore between two attempts) lets the others run,
so 300 invocations share a minute as they would in AWS.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.retries.bucket
import moto.core.responses
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.awslambda.models import LambdaFunction
from moto.core.models import botocore_stubber
from moto.moto_api._internal import mock_random
from moto.sts.models import sts_backends

import app
import chalicelib.pipelines.reader
from chalicelib.aws.clients import Aws, make_client
from chalicelib.gate import answer_job
from chalicelib.retry import check_hold
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.concurrent_clock import ConcurrentClock
from sandbox.executor import Invocation, RunOutcome
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials

CALL_SECONDS = 0.02
"""How long an AWS call takes, unless a run draws it."""
COLD_START_SECONDS = 0.3
"""How long a new process takes before the handler runs."""
TIMEOUT_SECONDS = 900
"""The functions' own time-out (.chalice/config.json)."""
HANDLERS = {"gate": answer_job, "retry": check_hold}


@dataclass(frozen=True)
class AnsweredCall:
    """One attempt of an AWS call of a function. `when`: aware UTC, as it reached AWS."""

    when: datetime
    operation: str
    throttled: bool


@dataclass
class ConcurrentExecutor:
    """Runs each invocation in an environment of its own: a warm one if one is idle, or a new one.

    An environment is what a Lambda process keeps: the clients with their retry quotas.
    """

    draw_call_seconds: Callable[[], float] = lambda: CALL_SECONDS
    """How long an AWS call takes: half of it passes before the call has its effect, half after."""
    calls: list[AnsweredCall] = field(default_factory=list)
    _idle: dict[str, list[Aws]] = field(default_factory=dict)
    _credentials: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        name = function.function_name.rpartition("-")[2]
        begun = utcnow()
        idle = self._idle.setdefault(name, [])
        if idle:
            aws = idle.pop()
        else:
            aws = Aws(partial(self._make_client, name))
            time.sleep(COLD_START_SECONDS)
        context = SimpleNamespace(
            invoked_function_arn=invocation.function_arn, aws_request_id=invocation.request_id
        )
        try:
            outcome = RunOutcome(
                json.dumps(HANDLERS[name](json.loads(invocation.payload), context, aws, utcnow())),
                None,
                "",
            )
        except Exception as error:  # as in Lambda, where it ends the invocation only
            outcome = RunOutcome(
                json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}),
                "Unhandled",
                "",
            )
        idle.append(aws)
        duration = utcnow() - begun
        if duration > timedelta(seconds=TIMEOUT_SECONDS):
            raise RuntimeError(
                f"{name} took {duration}: Lambda would have killed it, and this benchmark does not"
            )
        return outcome

    @contextmanager
    def share_time(self, clock: ConcurrentClock) -> Iterator[None]:
        """In the block, whatever waits within an invocation lets other invocations run."""
        condition = SimpleNamespace(Lock=threading.Lock, Condition=_DrivenCondition)
        # moto searches its class again at each call.
        methods = cache(moto.core.responses.method_names_from_class)
        with (
            patch.object(chalicelib.pipelines.reader, "run_in_parallel", clock.run_in_parallel),
            patch.object(moto.core.responses, "method_names_from_class", methods),
            patch.object(botocore.retries.bucket, "threading", condition),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            yield

    def _make_client(self, name: str, service: str, **settings: Any) -> Any:
        """A client of the function `name`, signed by a session of its role."""
        if name not in self._credentials:
            self._credentials[name] = _assume_role(name)
        return self._slow_down(make_client(service, **settings, **self._credentials[name]))

    def _slow_down(self, client: Any) -> Any:
        """Make each call take its time, and record it.

        moto answers last, after botocore's own handlers, such as the rate limit of the mode
        "adaptive".
        """

        def send(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
            seconds = self.draw_call_seconds()
            time.sleep(seconds / 2)
            when = utcnow()
            response = botocore_stubber(event_name, request)
            if response is None:
                raise RuntimeError(f"moto does not answer {request.url}")
            operation = f"{client.meta.service_model.endpoint_prefix}:{event_name.split('.')[2]}"
            throttled = response.status_code in (400, 429) and b"Rate exceeded" in response.content
            self.calls.append(AnsweredCall(when, operation, throttled))
            time.sleep(seconds / 2)
            return response

        client._user_agent_creator.to_string = lambda: "benchmark"  # a tenth of a call's real time
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register_last("before-send", send)
        return client


@contextmanager
def enter_concurrent_world(executor: ConcurrentExecutor, seed: int) -> Iterator[DrivenWorld]:
    """A fresh world in which the functions run at once. The same seed gives the same run: it
    decides botocore's jitter, all ids, and what is drawn from `random`.
    """
    deployed = ChaliceExecutor(app, Path(app.__file__).parent)
    state = random.getstate()
    random.seed(seed)
    mock_random.seed(seed)
    try:
        with (
            in_process(deployed, dials=Dials(start_on_create=False, enforce_iam=False)) as world,
            ConcurrentClock(utcnow()) as clock,
            executor.share_time(clock),
        ):
            world.clock, world.executor = clock, executor
            yield world
    finally:
        random.setstate(state)


class _DrivenCondition(threading.Condition):
    """Makes botocore's client-side token bucket wait on driven time. Invocations share none."""

    def wait(self, timeout: float | None = None) -> bool:
        time.sleep(max(timeout or 0, 0.001))
        return False


def _assume_role(name: str) -> dict[str, str]:
    function = f"pipeline-gate-dev-{name}"
    session = sts_backends[ACCOUNT]["aws"].assume_role(
        region_name=REGION,
        role_session_name=function,
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/{function}",
        policy="",
        duration=12 * 3600,
        external_id="",
    )
    return {
        "aws_access_key_id": session.access_key_id,
        "aws_secret_access_key": session.secret_access_key,
        "aws_session_token": session.session_token,
    }
