"""Deliveries that are lost, doubled, late or refused, rules that take a while, and targets other
than Lambda.
"""

from __future__ import annotations

import json
from datetime import timedelta

from sandbox.account import REGION
from sandbox.world import Dials
from tests.sandbox.clients import client
from tests.sandbox.eventbridge_world import (
    EVERY_FIVE_MINUTES,
    NOON,
    ON_STOP,
    OTHER,
    RETRY,
    eventbridge_world,
)

MINUTE = timedelta(minutes=1)


def test_deliveries_are_lost_doubled_and_late() -> None:
    fates = iter([[], [0.0, 0.0], [90.0, 1.0]])
    with eventbridge_world(dials=Dials(event_copies=lambda: next(fates))) as world:
        world.rule(EventPattern=ON_STOP)
        world.send(state="STOPPED")
        assert world.times == []
        world.send(state="STOPPED")
        assert world.times == ["12:00:00", "12:00:00"]
        world.send(state="STOPPED")
        world.advance(minutes=2)
        assert world.times[2:] == ["12:00:01", "12:01:30"]


def test_each_target_has_a_fate_of_its_own() -> None:
    fates = iter([[], [0.0]])
    with eventbridge_world(dials=Dials(event_copies=lambda: next(fates))) as world:
        world.rule(EventPattern=ON_STOP, targets={"retry": RETRY, "other": OTHER})
        world.send(state="STOPPED")
        assert [delivery.function_arn for delivery in world.deliveries] == [OTHER]


def test_a_planned_delivery_arrives_although_the_rule_is_gone() -> None:
    with eventbridge_world(dials=Dials(event_copies=lambda: [30.0])) as world:
        world.rule(EventPattern=ON_STOP)
        world.send(state="STOPPED")
        world.events.remove_targets(Rule="hold", Ids=["retry"])
        world.events.delete_rule(Name="hold")
        world.send(state="STOPPED")
        world.advance(minutes=1)
        assert world.times == ["12:00:30"]


def test_a_refusing_target_is_counted_and_does_not_keep_the_others() -> None:
    with eventbridge_world() as world:
        world.refusals = {RETRY: PermissionError("no statement allows it")}
        world.rule(
            EventPattern=ON_STOP,
            ScheduleExpression=EVERY_FIVE_MINUTES,
            targets={"retry": RETRY, "other": OTHER},
        )
        world.send(state="STOPPED")
        world.refusals = {RETRY: LookupError("function retry does not exist")}
        world.advance(minutes=2)
        assert world.times == ["12:00:00", "12:02:00"]
        failures = world.backend.failed_deliveries
    assert [(failure.target_arn, failure.at, failure.reason) for failure in failures] == [
        (RETRY, NOON, "no statement allows it"),
        (RETRY, NOON + 2 * MINUTE, "function retry does not exist"),
    ]


def test_what_a_target_cannot_be_given_is_counted() -> None:
    with eventbridge_world() as world:
        world.rule(EventPattern=ON_STOP, targets={})
        world.events.put_targets(
            Rule="hold",
            Targets=[
                {"Id": "path", "Arn": RETRY, "InputPath": "$.detail.nothing"},
                {"Id": "template", "Arn": RETRY, "InputTransformer": {"InputTemplate": "{<oops>"}},
                {"Id": "topic", "Arn": f"arn:aws:sns:{REGION}:123456789012:topic"},
                {"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:123456789012:missing"},
                {"Id": "good", "Arn": OTHER},
            ],
        )
        world.send(state="STOPPED")
        assert [delivery.function_arn for delivery in world.deliveries] == [OTHER]
        reasons = [failure.reason for failure in world.backend.failed_deliveries]
    assert reasons[0] == "InputPath $.detail.nothing finds nothing in the event"
    assert reasons[1].startswith("the InputTemplate does not make JSON")
    assert reasons[2] == f"the sandbox has no targets like arn:aws:sns:{REGION}:123456789012:topic"
    assert len(reasons) == 4


def test_a_new_rule_takes_a_while() -> None:
    with eventbridge_world(dials=Dials(rule_warmup=3 * MINUTE)) as world:
        world.rule(EventPattern=ON_STOP, ScheduleExpression=EVERY_FIVE_MINUTES)
        world.advance(minutes=2)
        world.send(state="STOPPED")
        assert world.times == []
        world.advance(minutes=1)
        world.send(state="STOPPED")
        world.advance(minutes=5)
        assert world.times == ["12:03:00", "12:07:00"]


