"""STS: whose credentials these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.errors import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


@dataclass(frozen=True)
class CallerIdentity:
    """The user or role that the credentials belong to. `partition`: for example "aws-cn"."""

    arn: str
    partition: str
    account: str


def read_caller(client: STSClient) -> CallerIdentity:
    """Return the caller (model: GetCallerIdentity). Raises NotPermitted or NoAnswer."""
    with translate_errors("sts:GetCallerIdentity"):
        arn = client.get_caller_identity()["Arn"]
    _, partition, _, _, account, _ = arn.split(":", 5)
    return CallerIdentity(arn, partition, account)
