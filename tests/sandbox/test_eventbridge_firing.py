"""When rules fire, and what their targets receive."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.world import current_world
from tests.sandbox.eventbridge_world import (
    EVERY_FIVE_MINUTES,
    NOON,
    ON_STOP,
    OTHER,
    RETRY,
    Delivery,
    EventBridgeWorld,
)

RULE_ARN = "arn:aws:events:eu-central-1:123456789012:rule/hold"


def test_a_schedule_fires_at_each_of_its_times_until_the_rule_is_deleted(
    bus: EventBridgeWorld,
) -> None:
    bus.advance(minutes=2, seconds=30)
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.advance(minutes=15)
    assert bus.times == ["12:07:00", "12:12:00", "12:17:00"]
    bus.delete()
    bus.advance(hours=1)
    assert len(bus.deliveries) == 3


def test_a_rule_that_is_made_on_the_minute_waits_for_the_next_time(bus: EventBridgeWorld) -> None:
    bus.advance(minutes=2)
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.advance(minutes=5)
    assert bus.times == ["12:07:00"]


def check_event(delivery: Delivery, **members: Any) -> None:
    """Check that the event went to RETRY for the rule "hold", with these members and those that
    every event has.
    """
    assert (delivery.function_arn, delivery.rule_arn) == (RETRY, RULE_ARN)
    assert len(delivery.payload.pop("id")) == 36
    common = {"version": "0", "account": "123456789012", "region": "eu-central-1"}
    assert delivery.payload == {**common, **members}


def test_the_scheduled_event(bus: EventBridgeWorld) -> None:
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.advance(minutes=2)
    (delivery,) = bus.deliveries
    kind = {"detail-type": "Scheduled Event", "source": "aws.events"}
    time = "2026-11-23T12:02:00Z"
    check_event(delivery, **kind, time=time, resources=[RULE_ARN], detail={})


def test_a_rate_counts_from_when_the_rule_was_made_whatever_becomes_of_its_targets(
    bus: EventBridgeWorld,
) -> None:
    bus.advance(seconds=20)
    bus.rule(ScheduleExpression="rate(5 minutes)")
    bus.advance(minutes=3)
    bus.target(Arn=OTHER)
    bus.advance(minutes=8)
    assert bus.times == ["12:05:20", "12:10:20"]


def test_a_rate_starts_again_when_the_rule_is_enabled(bus: EventBridgeWorld) -> None:
    bus.rule(ScheduleExpression="rate(5 minutes)", State="DISABLED")
    bus.advance(minutes=7)
    bus.events.enable_rule(Name="hold")
    bus.advance(minutes=6)
    assert bus.times == ["12:12:00"]


def test_a_firing_that_the_clock_could_no_longer_cancel_does_nothing(
    bus: EventBridgeWorld,
) -> None:
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    (call,) = bus.backend.firings.values()
    bus.advance(minutes=2)
    call.callback()
    bus.advance(minutes=2)
    assert bus.times == ["12:02:00"]


def test_one_call_is_planned_a_rule_however_often_it_changes(bus: EventBridgeWorld) -> None:
    for _ in range(3):
        bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        bus.events.disable_rule(Name="hold")
        bus.events.enable_rule(Name="hold")
    assert len([call for call in bus.clock._calls if not call.cancelled]) == 1
    bus.advance(minutes=2)
    assert bus.times == ["12:02:00"]


def test_a_new_schedule_takes_the_old_ones_place(bus: EventBridgeWorld) -> None:
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.events.put_rule(Name="hold", ScheduleExpression="cron(30 * * * ? *)")
    bus.advance(hours=1)
    assert bus.times == ["12:30:00"]
    bus.events.put_rule(Name="hold", EventPattern=ON_STOP)
    bus.advance(hours=1)
    assert bus.times == ["12:30:00"]


def test_a_change_in_the_minute_of_a_firing_does_not_lose_it(bus: EventBridgeWorld) -> None:
    current_world().clock.call_at(NOON + timedelta(minutes=2), lambda: bus.target(Arn=OTHER))
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.advance(minutes=4)
    assert bus.arrivals == [(OTHER, "12:02:00")]


def test_a_disabled_rule_is_silent_until_it_is_enabled(bus: EventBridgeWorld) -> None:
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES, EventPattern=ON_STOP, State="DISABLED")
    bus.stop()
    bus.advance(minutes=10)
    assert bus.deliveries == []
    bus.events.enable_rule(Name="hold")
    bus.stop()
    bus.advance(minutes=3)
    assert bus.times == ["12:10:00", "12:12:00"]
    bus.events.disable_rule(Name="hold")
    bus.stop()
    bus.advance(minutes=10)
    assert bus.times == ["12:10:00", "12:12:00"]


def test_a_services_event_reaches_the_rules_that_match(bus: EventBridgeWorld) -> None:
    bus.advance(seconds=7.5)
    bus.rule("hold", EventPattern=ON_STOP)
    bus.rule(
        "on-start", EventPattern='{"detail": {"state": ["STARTED"]}}', targets={"other": OTHER}
    )
    bus.rule("by-time", ScheduleExpression=EVERY_FIVE_MINUTES, targets={"other": OTHER})
    bus.send(state="STOPPED", pipeline="infra")
    (delivery,) = bus.deliveries
    kind = {"detail-type": "Change", "source": "aws.codepipeline"}
    detail = {"state": "STOPPED", "pipeline": "infra"}
    time = "2026-11-23T12:00:07Z"
    check_event(delivery, **kind, time=time, resources=["arn:pipeline"], detail=detail)


def test_events_can_be_switched_off(bus: EventBridgeWorld) -> None:
    bus.rule(EventPattern=ON_STOP)
    bus.dials.events_on = False
    bus.stop()
    assert bus.deliveries == []


def test_a_users_event_keeps_its_own_time_and_goes_to_its_own_bus(bus: EventBridgeWorld) -> None:
    of_shop = '{"source": ["shop"]}'
    bus.events.create_event_bus(Name="orders")
    bus.rule(EventPattern=of_shop)
    bus.rule("orders", EventBusName="default", EventPattern=of_shop, targets={})
    bus.events.put_rule(Name="far", EventBusName="orders", EventPattern=of_shop)
    target = {"Id": "other", "Arn": OTHER}
    bus.events.put_targets(Rule="far", EventBusName="orders", Targets=[target])
    answer = bus.put(Time=NOON - timedelta(days=1), Resources=["arn:r"], Detail='{"n": 1}')
    bus.put(EventBusName="orders")
    first, second = bus.deliveries
    assert (first.function_arn, first.payload["id"]) == (RETRY, answer["EventId"])
    assert first.payload["time"] == "2026-11-22T12:00:00Z"
    assert (first.payload["resources"], first.payload["detail"]) == (["arn:r"], {"n": 1})
    far = "arn:aws:events:eu-central-1:123456789012:rule/orders/far"
    assert (second.function_arn, second.rule_arn) == (OTHER, far)


def test_an_event_whose_detail_is_no_object_reaches_no_rule(bus: EventBridgeWorld) -> None:
    bus.rule(EventPattern='{"source": ["shop"]}')
    assert "EventId" in bus.put(Detail="[1]")
    assert bus.deliveries == []


def transform(template: str, **members: Any) -> dict[str, Any]:
    return {"InputTransformer": {"InputTemplate": template, **members}}


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ({"Input": '{"hold": "k8s"}'}, {"hold": "k8s"}),
        ({"InputPath": "$.detail"}, {"state": "STOPPED", "n": 1, "say": 'a "b"'}),
        ({"InputPath": "$.detail.n"}, 1),
        (
            transform(
                '{"a": <state>, "b": "is <state>, <n>, <say><none>", "c": <n>, "d": <none>, '
                '"e": "<unknown>"}',
                InputPathsMap={name: f"$.detail.{name}" for name in ("state", "n", "say", "none")},
            ),
            {"a": "STOPPED", "b": 'is STOPPED, 1, a "b"', "c": 1, "d": None, "e": "<unknown>"},
        ),
        (
            transform(
                '["<aws.events.rule-name>", <aws.events.rule-arn>, '
                "<aws.events.event.ingestion-time>]"
            ),
            ["hold", RULE_ARN, "2026-11-23T12:00:00Z"],
        ),
    ],
)
def test_what_a_target_makes_of_an_event(
    bus: EventBridgeWorld, target: dict[str, Any], payload: Any
) -> None:
    bus.rule(EventPattern=ON_STOP, targets={})
    bus.target(**target)
    bus.send(state="STOPPED", n=1, say='a "b"')
    assert bus.payloads == [payload]


def test_a_constant_input_is_what_a_schedule_sends_too(bus: EventBridgeWorld) -> None:
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES, targets={})
    bus.target(Input='{"hold":  "k8s"}')
    bus.advance(minutes=2)
    assert bus.payloads == [{"hold": "k8s"}]