def test_a_changed_rule_keeps_its_old_ways_for_a_while() -> None:
    with eventbridge_world() as world:
        world.rule(EventPattern=ON_STOP, ScheduleExpression=EVERY_FIVE_MINUTES)
        world.dials.rule_warmup = 3 * MINUTE
        world.events.put_rule(
            Name="hold",
            EventPattern='{"detail": {"state": ["FAILED"]}}',
            ScheduleExpression="cron(4 * * * ? *)",
        )
        world.advance(minutes=2, seconds=59)
        world.send(state="STOPPED")
        world.send(state="FAILED")
        assert world.times == ["12:02:00", "12:02:59"]
        world.advance(seconds=1)
        world.send(state="STOPPED")
        world.send(state="FAILED")
        world.advance(minutes=5)
        assert world.times[2:] == ["12:03:00", "12:04:00"]


def test_a_removed_target_and_a_deleted_rule_still_fire_for_a_while() -> None:
    with eventbridge_world() as world:
        world.rule(EventPattern=ON_STOP, ScheduleExpression=EVERY_FIVE_MINUTES)
        world.dials.rule_warmup = 3 * MINUTE
        world.advance(minutes=1)
        world.events.remove_targets(Rule="hold", Ids=["retry"])
        world.events.delete_rule(Name="hold")
        world.send(state="STOPPED")
        world.advance(minutes=2)
        world.events.delete_rule(Name="hold")  # once more: that does not begin the while anew
        world.advance(minutes=1)
        world.send(state="STOPPED")
        world.advance(hours=1)
        assert world.times == ["12:01:00", "12:02:00"]
        assert world.events.list_rules()["Rules"] == []


def test_a_change_that_takes_effect_in_the_minute_of_a_firing_does_not_lose_it() -> None:
    with eventbridge_world(dials=Dials(rule_warmup=2 * MINUTE)) as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        world.advance(minutes=5)
        world.events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": OTHER}])
        world.advance(minutes=5)
        assert [(delivery.function_arn, delivery.at) for delivery in world.deliveries] == [
            (RETRY, "12:02:00"),
            (OTHER, "12:07:00"),
        ]


def test_log_groups_queues_and_other_buses() -> None:
    with eventbridge_world() as world:
        client("logs").create_log_group(logGroupName="/aws/events/all")
        queue = client("sqs").create_queue(QueueName="all")["QueueUrl"]
        fifo = client("sqs").create_queue(
            QueueName="all.fifo",
            Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
        )["QueueUrl"]
        bus = world.events.create_event_bus(Name="other")["EventBusArn"]
        world.events.put_rule(
            Name="far", EventBusName="other", EventPattern='{"source": ["aws.codepipeline"]}'
        )
        world.events.put_targets(
            Rule="far", EventBusName="other", Targets=[{"Id": "other", "Arn": OTHER}]
        )
        world.rule(EventPattern=ON_STOP, targets={})
        world.events.put_targets(
            Rule="hold",
            Targets=[
                {
                    "Id": "logs",
                    "Arn": f"arn:aws:logs:{REGION}:123456789012:log-group:/aws/events/all",
                },
                {"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:123456789012:all"},
                {
                    "Id": "fifo",
                    "Arn": f"arn:aws:sqs:{REGION}:123456789012:all.fifo",
                    "SqsParameters": {"MessageGroupId": "g"},
                },
                {"Id": "bus", "Arn": bus},
            ],
        )
        world.send(state="STOPPED")
        (logged,) = client("logs").filter_log_events(logGroupName="/aws/events/all")["events"]
        (queued,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
        (in_order,) = client("sqs").receive_message(QueueUrl=fifo)["Messages"]
        (delivery,) = world.deliveries
        assert world.backend.failed_deliveries == []
    assert (
        json.loads(logged["message"])
        == json.loads(queued["Body"])
        == json.loads(in_order["Body"])
        == delivery.payload
    )
    assert (delivery.function_arn, delivery.payload["time"]) == (OTHER, "2026-11-23T12:00:00Z")


def test_motos_archives_and_replays_still_work() -> None:
    with eventbridge_world() as world:
        bus = world.events.describe_event_bus(Name="default")["Arn"]
        archive = world.events.create_archive(ArchiveName="all", EventSourceArn=bus)["ArchiveArn"]
        world.rule(EventPattern=ON_STOP)
        world.send(state="STOPPED")
        world.events.start_replay(
            ReplayName="again",
            EventSourceArn=archive,
            EventStartTime=NOON,
            EventEndTime=NOON + MINUTE,
            Destination={"Arn": bus},
        )
        world.clock.settle()
        first, second = world.payloads
    assert (first["detail"], first["time"]) == (second["detail"], second["time"])
    assert second["replay-name"] == "again"
