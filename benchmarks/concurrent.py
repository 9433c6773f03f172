"""Many Lambda invocations at once, on driven time: a discrete-event run that is exact, repeatable,
and done in seconds.

Whatever falls due runs on a thread of its own, but only one thread runs at a time. Who sleeps (an
AWS call that takes its time, botocore between two attempts) hands over until the driven time has
come, so 300 invocations share a minute as they would in AWS.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.retries.bucket
import moto.core.responses
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.awslambda.models import LambdaFunction
from moto.core.models import botocore_stubber
from moto.sts.models import sts_backends

import chalicelib.aws.clients
from chalicelib.aws.clients import Aws
from chalicelib.gate import answer_job
from chalicelib.retry import check_hold
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.invocation import Invocation, Outcome
from sandbox.clock import Call, DrivenClock, utcnow

CALL_SECONDS = 0.02
"""What one AWS call takes, half of it before it has its effect and half after."""
COLD_START_SECONDS = 0.3
"""What a function's new process takes before the handler runs."""
TIMEOUT_SECONDS = 900
"""The functions' own time-out (.chalice/config.json)."""
HANDLERS = {"gate": answer_job, "retry": check_hold}


class ConcurrentClock(DrivenClock):
    """A DrivenClock whose calls may sleep, and others run meanwhile. The thread that made it drives
    it.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._driver = threading.current_thread()
        self._handed_over = threading.Semaphore(0)
        self._defects: list[BaseException] = []

    def call_at(self, when: datetime, what: Callable[[], object], label: str = "") -> Call:
        return super().call_at(when, lambda: self._begin(what, label), label)

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is self._driver:
            super().sleep(seconds)
            return
        turn = threading.Semaphore(0)
        super().call_at(
            utcnow() + timedelta(seconds=seconds), lambda: self._go_on(turn), "wakes up"
        )
        self._handed_over.release()
        turn.acquire()

    def _begin(self, what: Callable[[], object], label: str) -> None:
        threading.Thread(target=self._attempt, args=(what,), name=label, daemon=True).start()
        self._wait()

    def _go_on(self, turn: threading.Semaphore) -> None:
        turn.release()
        self._wait()

    def _wait(self) -> None:
        """The driver waits until the thread that runs sleeps or ends. Raises what it died of: a
        defect of the benchmark or the sandbox.
        """
        self._handed_over.acquire()
        if self._defects:
            raise self._defects.pop()

    def _attempt(self, what: Callable[[], object]) -> None:
        try:
            what()
        except BaseException as error:  # raised on the driver's thread
            self._defects.append(error)
        finally:
            self._handed_over.release()


@dataclass(frozen=True)
class Answered:
    """One attempt of one AWS call of a function. `when`: aware UTC, as it reached AWS."""

    when: datetime
    function: str
    operation: str
    throttled: bool


@dataclass
class ConcurrentExecutor:
    """The Executor that runs each invocation in an environment of its own: one that is idle and
    warm, else a new one.

    An environment is what a Lambda process keeps: the clients with their retry quotas.
    """

    calls: list[Answered] = field(default_factory=list)
    longest: timedelta = timedelta(0)
    """The longest invocation."""
    _idle: dict[str, list[Aws]] = field(default_factory=dict)
    _credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    _here: threading.local = field(default_factory=threading.local)
    """`function`: the one that runs on this thread."""

    def run(self, function: LambdaFunction, invocation: Invocation) -> Outcome:
        name = function.function_name.rpartition("-")[2]
        begun = utcnow()
        idle = self._idle.setdefault(name, [])
        if idle:
            aws = idle.pop()
        else:
            aws = Aws()
            time.sleep(COLD_START_SECONDS)
        self._here.function = name
        context = SimpleNamespace(
            invoked_function_arn=invocation.function_arn, aws_request_id=invocation.request_id
        )
        try:
            outcome = Outcome(
                json.dumps(HANDLERS[name](json.loads(invocation.payload), context, aws, utcnow())),
                None,
                "",
            )
        except Exception as error:  # as in Lambda, where it ends the invocation only
            outcome = Outcome(
                json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}),
                "Unhandled",
                "",
            )
        idle.append(aws)
        took = utcnow() - begun
        self.longest = max(self.longest, took)
        if took > timedelta(seconds=TIMEOUT_SECONDS):
            raise RuntimeError(
                f"{name} took {took}: Lambda would have killed it, and this benchmark does not"
            )
        return outcome

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """The functions' clients are signed by their roles' sessions, and each of their calls takes
        its time.
        """
        client = chalicelib.aws.clients.make_client

        def new_client(service: Any, **settings: Any) -> Any:
            return self._timed(client(service, **settings, **self._session()))

        condition = SimpleNamespace(Lock=threading.Lock, Condition=_DrivenCondition)
        # moto looks through its class anew at each call.
        methods = cache(moto.core.responses.method_names_from_class)
        with (
            patch.object(chalicelib.aws.clients, "client", new_client),
            patch.object(moto.core.responses, "method_names_from_class", methods),
            patch.object(botocore.retries.bucket, "threading", condition),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            yield

    def _session(self) -> dict[str, str]:
        name = self._here.function
        if name not in self._credentials:
            self._credentials[name] = _role_session(name)
        return self._credentials[name]

    def _timed(self, client: Any) -> Any:
        """Let moto answer last, after botocore's own handlers, such as the rate limit of the mode
        "adaptive".
        """

        def send(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
            time.sleep(CALL_SECONDS / 2)
            when = utcnow()
            response = botocore_stubber(event_name, request)
            if response is None:
                raise RuntimeError(f"moto does not answer {request.url}")
            operation = f"{client.meta.service_model.endpoint_prefix}:{event_name.split('.')[2]}"
            throttled = response.status_code in (400, 429) and b"Rate exceeded" in response.content
            self.calls.append(Answered(when, self._here.function, operation, throttled))
            time.sleep(CALL_SECONDS / 2)
            return response

        client._user_agent_creator.to_string = lambda: "benchmark"  # a tenth of a call's real time
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register_last("before-send", send)
        return client


class _DrivenCondition(threading.Condition):
    """For botocore's client-side token bucket, which waits in real time. No two invocations share
    one.
    """

    def wait(self, timeout: float | None = None) -> bool:
        time.sleep(max(timeout or 0, 0.001))
        return False


def _role_session(name: str) -> dict[str, str]:
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
