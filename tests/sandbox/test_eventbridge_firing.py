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
    eventbridge_world,
)

RULE_ARN = "arn:aws:events:eu-central-1:123456789012:rule/hold"


def test_a_schedule_fires_at_each_of_its_times_until_the_rule_is_deleted() -> None:
    with eventbridge_world(start=NOON + timedelta(minutes=2, seconds=30)) as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        world.advance(minutes=15)
        assert world.times == ["12:07:00", "12:12:00", "12:17:00"]
        world.events.remove_targets(Rule="hold", Ids=["retry"])
        world.events.delete_rule(Name="hold")
        world.advance(hours=1)
        assert len(world.deliveries) == 3


def test_a_rule_that_is_made_on_the_minute_waits_for_the_next_time() -> None:
    with eventbridge_world(start=NOON + timedelta(minutes=2)) as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        world.advance(minutes=5)
        assert world.times == ["12:07:00"]


def test_the_scheduled_event() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        world.advance(minutes=2)
        (delivery,) = world.deliveries
    assert (delivery.function_arn, delivery.rule_arn) == (RETRY, RULE_ARN)
    assert len(delivery.payload.pop("id")) == 36
    assert delivery.payload == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-23T12:02:00Z",
        "region": "eu-central-1",
        "resources": [RULE_ARN],
        "detail": {},
    }


def test_a_rate_counts_from_when_the_rule_was_made_whatever_becomes_of_its_targets() -> None:
    with eventbridge_world(start=NOON + timedelta(seconds=20)) as world:
        world.rule(ScheduleExpression="rate(5 minutes)")
        world.advance(minutes=3)
        world.events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": OTHER}])
        world.advance(minutes=8)
        assert world.times == ["12:05:20", "12:10:20"]


def test_a_rate_counts_anew_when_the_rule_is_enabled() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression="rate(5 minutes)", State="DISABLED")
        world.advance(minutes=7)
        world.events.enable_rule(Name="hold")
        world.advance(minutes=6)
        assert world.times == ["12:12:00"]


def test_a_firing_that_the_clock_could_not_call_off_any_more_does_nothing() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        (call,) = world.backend.firings.values()
        world.advance(minutes=2)
        call.callback()
        world.advance(minutes=2)
        assert world.times == ["12:02:00"]


def test_one_call_is_planned_a_rule_however_often_it_changes() -> None:
    with eventbridge_world() as world:
        for _ in range(3):
            world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
            world.events.disable_rule(Name="hold")
            world.events.enable_rule(Name="hold")
        assert len([call for call in world.clock._calls if not call.cancelled]) == 1
        world.advance(minutes=2)
        assert world.times == ["12:02:00"]


def test_a_new_schedule_takes_the_old_ones_place() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        world.events.put_rule(Name="hold", ScheduleExpression="cron(30 * * * ? *)")
        world.advance(hours=1)
        assert world.times == ["12:30:00"]
        world.events.put_rule(Name="hold", EventPattern=ON_STOP)
        world.advance(hours=1)
        assert world.times == ["12:30:00"]


def test_a_change_in_the_minute_of_a_firing_does_not_lose_it() -> None:
    with eventbridge_world() as world:
        current_world().clock.call_at(
            NOON + timedelta(minutes=2),
            lambda: world.events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": OTHER}]),
        )
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        world.advance(minutes=4)
        assert [(delivery.function_arn, delivery.at) for delivery in world.deliveries] == [
            (OTHER, "12:02:00")
        ]


def test_a_disabled_rule_is_silent_until_it_is_enabled() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES, EventPattern=ON_STOP, State="DISABLED")
        world.send(state="STOPPED")
        world.advance(minutes=10)
        assert world.deliveries == []
        world.events.enable_rule(Name="hold")
        world.send(state="STOPPED")
        world.advance(minutes=3)
        assert world.times == ["12:10:00", "12:12:00"]
        world.events.disable_rule(Name="hold")
        world.send(state="STOPPED")
        world.advance(minutes=10)
        assert world.times == ["12:10:00", "12:12:00"]


