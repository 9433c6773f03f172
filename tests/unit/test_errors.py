"""What botocore raises, sorted by what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from chalicelib.errors import NoAnswer, NotPermitted, UnexpectedAnswer, translate_error

CALL = "events:PutRule"


def answered(code: str | None, status: int | None = 400, **more: str) -> ClientError:
    response: dict[str, Any] = {} if code is None else {"Error": {"Code": code, **more}}
    if status is not None:
        response["ResponseMetadata"] = {"HTTPStatusCode": status}
    return ClientError(response, "PutRule")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"]
)
def test_denied(code: str) -> None:
    error = translate_error(answered(code, Message="user x may not"), CALL)
    assert isinstance(error, NotPermitted)
    assert str(error) == "AWS denied events:PutRule (user x may not)"


def test_denied_without_a_word() -> None:
    assert (
        str(translate_error(answered("AccessDenied"), CALL))
        == "AWS denied events:PutRule (AccessDenied)"
    )


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (answered("ThrottlingException"), "ThrottlingException"),
        (answered("ThrottlingException", None), "ThrottlingException"),
        (answered("TooManyRequestsException", 429), "TooManyRequestsException"),
        (answered("ConcurrentModificationException"), "ConcurrentModificationException"),
        (
            answered("ConcurrentPipelineExecutionsLimitExceededException"),
            "ConcurrentPipelineExecutionsLimitExceededException",
        ),
        (answered("ExpiredTokenException", 403), "ExpiredTokenException"),
        (answered("Whatever", 500), "Whatever"),
        (answered("Whatever", 503), "Whatever"),
        (answered(None, 502), ""),
        (ReadTimeoutError(endpoint_url="https://aws.invalid"), "ReadTimeoutError"),
        (ConnectTimeoutError(endpoint_url="https://aws.invalid"), "ConnectTimeoutError"),
        (EndpointConnectionError(endpoint_url="https://aws.invalid"), "EndpointConnectionError"),
    ],
)
def test_not_answered(error: Any, named: str) -> None:
    found = translate_error(error, CALL)
    assert isinstance(found, NoAnswer)
    assert str(found) == f"events:PutRule was not answered ({named})"


@pytest.mark.parametrize(
    ("code", "status"),
    [("ValidationException", 400), ("ValidationException", 499), ("ValidationException", None)],
)
def test_not_expected(code: str, status: int | None) -> None:
    error = translate_error(answered(code, status, Message="may repeat a secret"), CALL)
    assert isinstance(error, UnexpectedAnswer)
    assert str(error) == "events:PutRule answered ValidationException"


def test_botocores_complaint_about_an_argument_is_itself() -> None:
    error = ParamValidationError(report="no")
    assert translate_error(error, CALL) is error
