"""boto3 clients of the sandbox's tests, and what the tests expect of AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.account import REGION
from sandbox.server import SandboxServer

NO_RETRIES = Config(retries={"total_max_attempts": 1})
"""LimitExceededException is retried otherwise, slowly."""


@cache
def make_session() -> boto3.Session:
    return boto3.Session("sandbox", "sandbox", region_name=REGION)


@cache
def client(service: Any, region: str = REGION, config: Config = NO_RETRIES) -> Any:
    """A client for moto in this process. It can be used in many worlds, which saves 30 ms each."""
    return make_session().client(service, region_name=region, config=config)


def server_client(server: SandboxServer, service: Any) -> Any:
    """A client with a person's keys for a server."""
    return make_session().client(service, endpoint_url=server.url)


def session_client(service: Any, keys: dict[str, str], **options: Any) -> Any:
    """A client with the keys of a role's session."""
    defaults = {"region_name": REGION, "config": NO_RETRIES}
    return boto3.client(service, **{**defaults, **options, **keys})


def assume_role(sts: Any, role_arn: str, name: str, **members: Any) -> dict[str, str]:
    """The keys of a new session, as boto3's clients take them."""
    answer = sts.assume_role(RoleArn=role_arn, RoleSessionName=name, **members)
    return {
        "aws_access_key_id": answer["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": answer["Credentials"]["SecretAccessKey"],
        "aws_session_token": answer["Credentials"]["SessionToken"],
    }


@contextmanager
def refused(code: str, message: str = "") -> Iterator[pytest.ExceptionInfo[ClientError]]:
    """Expect an error of AWS with this code, whose text contains `message`."""
    with pytest.raises(ClientError) as caught:
        yield caught
    assert caught.value.response["Error"]["Code"] == code
    assert message in caught.value.response["Error"]["Message"]
