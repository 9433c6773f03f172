"""Many Lambda invocations at once, on driven time: an exact and repeatable run that takes seconds.

Each call that falls due runs on a thread of its own, but only one thread runs at a time. A thread
that sleeps (in an AWS call, or in botocore between two attempts) lets the others run until the
driven time has come. So 300 invocations share a minute as they would in AWS.
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
from sandbox.clock import DrivenClock, PlannedCall, utcnow
from sandbox.executor import Invocation, RunOutcome

CALL_SECONDS = 0.02
"""How long an AWS call takes: half of it passes before the call has its effect, half after."""
COLD_START_SECONDS = 0.3
"""How long a new process takes before the handler runs."""
TIMEOUT_SECONDS = 900
"""The functions' own time-out (.chalice/config.json)."""
HANDLERS = {"gate": answer_job, "retry": check_hold}


class ConcurrentClock(DrivenClock):
    """A DrivenClock on which a call that sleeps lets other calls run. The thread that makes the
    clock drives it.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._driver = threading.current_thread()
        self._handed_over = threading.Semaphore(0)
        self._defects: list[BaseException] = []

    def call_at(
        self, when: datetime, callback: Callable[[], object], label: str = ""
    ) -> PlannedCall:
        return super().call_at(when, lambda: self._start_thread(callback, label), label)

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is self._driver:
            super().sleep(seconds)
            return
        turn = threading.Semaphore(0)
        super().call_at(
            utcnow() + timedelta(seconds=seconds), lambda: self._resume_thread(turn), "wakes up"
        )
        self._handed_over.release()
        turn.acquire()

    def _start_thread(self, callback: Callable[[], object], label: str) -> None:
        threading.Thread(target=self._run, args=(callback,), name=label, daemon=True).start()
        self._wait_for_thread()

    def _resume_thread(self, turn: threading.Semaphore) -> None:
        turn.release()
        self._wait_for_thread()

    def _wait_for_thread(self) -> None:
        """Wait until the running thread sleeps or ends. If it died, raise its error: a defect of
        the benchmark or the sandbox.
        """
        self._handed_over.acquire()
        if self._defects:
            raise self._defects.pop()

    def _run(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except BaseException as error:  # raised on the driver's thread
            self._defects.append(error)
        finally:
            self._handed_over.release()


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

    calls: list[AnsweredCall] = field(default_factory=list)
    _idle: dict[str, list[Aws]] = field(default_factory=dict)
    _credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    _here: threading.local = field(default_factory=threading.local)
    """`function`: the function that runs on this thread."""

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
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
    def in_force(self) -> Iterator[None]:
        """In the block, the functions' clients are signed by their roles' sessions, and each of
        their calls takes CALL_SECONDS.
        """
        make_client = chalicelib.aws.clients.make_client

        def make_slow_client(service: Any, **settings: Any) -> Any:
            return self._slow_down(make_client(service, **settings, **self._find_credentials()))

        condition = SimpleNamespace(Lock=threading.Lock, Condition=_DrivenCondition)
        # moto searches its class again at each call.
        methods = cache(moto.core.responses.method_names_from_class)
        with (
            patch.object(chalicelib.aws.clients, "make_client", make_slow_client),
            patch.object(moto.core.responses, "method_names_from_class", methods),
            patch.object(botocore.retries.bucket, "threading", condition),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            yield

    def _find_credentials(self) -> dict[str, str]:
        name = self._here.function
        if name not in self._credentials:
            self._credentials[name] = _assume_role(name)
        return self._credentials[name]

    def _slow_down(self, client: Any) -> Any:
        """Make each call take CALL_SECONDS, and record it.

        moto answers last, after botocore's own handlers, such as the rate limit of the mode
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
            self.calls.append(AnsweredCall(when, operation, throttled))
            time.sleep(CALL_SECONDS / 2)
            return response

        client._user_agent_creator.to_string = lambda: "benchmark"  # a tenth of a call's real time
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register_last("before-send", send)
        return client


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
