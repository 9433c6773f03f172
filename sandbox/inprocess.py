"""The sandbox inside a test: driven time, moto in this process, and functions run by Chalice's test
client.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import os
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import boto3
from chalice import Chalice
from chalice.test import Client
from moto import mock_aws
from moto.awslambda.models import LambdaFunction, lambda_backends

from sandbox.account import ACCOUNT, REGION, create_pipeline_role, create_role
from sandbox.clock import DrivenClock
from sandbox.executor import Invocation, RunOutcome
from sandbox.install import install_services
from sandbox.world import Dials, World, enter_world

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class ChaliceExecutor:
    """The Executor that runs a Chalice app's functions in this process, with Chalice's test client.

    `app` is the Chalice object or the module that has it as `app`; the environment variables of
    `stage` come from `project_dir`/.chalice/config.json. The last part of a function's name says
    which it is: NAME of APP-STAGE-NAME. One executor can serve any number of worlds, one after the
    other. `start_runtime` is called when a world begins: it forgets what the app has kept from
    invocation to invocation, because all of them run in this process.
    """

    def __init__(
        self,
        app: Chalice | ModuleType,
        project_dir: Path,
        stage: str = "dev",
        start_runtime: Callable[[], None] = lambda: None,
    ) -> None:
        self.app: Chalice = app.app if isinstance(app, ModuleType) else app
        self.stage = stage
        self.start_runtime = start_runtime
        self._client = Client(self.app, stage_name=stage, project_dir=str(project_dir))

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        """See Executor.run. SystemExit from the code (or from a test's hook) means that the process
        died: Runtime.ExitError.
        """
        name = function.function_name.rpartition("-")[2]
        trace: list[str] = []
        with _capture_log(self.app.log) as log:
            try:
                answer = self._client.lambda_.invoke(name, json.loads(invocation.payload)).payload
                return RunOutcome(_marshal(answer), None, log.getvalue())
            except SystemExit as error:
                kind = "Runtime.ExitError"
                message = f"Runtime exited with error: exit status {error.code}"
            except MarshalError as error:
                kind, message = "Runtime.MarshalError", str(error)
            except Exception as error:  # as in Lambda, where it ends the invocation only
                kind, message = type(error).__name__, str(error)
                trace = traceback.format_tb(error.__traceback__)
            lines = (
                f"[ERROR] {kind}: {message}\rTraceback (most recent call last):\r{''.join(trace)}"
            )
            log.write(lines.replace("\n", "\r") + "\n")
            problem = {
                "errorMessage": message,
                "errorType": kind,
                "requestId": invocation.request_id,
                "stackTrace": trace,
            }
            return RunOutcome(json.dumps(problem), "Unhandled", log.getvalue())


class MarshalError(Exception):
    """The function's result is not JSON; awslambdaric names it Runtime.MarshalError."""


def _marshal(answer: object) -> str:
    try:
        return json.dumps(answer)
    except (TypeError, ValueError) as error:
        raise MarshalError(f"Unable to marshal response: {error}") from error


@dataclass
class DrivenWorld(World):
    """A World whose clock a test drives: `world.clock.advance(timedelta(minutes=5))`."""

    clock: DrivenClock


@contextmanager
def in_process(
    executor: ChaliceExecutor, start: datetime = MONDAY_NOON, dials: Dials | None = None
) -> Iterator[DrivenWorld]:
    """A fresh world in which the app is deployed: account ACCOUNT, region REGION, time stands still
    at `start` (aware UTC).

    boto3's default session and the environment variables (region, credentials, RETRY_FUNCTION_ARN)
    belong to the world until the block ends; then all is as before.
    """
    with (
        DrivenClock(start) as clock,
        # One session for all worlds: a new one would read botocore's service models again, about
        # 30 ms per client.
        mock_aws(config={"core": {"reset_boto3_session": False}}),
        patch.dict(os.environ, _build_environment(executor), clear=True),
        patch.object(boto3, "DEFAULT_SESSION", _make_session()),
        install_services(),
        enter_world(world := DrivenWorld(clock, executor, dials or Dials())),
    ):
        _write_records(executor)
        executor.start_runtime()
        yield world


def function_name(executor: ChaliceExecutor, name: str) -> str:
    """APP-STAGE-NAME, as Chalice names a function when it deploys."""
    return f"{executor.app.app_name}-{executor.stage}-{name}"


def _write_records(executor: ChaliceExecutor) -> None:
    """Write the records of roles and functions straight into moto, without the requests of a real
    deployment.
    """
    create_pipeline_role()
    for name in executor.app.handler_map:
        role = create_role(function_name(executor, name), "lambda.amazonaws.com")
        lambda_backends[ACCOUNT][REGION].create_function(
            {
                "FunctionName": function_name(executor, name),
                "Handler": f"app.{name}",
                "Role": role.arn,
                "Runtime": "python3.11",
                "Code": {"ZipFile": _make_zip()},
            }
        )


def _build_environment(executor: ChaliceExecutor) -> dict[str, str]:
    retry = function_name(executor, "retry")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "RETRY_FUNCTION_ARN": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{retry}",
    }


@cache
def _make_session() -> boto3.Session:
    return boto3.Session()


@cache
def _make_zip() -> str:
    """A zip file in base64, which is never unpacked."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("app.py", "")
    return base64.b64encode(content.getvalue()).decode()


@contextmanager
def _capture_log(app_log: logging.Logger) -> Iterator[io.StringIO]:
    """What is printed and logged in this block, as a Lambda function's log would have it."""
    text = io.StringIO()
    root = logging.StreamHandler(text)
    # (practice: awslambdaric's format, without time and request id)
    root.setFormatter(logging.Formatter("[%(levelname)s]\t%(message)s"))
    # Only Chalice's own handlers, not those of a test.
    chalice = [handler for handler in app_log.handlers if type(handler) is logging.StreamHandler]
    streams = [handler.setStream(text) for handler in chalice]
    logging.getLogger().addHandler(root)
    try:
        with contextlib.redirect_stdout(text):
            yield text
    finally:
        logging.getLogger().removeHandler(root)
        for handler, stream in zip(chalice, streams, strict=True):
            handler.setStream(stream)
