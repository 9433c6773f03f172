"""How the sandbox's EventBridge comes into moto, and out of it again."""

from __future__ import annotations

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
from sandbox.world import Dials, World, enter_world
from tests.sandbox.clients import client, server_client, wait_until
from tests.sandbox.eventbridge_world import EVERY_FIVE_MINUTES, NOON, RETRY, eventbridge_world


def test_moto_is_itself_again_afterwards() -> None:
    backend, send = (
        moto.events.models.events_backends.backend,
        moto.events.models.Rule.send_to_targets,
    )
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    assert moto.events.models.events_backends.backend is backend
    assert moto.events.models.Rule.send_to_targets is send
    with mock_aws():
        events = client("events")
        events.put_rule(Name="hold", ScheduleExpression="cron(hello)")
        assert [rule["Name"] for rule in events.list_rules()["Rules"]] == ["hold"]
        with pytest.raises(RuntimeError, match=r"enter sandbox\.eventbridge\.install\(\) first"):
            eventbridge.backend(ACCOUNT, REGION)


def test_nothing_fires_after_the_sandbox_has_left_moto() -> None:
    delivered: list[str] = []
    with (
        DrivenClock(NOON) as clock,
        mock_aws(),
        enter_world(World(clock, cast(Any, None))),
        patch("sandbox.eventbridge.delivery.invoke_lambda", lambda *_: delivered.append("hold")),
    ):
        with eventbridge.install():
            events = client("events")
            events.put_rule(Name="hold", ScheduleExpression=EVERY_FIVE_MINUTES)
            events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY}])
        clock.advance(timedelta(hours=1))
    assert delivered == []


def test_what_a_reset_took_does_not_fire_any_more() -> None:
    with eventbridge_world(dials=Dials(event_copies=lambda: [30.0])) as world:
        world.rule(
            ScheduleExpression=EVERY_FIVE_MINUTES, EventPattern='{"detail": {"state": ["STOPPED"]}}'
        )
        world.send(state="STOPPED")
        BackendDict.reset()
        world.rule("new", ScheduleExpression="cron(4 * * * ? *)")
        world.advance(minutes=10)
        assert [
            (delivery.rule_arn.rpartition("/")[2], delivery.at) for delivery in world.deliveries
        ] == [("new", "12:04:30")]


def test_each_mock_aws_is_fresh() -> None:
    delivered: list[str] = []
    with (
        DrivenClock(NOON) as clock,
        eventbridge.install(),
        enter_world(World(clock, cast(Any, None))),
    ):
        with mock_aws():
            events = client("events")
            events.put_rule(Name="hold", ScheduleExpression=EVERY_FIVE_MINUTES)
            events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY}])
        with (
            mock_aws(),
            patch(
                "sandbox.eventbridge.delivery.invoke_lambda", lambda *_: delivered.append("hold")
            ),
        ):
            assert client("events").list_rules()["Rules"] == []
            clock.advance(timedelta(hours=1))
    assert delivered == []


def test_as_a_server_with_the_wall_clock() -> None:
    arrived: list[Any] = []
    with (
        SandboxServer() as server,
        patch("sandbox.eventbridge.delivery.invoke_lambda", lambda *args: arrived.append(args)),
    ):
        events = server_client(server, "events")
        events.put_rule(Name="hold", EventPattern='{"source": ["shop"]}')
        events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY, "Input": "{}"}])
        events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": "{}"}])
        wait_until(lambda: arrived != [])
    assert arrived == [(RETRY, "{}", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hold")]
