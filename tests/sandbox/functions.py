"""Lambda functions for tests, written straight into moto from source text."""

from __future__ import annotations

import base64
import io
import textwrap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from moto import mock_aws
from moto.awslambda.models import LambdaFunction, lambda_backends

from sandbox import awslambda
from sandbox.account import ACCOUNT, REGION, create_role
from sandbox.clock import DrivenClock
from sandbox.executor import Executor
from sandbox.world import World, enter_world

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@contextmanager
def lambda_world(executor: Executor) -> Iterator[DrivenClock]:
    """A Lambda whose functions `executor` runs, on driven time that begins at NOON."""
    with (
        DrivenClock(NOON) as clock,
        mock_aws(config={"core": {"reset_boto3_session": False}}),
        awslambda.install(),
        enter_world(World(clock, executor)),
    ):
        yield clock


def deploy(source: str = "", name: str = "f", **settings: object) -> LambdaFunction:
    """A function NAME with the handler app.f, whose app.py is `source`; `settings` as in
    CreateFunction.
    """
    role = create_role(f"{name}-role", "lambda.amazonaws.com")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("app.py", textwrap.dedent(source))
    return lambda_backends[ACCOUNT][REGION].create_function(
        {
            "FunctionName": name,
            "Handler": "app.f",
            "Role": role.arn,
            "Runtime": "python3.11",
            "Code": {"ZipFile": base64.b64encode(content.getvalue()).decode()},
            **settings,
        }
    )