def test_a_services_event_reaches_the_rules_that_match() -> None:
    with eventbridge_world(start=NOON + timedelta(seconds=7.5)) as world:
        world.rule("hold", EventPattern=ON_STOP)
        world.rule(
            "on-start", EventPattern='{"detail": {"state": ["STARTED"]}}', targets={"other": OTHER}
        )
        world.rule("by-time", ScheduleExpression=EVERY_FIVE_MINUTES, targets={"other": OTHER})
        world.send(state="STOPPED", pipeline="infra")
        (delivery,) = world.deliveries
    assert (delivery.function_arn, delivery.rule_arn) == (RETRY, RULE_ARN)
    assert len(delivery.payload.pop("id")) == 36
    assert delivery.payload == {
        "version": "0",
        "detail-type": "Change",
        "source": "aws.codepipeline",
        "account": "123456789012",
        "time": "2026-11-23T12:00:07Z",
        "region": "eu-central-1",
        "resources": ["arn:pipeline"],
        "detail": {"state": "STOPPED", "pipeline": "infra"},
    }


def test_events_can_be_switched_off() -> None:
    with eventbridge_world() as world:
        world.rule(EventPattern=ON_STOP)
        world.dials.events_on = False
        world.send(state="STOPPED")
        assert world.deliveries == []


def test_a_users_event_keeps_its_own_time_and_goes_to_its_own_bus() -> None:
    with eventbridge_world() as world:
        world.events.create_event_bus(Name="orders")
        world.rule("hold", EventPattern='{"source": ["shop"]}')
        world.rule(
            "orders", EventBusName="default", EventPattern='{"source": ["shop"]}', targets={}
        )
        world.events.put_rule(
            Name="far", EventBusName="orders", EventPattern='{"source": ["shop"]}'
        )
        world.events.put_targets(
            Rule="far", EventBusName="orders", Targets=[{"Id": "other", "Arn": OTHER}]
        )
        answer = world.put(Time=NOON - timedelta(days=1), Resources=["arn:r"], Detail='{"n": 1}')
        world.put(EventBusName="orders")
        first, second = world.deliveries
    assert (first.function_arn, first.payload["id"], first.payload["time"]) == (
        RETRY,
        answer["EventId"],
        "2026-11-22T12:00:00Z",
    )
    assert (first.payload["resources"], first.payload["detail"]) == (["arn:r"], {"n": 1})
    assert (second.function_arn, second.rule_arn) == (
        OTHER,
        "arn:aws:events:eu-central-1:123456789012:rule/orders/far",
    )


def test_an_event_whose_detail_is_no_object_reaches_no_rule() -> None:
    with eventbridge_world() as world:
        world.rule(EventPattern='{"source": ["shop"]}')
        assert "EventId" in world.put(Detail="[1]")
        assert world.deliveries == []


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ({"Input": '{"hold": "k8s"}'}, {"hold": "k8s"}),
        ({"InputPath": "$.detail"}, {"state": "STOPPED", "n": 1, "say": 'a "b"'}),
        ({"InputPath": "$.detail.n"}, 1),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {
                        "state": "$.detail.state",
                        "n": "$.detail.n",
                        "say": "$.detail.say",
                        "none": "$.detail.x",
                    },
                    "InputTemplate": '{"a": <state>, "b": "is <state>, <n>, <say><none>", "c": '
                    '<n>, "d": <none>, "e": "<unknown>"}',
                }
            },
            {"a": "STOPPED", "b": 'is STOPPED, 1, a "b"', "c": 1, "d": None, "e": "<unknown>"},
        ),
        (
            {
                "InputTransformer": {
                    "InputTemplate": '["<aws.events.rule-name>", <aws.events.rule-arn>, '
                    "<aws.events.event.ingestion-time>]"
                }
            },
            ["hold", RULE_ARN, "2026-11-23T12:00:00Z"],
        ),
    ],
)
def test_what_a_target_makes_of_an_event(target: dict[str, Any], payload: Any) -> None:
    with eventbridge_world() as world:
        world.rule(EventPattern=ON_STOP, targets={})
        world.events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY, **target}])
        world.send(state="STOPPED", n=1, say='a "b"')
        assert world.payloads == [payload]


def test_a_constant_input_is_what_a_schedule_sends_too() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES, targets={})
        world.events.put_targets(
            Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY, "Input": '{"hold":  "k8s"}'}]
        )
        world.advance(minutes=2)
        assert world.payloads == [{"hold": "k8s"}]
