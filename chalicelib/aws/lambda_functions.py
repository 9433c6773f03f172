"""Lambda: which functions exist, how they are set up, and an invocation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.errors import NotFound, translate_errors

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

DEFAULT_TIMEOUT_SECONDS = 3
"""(model: FunctionConfiguration, Timeout: "The default is 3 seconds")"""


@dataclass(frozen=True)
class FunctionSettings:
    """How a function is set up (model: FunctionConfiguration). `code`: the hash of its code."""

    name: str
    role: str
    handler: str
    seconds: int
    code: str = ""
    state: str = "Active"
    state_reason: str = ""
    update: str = "Successful"
    update_reason: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class LambdaFunctions:
    """The Lambda functions of a region.

    Every method raises NotFound if there is no such function, and NotPermitted or NoAnswer if AWS
    denies its call or does not answer.
    """

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def list_names(self) -> list[str]:
        """Return the names of all functions (model: ListFunctions)."""
        with translate_errors("lambda:ListFunctions"):
            pages = self._client.get_paginator("list_functions").paginate()
            return [function["FunctionName"] for page in pages for function in page["Functions"]]

    def read_settings(self, name: str) -> FunctionSettings:
        """Return how a function is set up.

        GetFunction would also return the reserved concurrency, but it returns the code too, which
        not everyone may read.
        """
        with translate_errors("lambda:GetFunctionConfiguration"):
            answer = self._client.get_function_configuration(FunctionName=name)
        return FunctionSettings(
            name,
            role=answer["Role"],
            handler=answer.get("Handler", ""),
            seconds=answer.get("Timeout", DEFAULT_TIMEOUT_SECONDS),
            code=answer.get("CodeSha256", ""),
            state=answer.get("State", "Active"),
            state_reason=answer.get("StateReason", ""),
            update=answer.get("LastUpdateStatus", "Successful"),
            update_reason=answer.get("LastUpdateStatusReason", ""),
            environment=answer.get("Environment", {}).get("Variables", {}),
        )

    def read_reserved_concurrency(self, name: str) -> int | None:
        with translate_errors("lambda:GetFunctionConcurrency"):
            answer = self._client.get_function_concurrency(FunctionName=name)
        return answer.get("ReservedConcurrentExecutions")

    def list_statements(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return the statements of a function's resource policy; none if it has no policy."""
        with suppress(NotFound), translate_errors("lambda:GetPolicy"):
            answer = self._client.get_policy(FunctionName=name)
            return tuple(json.loads(answer["Policy"])["Statement"])
        return ()

    def invoke(self, name: str, event: str) -> None:
        """Invoke a function with `event` (JSON), without waiting for its end."""
        with translate_errors("lambda:InvokeFunction"):
            self._client.invoke(FunctionName=name, InvocationType="Event", Payload=event)
