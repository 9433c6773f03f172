"""Deliveries that are lost, duplicated, late or refused, rules that take effect late, and targets
other than Lambda.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from sandbox.account import ACCOUNT, REGION
from tests.sandbox.eventbridge_world import (
    EVERY_FIVE_MINUTES,
    NOON,
    ON_STOP,
    OTHER,
    RETRY,
    EventBridgeWorld,
)
from tests.support.clients import client

MINUTE = timedelta(minutes=1)
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"


def test_deliveries_are_lost_doubled_and_late(bus: EventBridgeWorld) -> None:
    fates = iter([[], [0.0, 0.0], [90.0, 1.0]])
    bus.dials.event_copies = lambda: next(fates)
    bus.rule(EventPattern=ON_STOP)
    bus.stop()
    assert bus.times == []
    bus.stop()
    assert bus.times == ["12:00:00", "12:00:00"]
    bus.stop()
    bus.advance(minutes=2)
    assert bus.times[2:] == ["12:00:01", "12:01:30"]


def test_each_target_has_a_fate_of_its_own(bus: EventBridgeWorld) -> None:
    fates = iter([[], [0.0]])
    bus.dials.event_copies = lambda: next(fates)
    bus.rule(EventPattern=ON_STOP, targets={"retry": RETRY, "other": OTHER})
    bus.stop()
    assert bus.arrivals == [(OTHER, "12:00:00")]


def test_a_planned_delivery_arrives_although_the_rule_is_gone(bus: EventBridgeWorld) -> None:
    bus.dials.event_copies = lambda: [30.0]
    bus.rule(EventPattern=ON_STOP)
    bus.stop()
    bus.delete()
    bus.stop()
    bus.advance(minutes=1)
    assert bus.times == ["12:00:30"]


def test_a_refusing_target_is_counted_and_does_not_keep_the_others(bus: EventBridgeWorld) -> None:
    bus.refusals = {RETRY: PermissionError("no statement allows it")}
    bus.rule(
        EventPattern=ON_STOP,
        ScheduleExpression=EVERY_FIVE_MINUTES,
        targets={"retry": RETRY, "other": OTHER},
    )
    bus.stop()
    bus.refusals = {RETRY: LookupError("function retry does not exist")}
    bus.advance(minutes=2)
    assert bus.times == ["12:00:00", "12:02:00"]
    failures = bus.backend.failed_deliveries
    assert [(failure.target_arn, failure.at, failure.reason) for failure in failures] == [
        (RETRY, NOON, "no statement allows it"),
        (RETRY, NOON + 2 * MINUTE, "function retry does not exist"),
    ]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"InputPath": "$.detail.nothing"}, "InputPath $.detail.nothing finds nothing in the"),
        (
            {"InputTransformer": {"InputTemplate": "{<oops>"}},
            "the InputTemplate does not make JSON",
        ),
        ({"Arn": TOPIC}, f"the sandbox has no targets like {TOPIC}"),
        ({"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:missing"}, ""),
    ],
)
def test_what_a_target_cannot_be_given_is_counted(
    bus: EventBridgeWorld, target: dict[str, Any], reason: str
) -> None:
    bus.rule(EventPattern=ON_STOP, targets={})
    bus.target(**target)
    bus.target(Id="other", Arn=OTHER)
    bus.stop()
    assert bus.arrivals == [(OTHER, "12:00:00")]
    (failure,) = bus.backend.failed_deliveries
    assert failure.reason.startswith(reason)


def test_a_new_rule_takes_a_while(bus: EventBridgeWorld) -> None:
    bus.dials.rule_warmup = 3 * MINUTE
    bus.rule(EventPattern=ON_STOP, ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.advance(minutes=2)
    bus.stop()
    assert bus.times == []
    bus.advance(minutes=1)
    bus.stop()
    bus.advance(minutes=5)
    assert bus.times == ["12:03:00", "12:07:00"]


def test_a_changed_rule_keeps_its_old_ways_for_a_while(bus: EventBridgeWorld) -> None:
    bus.rule(EventPattern=ON_STOP, ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.dials.rule_warmup = 3 * MINUTE
    bus.events.put_rule(
        Name="hold",
        EventPattern='{"detail": {"state": ["FAILED"]}}',
        ScheduleExpression="cron(4 * * * ? *)",
    )
    bus.advance(minutes=2, seconds=59)
    bus.stop()
    bus.send(state="FAILED")
    assert bus.times == ["12:02:00", "12:02:59"]
    bus.advance(seconds=1)
    bus.stop()
    bus.send(state="FAILED")
    bus.advance(minutes=5)
    assert bus.times[2:] == ["12:03:00", "12:04:00"]


def test_a_removed_target_and_a_deleted_rule_still_fire_for_a_while(bus: EventBridgeWorld) -> None:
    bus.rule(EventPattern=ON_STOP, ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.dials.rule_warmup = 3 * MINUTE
    bus.advance(minutes=1)
    bus.delete()
    bus.stop()
    bus.advance(minutes=2)
    bus.events.delete_rule(Name="hold")  # once more: that does not extend the delay
    bus.advance(minutes=1)
    bus.stop()
    bus.advance(hours=1)
    assert bus.times == ["12:01:00", "12:02:00"]
    assert bus.events.list_rules()["Rules"] == []


def test_a_change_that_takes_effect_in_the_minute_of_a_firing_does_not_lose_it(
    bus: EventBridgeWorld,
) -> None:
    bus.dials.rule_warmup = 2 * MINUTE
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.advance(minutes=5)
    bus.target(Arn=OTHER)
    bus.advance(minutes=5)
    assert bus.arrivals == [(RETRY, "12:02:00"), (OTHER, "12:07:00")]


def test_log_groups_queues_and_other_buses(bus: EventBridgeWorld) -> None:
    client("logs").create_log_group(logGroupName="/aws/events/all")
    sqs = client("sqs")
    fifo_members = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName="all")["QueueUrl"]
    fifo = sqs.create_queue(QueueName="all.fifo", Attributes=fifo_members)["QueueUrl"]
    other_bus = bus.events.create_event_bus(Name="other")["EventBusArn"]
    pattern = '{"source": ["aws.codepipeline"]}'
    target = {"Id": "other", "Arn": OTHER}
    bus.events.put_rule(Name="far", EventBusName="other", EventPattern=pattern)
    bus.events.put_targets(Rule="far", EventBusName="other", Targets=[target])
    bus.rule(
        EventPattern=ON_STOP,
        targets={
            "logs": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/all",
            "queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:all",
            "bus": other_bus,
        },
    )
    group = {"MessageGroupId": "g"}
    bus.target(Id="fifo", Arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:all.fifo", SqsParameters=group)
    bus.stop()
    (logged,) = client("logs").filter_log_events(logGroupName="/aws/events/all")["events"]
    (queued,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    (in_order,) = sqs.receive_message(QueueUrl=fifo)["Messages"]
    (delivery,) = bus.deliveries
    assert bus.backend.failed_deliveries == []
    for text in (logged["message"], queued["Body"], in_order["Body"]):
        assert json.loads(text) == delivery.payload
    assert (delivery.function_arn, delivery.payload["time"]) == (OTHER, "2026-11-23T12:00:00Z")


def test_motos_archives_and_replays_still_work(bus: EventBridgeWorld) -> None:
    default = bus.events.describe_event_bus(Name="default")["Arn"]
    archive = bus.events.create_archive(ArchiveName="all", EventSourceArn=default)["ArchiveArn"]
    bus.rule(EventPattern=ON_STOP)
    bus.stop()
    bus.events.start_replay(
        ReplayName="again",
        EventSourceArn=archive,
        EventStartTime=NOON,
        EventEndTime=NOON + MINUTE,
        Destination={"Arn": default},
    )
    bus.clock.settle()
    first, second = bus.payloads
    assert (first["detail"], first["time"]) == (second["detail"], second["time"])
    assert second["replay-name"] == "again"
