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
from sandbox.eventbridge.payload import wrap_event
from sandbox.world import current_world

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
    "moto.events.models.EventsBackend.list_rule_names_by_target",
    "moto.events.models.EventsBackend.list_rules",
    "moto.events.models.EventsBackend.list_targets_by_rule",
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
    """Replace moto's `events` by this one until the block ends. Rules and events are dropped on
    entry and on exit.

    Enter it before a mock_aws or a moto server gets its first request. AttributeError if moto has
    changed.
    """
    # getattr, so that a missing name is an AttributeError that mypy does not know of.
    moto_backend: Any = getattr(events_backends, "backend")  # noqa: B009
    moto_send: Any = getattr(moto.events.models.Rule, "send_to_targets")  # noqa: B009
    _use_backend(EventBridgeBackend, send_to_targets)
    try:
        yield
    finally:
        _use_backend(moto_backend, moto_send)


def _use_backend(backend_class: Any, send_to_targets: Any) -> None:
    for account in events_backends.values():
        account.reset()
    events_backends.clear()
    events_backends.backend = backend_class
    moto.events.models.Rule.send_to_targets = send_to_targets  # type: ignore[method-assign]


def send_event(
    account_id: str,
    region: str,
    *,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str],
) -> None:
    """Send an AWS service's own event to the default bus, with the current time. Enabled rules that
    match deliver it to their targets.

    Nothing is sent while `Dials.events_on` is off.
    """
    if not current_world().dials.events_on:
        return
    event = wrap_event(
        account_id,
        region,
        source=source,
        detail_type=detail_type,
        detail=detail,
        resources=resources,
        time=utcnow(),
    )
    backend(account_id, region).publish("default", event)
