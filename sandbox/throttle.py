"""AWS's throttling: a number of requests per second for each operation, account and region, and
"Rate exceeded" for the others.

The rates are the world's `Dials.rates`. Only requests that a role's session signs are counted and
throttled: those of the deployed functions. A person at the AWS CLI has other keys and is never
throttled, just as sandbox/iam does not limit them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from unittest.mock import patch

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model
from moto.iam.access_control import S3IAMRequest
from moto.moto_api._internal import mock_random

from sandbox.clock import utcnow
from sandbox.iam.enforcement import RequestRefused
from sandbox.world import current_world

__all__ = ["PATCHED", "TokenBucket", "install"]

PATCHED: tuple[str, ...] = (
    "moto.core.authorization.ActionAuthenticatorMixin._authenticate_and_authorize_action",
    # not replaced, but used from inside:
    "moto.core.responses.BaseResponse._get_action",
    "moto.core.responses.BaseResponse.boto3_service_name",
    "moto.core.responses.BaseResponse.determine_response_protocol",
    "moto.core.responses.BaseResponse.get_access_key",
    "moto.core.utils.get_service_model",
    "moto.iam.access_control.S3IAMRequest",
    "moto.moto_api._internal.mock_random.uuid4",
)
"""Every moto internal that this module replaces or relies on."""

OTHER_OPERATIONS = "*"
"""The key of `Dials.rates` for every operation that is not listed; each has a bucket of its own."""


@dataclass
class TokenBucket:
    """A token bucket. It starts full, gets `rate` tokens per second, and holds one second's worth,
    but at least one token.
    """

    rate: float
    tokens: float
    filled: datetime

    @classmethod
    def full(cls, rate: float) -> TokenBucket:
        return cls(rate, max(1.0, rate), utcnow())

    def take(self) -> bool:
        """Take a token. False if there is none."""
        now = utcnow()
        flown = self.rate * max((now - self.filled).total_seconds(), 0)
        self.tokens, self.filled = min(self.tokens + flown, max(1.0, self.rate)), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@contextmanager
def install() -> Iterator[None]:
    """Throttle the requests of roles' sessions by `Dials.rates`. Enter it after sandbox.iam,
    because AWS throttles first (practice).

    AttributeError if moto lacks the name that is patched.
    """
    authorize: Any = ActionAuthenticatorMixin._authenticate_and_authorize_action
    buckets: dict[tuple[str, str, str], TokenBucket] = {}

    def throttle(response: BaseResponse, request_class: type, resource: str = "*") -> None:
        if response.get_access_key().startswith("ASIA") and not issubclass(
            request_class, S3IAMRequest
        ):
            _take_token(response, current_world().dials.rates, buckets)
        authorize(response, request_class, resource)

    with patch.object(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", throttle):
        yield


def _take_token(
    response: BaseResponse,
    rates: dict[str, float],
    buckets: dict[tuple[str, str, str], TokenBucket],
) -> None:
    """Let the request take a token of its bucket, or refuse it."""
    if not rates:
        return
    operation = f"{response.boto3_service_name}:{response._get_action()}"
    rate = rates.get(operation, rates.get(OTHER_OPERATIONS))
    if rate is None:
        return
    place = (response.current_account, response.region, operation)
    with current_world().lock:
        if place not in buckets or buckets[place].rate != rate:
            buckets[place] = TokenBucket.full(rate)
        taken = buckets[place].take()
    if not taken:
        _refuse(response)


def _refuse(response: BaseResponse) -> NoReturn:
    """ "Rate exceeded" as the service says it.

    JSON services answer 400, REST services 429; Lambda has a name of its own for it (model:
    TooManyRequestsException), and services that answer in XML, such as STS, say "Throttling"
    (practice).
    """
    message = "Rate exceeded"
    protocol = response.determine_response_protocol(get_service_model(response.boto3_service_name))
    if "json" not in protocol:
        error = (
            f"<Error><Type>Sender</Type><Code>Throttling</Code><Message>{message}</Message></Error>"
        )
        raise RequestRefused(
            400,
            f"<ErrorResponse>{error}<RequestId>{mock_random.uuid4()}</RequestId></ErrorResponse>",
        )
    code = (
        "TooManyRequestsException"
        if response.boto3_service_name == "lambda"
        else "ThrottlingException"
    )
    response.response_headers["x-amzn-errortype"] = code
    raise RequestRefused(
        429 if protocol == "rest-json" else 400, json.dumps({"__type": code, "message": message})
    )
