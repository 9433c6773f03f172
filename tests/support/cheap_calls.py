"""Botocore and moto without the work that each new client, world and call repeats.

Every gatectl command of a test makes a session and its clients, as a process of its own would:
about 15 ms each, thousands of times in a run of all tests.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

import botocore.retries.quota
from botocore.client import ClientCreator
from botocore.credentials import Credentials
from botocore.hooks import BaseEventHooks, HierarchicalEmitter
from botocore.loaders import create_loader
from botocore.retries.quota import RetryQuota
from botocore.session import Session
from moto.core.utils import method_names_from_class

from chalicelib.aws.clients import _build_config

MAX_KEPT_CLIENTS = 100
"""Clients of a test's own credentials are never needed again; the oldest make room."""
PLAIN_USER_AGENTS = ("Botocore", "Boto3")
"""Sessions of other names, such as the AWS CLI's, add hooks of their own to each client."""
FULL_QUOTA = RetryQuota.INITIAL_CAPACITY
FUNCTIONS_OPTIONS: Any = _build_config()._user_provided_options  # type: ignore[attr-defined]
"""The configuration of the two functions' clients."""

create_client: Callable[..., Any] = ClientCreator.create_client
register_builtin_handlers: Callable[[Session, Any], None] = Session._register_builtin_handlers  # type: ignore[attr-defined]


@contextmanager
def cheap_calls() -> Iterator[None]:
    """Until the block ends, AWS calls in this process cost less; what they do stays the same.

    Service models are read once. Sessions copy their event hooks, and the same arguments,
    credentials and settings make one client, of which each caller gets a copy (see ReusedClients).
    No call has a user agent worked out. moto lists the methods of a service once, and does not
    register each address of AWS for the library `requests`, which no client uses.
    """
    clients = ReusedClients()

    def create(creator: ClientCreator, *arguments: Any, **options: Any) -> Any:
        return clients.create(creator, *arguments, **options)

    with (
        patch("botocore.session.create_loader", cache(create_loader)),
        patch.object(Session, "_register_builtin_handlers", copy_builtin_handlers),
        patch.object(ClientCreator, "create_client", create),
        patch("botocore.useragent.UserAgentString.to_string", lambda _: "tests"),
        patch("moto.core.responses.method_names_from_class", cache(method_names_from_class)),
        patch("moto.core.models.RESPONSES_METHODS", []),
    ):
        yield


class ReusedClients:
    """The clients that were made so far, by everything that they were made from.

    A client is not used again after a change of its event hooks or while its retry quota is not
    full. The two functions always get new clients: the simulation changes the hooks of theirs.
    """

    def __init__(self) -> None:
        self._clients: dict[object, tuple[Any, list[RetryQuota]]] = {}
        self._lock = Lock()

    def create(self, creator: Any, *arguments: Any, **options: Any) -> Any:
        """Return what `creator.create_client` returns: a client made before, or a new one."""
        key = describe_client(creator, arguments, options)
        if key is None:
            return create_client(creator, *arguments, **options)
        client, quotas = self._clients.get(key, (None, []))
        if client is None or any(quota.available_capacity < FULL_QUOTA for quota in quotas):
            client = self._make(key, creator, arguments, options)
        return copy_client(client)

    def _make(
        self, key: object, creator: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        quotas: list[RetryQuota] = []

        def make_quota() -> RetryQuota:
            quotas.append(RetryQuota())
            return quotas[-1]

        with self._lock, patch.object(botocore.retries.quota, "RetryQuota", make_quota):
            client = create_client(creator, *arguments, **options)
        self._forget_on_change(key, client.meta.events)
        while len(self._clients) >= MAX_KEPT_CLIENTS:
            self._clients.pop(next(iter(self._clients)))
        self._clients[key] = client, quotas
        return client

    def _forget_on_change(self, key: object, events: Any) -> None:
        """Do not return this client again once one of its hooks has changed."""

        def forget_and(method: Callable[..., Any]) -> Callable[..., Any]:
            def change(*arguments: Any, **options: Any) -> Any:
                self._clients.pop(key, None)
                return method(*arguments, **options)

            return change

        for name in ("register", "register_first", "register_last", "unregister"):
            setattr(events, name, forget_and(getattr(events, name)))


def copy_client(client: Any) -> Any:
    """The same client as an object of its own: a test may replace its methods."""
    twin = object.__new__(type(client))
    vars(twin).update(vars(client))
    return twin


def describe_client(creator: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> object:
    """Everything that a client is created from, hashable; None if it needs a new client."""
    credentials, config = options.get("credentials"), options.get("client_config")
    user_agent = creator._user_agent_creator
    if (
        user_agent._session_user_agent_name not in PLAIN_USER_AGENTS
        or (config and config._user_provided_options == FUNCTIONS_OPTIONS)
        or type(credentials) is not Credentials
    ):
        return None
    settings = {
        **options,
        "credentials": (credentials.access_key, credentials.secret_key, credentials.token),
        "client_config": config and sorted(config._user_provided_options.items()),
        "user_agent": user_agent._session_user_agent_name,
        "parsers": creator._response_parser_factory._defaults,
        "environment": sorted(item for item in os.environ.items() if item[0].startswith("AWS_")),
    }
    return repr((arguments, sorted(settings.items())))


@cache
def build_builtin_handlers() -> HierarchicalEmitter:
    """An emitter with the handlers that every session has; moto's is among them."""
    session = Session(include_builtin_handlers=False)
    register_builtin_handlers(session, session._events)  # type: ignore[attr-defined]
    return session._original_handler  # type: ignore[attr-defined, no-any-return]


def copy_builtin_handlers(session: Session, events: BaseEventHooks) -> None:
    """Do what Session._register_builtin_handlers does, without looking at each handler again."""
    emitter: Any = session._original_handler  # type: ignore[attr-defined]
    if type(emitter) is not HierarchicalEmitter:
        register_builtin_handlers(session, events)
    else:
        vars(emitter).update(vars(copy.copy(build_builtin_handlers())))
