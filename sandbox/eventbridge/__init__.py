"""EventBridge whose rules fire: an extension of moto's `events` (its backend, its responses, its
way to send to targets).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import moto.events.models
from moto.events.models import events_backends

from sandbox.clock import utcnow
from sandbox.eventbridge.models import EventBridgeBackend, FailedDelivery, backend, send_to_targets
from sandbox.eventbridge.payload import envelope
from sandbox.world import current

__all__ = ["PATCHED", "EventBridgeBackend", "FailedDelivery", "backend", "install", "send"]

PATCHED: tuple[str, ...] = (
    "moto.events.models.events_backends.backend",
    "moto.events.models.Rule.send_to_targets",
    "moto.events.models.EventsBackend._get_event_bus",
    "moto.events.models.EventsBackend._normalize_event_bus_arn",
    "moto.events.models.EventsBackend.put_rule",
    "moto.events.models.EventsBackend.put_targets",
    "moto.events.models.EventsBackend.remove_targets",
    "moto.events.models.EventsBackend.enable_rule",
    "moto.events.models.EventsBackend.disable_rule",
    "moto.events.models.EventsBackend.delete_rule",
    "moto.events.models.EventsBackend.delete_event_bus",
    "moto.events.models.EventsBackend.describe_event_bus",
    "moto.events.models.EventsBackend.list_rules",
    "moto.events.models.EventsBackend.put_events",
    "moto.events.models.EventsBackend.reset",
    "moto.events.exceptions.InvalidEventPatternException",
    "moto.events.exceptions.ValidationException",
    "moto.events.responses.EventsHandler.test_event_pattern",
    "moto.core.base_backend.BaseBackend._url_module",
    "moto.core.exceptions.JsonRESTError",
    "moto.core.exceptions.ServiceException",
    "moto.core.utils.unix_time_millis",
    "moto.logs.models.LogsBackend.create_log_stream",
    "moto.logs.models.LogsBackend.put_log_events",
    "moto.moto_api._internal.mock_random.uuid4",
    "moto.sqs.models.SQSBackend.send_message",
    "moto.utilities.arns.parse_arn",
)
"""Every name inside moto that this package replaces, extends or calls."""


@contextmanager
def install() -> Iterator[None]:
    """Make moto's `events` this one, and on exit moto's own again. What either of them held is
    dropped.

    Enter it before a mock_aws or a moto server takes its first request. AttributeError where moto
    has changed.
    """
    moto_backend: Any = getattr(events_backends, "backend")  # noqa: B009 - a missing name has to be noticed
    moto_send: Any = getattr(moto.events.models.Rule, "send_to_targets")  # noqa: B009
    _use(EventBridgeBackend, send_to_targets)
    try:
        yield
    finally:
        _use(moto_backend, moto_send)


def _use(backend_class: Any, send_to_targets: Any) -> None:
    for account in events_backends.values():
        account.reset()
    events_backends.clear()
    events_backends.backend = backend_class
    moto.events.models.Rule.send_to_targets = send_to_targets  # type: ignore[method-assign]


def send(
    account_id: str,
    region: str,
    *,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str],
) -> None:
    """An AWS service's own event reaches the default bus, with the time it is now: matching,
    enabled rules deliver to their targets.

    Nothing is sent where `Dials.events_on` is off.
    """
    if not current().dials.events_on:
        return
    event = envelope(
        account_id,
        region,
        source=source,
        detail_type=detail_type,
        detail=detail,
        resources=resources,
        time=utcnow(),
    )
    backend(account_id, region).publish("default", event)
