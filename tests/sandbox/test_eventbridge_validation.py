"""What EventBridge refuses, with which error."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox.eventbridge_world import EVERY_FIVE_MINUTES, OTHER, RETRY, EventBridgeWorld
from tests.support.clients import refused

INVALID = "ValidationException"
BAD_PATTERN = "InvalidEventPatternException"
TOO_LONG = "at 'name' failed to satisfy constraint: Member must have length less than or equal to"
BAD_SCHEDULE = "Parameter ScheduleExpression is not valid."
PATTERN = '{"a": ["b"]}'


@pytest.mark.parametrize(
    ("definition", "code", "message"),
    [
        ({"Name": "a" * 65}, INVALID, TOO_LONG),
        ({"Name": "a/b"}, INVALID, "Member must satisfy regular expression pattern"),
        ({"Description": "a" * 513}, INVALID, "at 'description'"),
        ({"ScheduleExpression": f"cron({' ' * 256}* * ? *)"}, INVALID, "at 'scheduleExpression'"),
        ({"ScheduleExpression": "cron(hello)"}, INVALID, BAD_SCHEDULE),
        ({"EventPattern": "{"}, BAD_PATTERN, "Event pattern is not valid. Reason: Invalid JSON"),
        ({"EventPattern": '{"a": [{"foo": 1}]}'}, BAD_PATTERN, "Unrecognized match type foo"),
        ({"EventPattern": json.dumps({"a": ["x" * 2040]})}, "LimitExceededException", ""),
        ({"EventPattern": json.dumps({"a": ["x" * 4090]})}, INVALID, "at 'eventPattern'"),
        ({"State": "ON"}, INVALID, "at 'state'"),
        ({"ScheduleExpression": None}, INVALID, "or ScheduleExpression must be specified"),
        (
            {"EventBusName": "nowhere", "ScheduleExpression": None, "EventPattern": PATTERN},
            "ResourceNotFoundException",
            "",
        ),
    ],
)
def test_put_rule(
    bus: EventBridgeWorld, definition: dict[str, Any], code: str, message: str
) -> None:
    request = {"Name": "hold", "ScheduleExpression": EVERY_FIVE_MINUTES, **definition}
    request = {key: value for key, value in request.items() if value is not None}
    with refused(code, message):
        bus.events.put_rule(**request)
    assert bus.events.list_rules()["Rules"] == []


def test_the_longest_name_description_and_pattern_are_fine(bus: EventBridgeWorld) -> None:
    pattern = json.dumps({"a": ["x" * 2037]})
    bus.events.put_rule(Name="a" * 64, Description="d" * 512, EventPattern=pattern)
    rule = bus.events.describe_rule(Name="a" * 64)
    assert (len(pattern), rule["EventPattern"], rule["Description"]) == (2048, pattern, "d" * 512)


def test_rules_of_a_bus_are_limited_but_can_be_changed(bus: EventBridgeWorld) -> None:
    assert bus.backend.rules_per_bus == 300
    bus.backend.rules_per_bus = 2
    for name in ("one", "two"):
        bus.rule(name, ScheduleExpression=EVERY_FIVE_MINUTES)
    with refused("LimitExceededException", "exceeds the maximum number allowed"):
        bus.events.put_rule(Name="three", ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.events.put_rule(Name="two", ScheduleExpression="rate(1 hour)")
    bus.delete("one")
    bus.events.put_rule(Name="three", ScheduleExpression=EVERY_FIVE_MINUTES)


def test_putting_a_rule_again_replaces_all_but_its_targets_and_tags(bus: EventBridgeWorld) -> None:
    bus.rule(
        Tags=[{"Key": "team", "Value": "a"}],
        ScheduleExpression=EVERY_FIVE_MINUTES,
        EventPattern='{"source": ["a"]}',
        Description="waits",
        State="DISABLED",
    )
    bus.events.put_rule(
        Name="hold", EventPattern='{"source": ["b"]}', Tags=[{"Key": "team", "Value": "b"}]
    )
    rule = bus.events.describe_rule(Name="hold")
    targets = bus.events.list_targets_by_rule(Rule="hold")["Targets"]
    tags = bus.events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}]
    assert (rule["State"], rule["EventPattern"]) == ("ENABLED", '{"source": ["b"]}')
    assert not {"ScheduleExpression", "Description"} & rule.keys()
    assert targets == [{"Id": "retry", "Arn": RETRY}]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Id": "a" * 65}, "at 'targets.1.member.id'"),
        ({"Id": "a b"}, "Member must satisfy regular expression pattern"),
        ({"Input": '"' + "x" * 8191 + '"'}, "at 'targets.1.member.input'"),
        ({"Input": "{'a': 1}"}, "JSON syntax error in input for target retry"),
        ({"Input": ""}, "JSON syntax error in input for target retry"),
        ({"Input": "{}", "InputPath": "$.a"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"Arn": "retry"}, "Provided Arn is not in correct format"),
    ],
)
def test_put_targets(bus: EventBridgeWorld, target: dict[str, Any], message: str) -> None:
    bus.rule(targets={}, ScheduleExpression=EVERY_FIVE_MINUTES)
    with refused("ValidationException", message):
        bus.target(**target)
    assert bus.events.list_targets_by_rule(Rule="hold")["Targets"] == []


def test_a_rule_has_at_most_five_targets_which_can_be_changed(bus: EventBridgeWorld) -> None:
    bus.rule(
        targets={str(number): RETRY for number in range(5)}, ScheduleExpression=EVERY_FIVE_MINUTES
    )
    with refused("LimitExceededException"):
        bus.target(Id="5")
    bus.target(Id="4", Arn=OTHER)
    targets = bus.events.list_targets_by_rule(Rule="hold")["Targets"]
    assert [target["Arn"] for target in targets] == [RETRY] * 4 + [OTHER]


def test_rules_that_are_not_there(bus: EventBridgeWorld) -> None:
    for operation, parameters in (
        ("put_targets", {"Rule": "gone", "Targets": [{"Id": "retry", "Arn": RETRY}]}),
        ("remove_targets", {"Rule": "gone", "Ids": ["retry"]}),
        ("list_targets_by_rule", {"Rule": "gone"}),
        ("describe_rule", {"Name": "gone"}),
        ("enable_rule", {"Name": "gone"}),
        ("disable_rule", {"Name": "gone"}),
    ):
        with refused("ResourceNotFoundException"):
            getattr(bus.events, operation)(**parameters)
    bus.events.delete_rule(Name="gone")


def test_a_rule_is_deleted_only_without_targets(bus: EventBridgeWorld) -> None:
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    with refused("ValidationException", "has targets"):
        bus.events.delete_rule(Name="hold")
    bus.events.remove_targets(Rule="hold", Ids=["retry", "unknown"])
    bus.events.delete_rule(Name="hold")
    with refused("ResourceNotFoundException"):
        bus.events.describe_rule(Name="hold")


def test_removed_targets_can_linger_for_some_seconds(bus: EventBridgeWorld) -> None:
    bus.dials.targets_linger = timedelta(seconds=8)
    bus.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
    bus.events.remove_targets(Rule="hold", Ids=["retry"])
    assert bus.events.list_targets_by_rule(Rule="hold")["Targets"] == []
    with refused("ValidationException", "has targets"):
        bus.events.delete_rule(Name="hold")
    bus.clock.advance(timedelta(seconds=8))
    bus.events.delete_rule(Name="hold")
    assert bus.events.list_rules()["Rules"] == []


def test_a_prefix_is_text_and_a_page_has_a_hundred_rules(bus: EventBridgeWorld) -> None:
    for name in ("gate.a", "gate-a", *(f"other-{number}" for number in range(100))):
        bus.events.put_rule(Name=name, ScheduleExpression=EVERY_FIVE_MINUTES)
    (rule,) = bus.events.list_rules(NamePrefix="gate.")["Rules"]
    first = bus.events.list_rules()
    second = bus.events.list_rules(NextToken=first["NextToken"])
    assert rule["Name"] == "gate.a"
    assert (len(first["Rules"]), len(second["Rules"])) == (100, 2)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Source": "aws.codepipeline"}, "NotAuthorizedForSourceException"),
        ({"Source": ""}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
    ],
)
def test_a_refused_event_does_not_keep_the_others(
    bus: EventBridgeWorld, entry: dict[str, str], code: str
) -> None:
    good = {"Source": "shop", "DetailType": "Order", "Detail": "{}"}
    bus.rule(EventPattern='{"account": ["123456789012"]}')
    answer = bus.events.put_events(Entries=[{**good, **entry}, good])
    bus.clock.settle()
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code
    assert [event["id"] for event in bus.payloads] == [answer["Entries"][1]["EventId"]]


def test_an_event_to_a_bus_that_does_not_exist_is_lost_without_an_error(
    bus: EventBridgeWorld,
) -> None:
    bus.rule(EventPattern='{"account": ["123456789012"]}')
    entry = {"Source": "shop", "DetailType": "Order", "Detail": "{}", "EventBusName": "nowhere"}
    answer = bus.events.put_events(Entries=[entry])
    bus.clock.settle()
    assert answer["FailedEntryCount"] == 0
    assert answer["Entries"][0].keys() == {"EventId"}
    assert bus.payloads == []


def test_a_pattern_can_be_tested(bus: EventBridgeWorld) -> None:
    event = {"id": "1", "account": "1", "source": "shop", "time": "2026-11-23T12:00:00Z"}
    event_text = json.dumps({**event, "region": "r", "resources": [], "detail-type": "x"})
    test = bus.events.test_event_pattern
    assert test(EventPattern='{"source": ["shop"]}', Event=event_text)["Result"] is True
    assert test(EventPattern='{"source": ["bank"]}', Event=event_text)["Result"] is False
    with refused("InvalidEventPatternException"):
        test(EventPattern="{", Event=event_text)
    with refused("ValidationException"):
        test(EventPattern=PATTERN, Event="{}")
