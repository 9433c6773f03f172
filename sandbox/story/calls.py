"""The AWS calls that the deployed functions make: every request that reaches the server and is
signed by a function's role session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sts.models import sts_backends

PATCHED = (
    "moto.moto_server.werkzeug_app.DomainDispatcherApplication.__call__",
    "moto.sts.models.STSBackend.get_assumed_role_from_access_key",
)
"""Every moto internal that this module patches or relies on."""


@contextmanager
def record_calls() -> Iterator[list[str]]:
    """Yields a list that gets the function's name for each of its requests, including retries."""
    made: list[str] = []
    answer = DomainDispatcherApplication.__call__

    def noted(
        server: DomainDispatcherApplication, environ: dict[str, Any], start_response: Any
    ) -> Any:
        if function := _find_function(environ.get("HTTP_AUTHORIZATION", "")):
            made.append(function)
        return answer(server, environ, start_response)

    with patch.object(DomainDispatcherApplication, "__call__", noted):
        yield made


def _find_function(authorization: str) -> str | None:
    """The function whose session signed the request: Lambda names each session after its function.
    None for a person's keys.
    """
    key = re.search(r"Credential=(ASIA[^/]+)/", authorization)
    session = key and sts_backends[DEFAULT_ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(
        key[1]
    )
    return str(session.session_name) if session else None
