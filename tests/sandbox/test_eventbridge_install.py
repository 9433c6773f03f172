"""How the sandbox's EventBridge is installed into moto, and removed again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch

import moto.events.models
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import DrivenClock
from sandbox.server import SandboxServer
from sandbox.world import World, enter_world
from tests.sandbox.eventbridge_world import (
    EVERY_FIVE_MINUTES,
    NOON,
    ON_STOP,
    RETRY,
    EventBridgeWorld,
    eventbridge_world,
)
from tests.support.clients import client, server_client
from tests.support.waiting import wait_until


def put_hold() -> None:
    events = client("events")
    events.put_rule(Name="hold", ScheduleExpression=EVERY_FIVE_MINUTES)
    events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY}])


@pytest.fixture
def clock() -> Iterator[DrivenClock]:
    with DrivenClock(NOON) as clock, enter_world(World(clock, cast(Any, None))):
        yield clock


@pytest.fixture
def invocations() -> Iterator[list[Any]]:
    """The invocations of Lambda: function, payload, rule."""
    invocations: list[Any] = []

    def invoke(*values: Any) -> None:
        invocations.append(values)

    with patch("sandbox.eventbridge.delivery.invoke_lambda", invoke):
        yield invocations


def test_moto_is_itself_again_afterwards() -> None:
    backend = moto.events.models.events_backends.backend
    send = moto.events.models.Rule.send_to_targets
    with eventbridge_world() as bus:
        bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    assert moto.events.models.events_backends.backend is backend
    assert moto.events.models.Rule.send_to_targets is send
    with mock_aws():
        client("events").put_rule(Name="hold", ScheduleExpression="cron(hello)")
        with pytest.raises(RuntimeError, match=r"enter sandbox\.eventbridge\.install\(\) first"):
            eventbridge.backend(ACCOUNT, REGION)


def test_nothing_fires_after_the_sandbox_has_left_moto(
    clock: DrivenClock, invocations: list[Any]
) -> None:
    with mock_aws():
        with eventbridge.install():
            put_hold()
        clock.advance(timedelta(hours=1))
    assert invocations == []


def test_what_a_reset_removed_no_longer_fires(bus: EventBridgeWorld) -> None:
    bus.dials.event_copies = lambda: [30.0]
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES, EventPattern=ON_STOP)
    bus.stop()
    BackendDict.reset()
    bus.rule("new", ScheduleExpression="cron(4 * * * ? *)")
    bus.advance(minutes=10)
    (delivery,) = bus.deliveries
    assert (delivery.rule_arn.rpartition("/")[2], delivery.at) == ("new", "12:04:30")


def test_each_mock_aws_is_fresh(clock: DrivenClock, invocations: list[Any]) -> None:
    with eventbridge.install():
        with mock_aws():
            put_hold()
        with mock_aws():
            assert client("events").list_rules()["Rules"] == []
            clock.advance(timedelta(hours=1))
    assert invocations == []


def test_as_a_server_with_the_wall_clock(invocations: list[Any]) -> None:
    with SandboxServer() as server:
        events = server_client(server, "events")
        events.put_rule(Name="hold", EventPattern='{"source": ["shop"]}')
        events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY, "Input": "{}"}])
        events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": "{}"}])
        wait_until(lambda: invocations != [])
    assert invocations == [(RETRY, "{}", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hold")]
