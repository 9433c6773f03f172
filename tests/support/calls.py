"""The AWS calls that the two functions make: counted, and made to fail."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import botocore.client
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.aws.clients import Aws

ApiCall = Callable[[Any, str, dict[str, Any]], Any]


class Calls:
    """Watches the clients of `aws`, and no others, so a test's own calls are not among them.

    `made` lists the operations in order. `fail` makes one fail as AWS would after botocore's own
    retries.
    """

    def __init__(self, aws: Aws) -> None:
        self.made: list[str] = []
        self._aws = aws
        self._failures: dict[str, tuple[Exception, bool]] = {}
        self._real: ApiCall = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def fail(self, operation: str, error: str | Exception, *, after: bool = False) -> None:
        """From now on `operation` fails with AWS's error code `error` (or an exception): before it
        has any effect, or `after`.
        """
        problem = (
            ClientError({"Error": {"Code": error, "Message": "not authorized"}}, operation)
            if isinstance(error, str)
            else error
        )
        self._failures[operation] = (problem, after)

    def mend(self) -> None:
        self._failures.clear()

    def __enter__(self) -> Self:
        # a closure, so that it becomes a method of the client that it watches
        def make_api_call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            return self._call(client, operation, arguments)

        self._patch = patch.object(botocore.client.BaseClient, "_make_api_call", make_api_call)
        self._patch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._patch.stop()

    def _call(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if not any(getattr(room, "_client", None) is client for room in vars(self._aws).values()):
            return self._real(client, operation, arguments)
        self.made.append(operation)
        error, after = self._failures.get(operation, (None, False))
        if error and not after:
            raise error
        answer = self._real(client, operation, arguments)
        if error:
            raise error
        return answer


def timed_out() -> Exception:
    """A call whose answer never came."""
    return ReadTimeoutError(endpoint_url="https://aws.invalid")
