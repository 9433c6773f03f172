"""The account as the Board and gatectl read it."""

from __future__ import annotations

from typing import Any

import boto3

from chalicelib.account.pipeline import AccountView
from chalicelib.account.reader import AccountReader
from sandbox.clock import utcnow


def make_client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


def read_account() -> AccountView:
    return AccountReader(make_client).read_view(utcnow())
