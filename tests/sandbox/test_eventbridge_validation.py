"""What EventBridge refuses, with which error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.clients import refused
from tests.sandbox.eventbridge_world import EVERY_FIVE_MINUTES, OTHER, RETRY, eventbridge_world


@pytest.mark.parametrize(
    ("definition", "code", "message"),
    [
        (
            {"Name": "a" * 65},
            "ValidationException",
            "at 'name' failed to satisfy constraint: Member must have length less than or",
        ),
        ({"Name": "a/b"}, "ValidationException", "Member must satisfy regular expression pattern"),
        ({"Description": "a" * 513}, "ValidationException", "at 'description'"),
        (
            {"ScheduleExpression": f"cron({' ' * 256}* * * * ? *)"},
            "ValidationException",
            "at 'scheduleExpression'",
        ),
        (
            {"ScheduleExpression": "rate(1 minutes)"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            {"ScheduleExpression": "cron(hello)"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            {"EventPattern": "{"},
            "InvalidEventPatternException",
            "Event pattern is not valid. Reason: Invalid JSON",
        ),
        (
            {"EventPattern": '{"a": [{"foo": 1}]}'},
            "InvalidEventPatternException",
            "Unrecognized match type foo",
        ),
        ({"EventPattern": json.dumps({"a": ["x" * 2040]})}, "LimitExceededException", ""),
        (
            {"EventPattern": json.dumps({"a": ["x" * 4090]})},
            "ValidationException",
            "at 'eventPattern'",
        ),
        ({"State": "ON"}, "ValidationException", "at 'state'"),
        (
            {"ScheduleExpression": None},
            "ValidationException",
            "EventPattern or ScheduleExpression must be specified",
        ),
        (
            {"EventBusName": "nowhere", "ScheduleExpression": None, "EventPattern": '{"a": ["b"]}'},
            "ResourceNotFoundException",
            "",
        ),
    ],
)
def test_put_rule(definition: dict[str, Any], code: str, message: str) -> None:
    request = {"Name": "hold", "ScheduleExpression": EVERY_FIVE_MINUTES, **definition}
    with eventbridge_world() as world:
        with refused(code, message):
            world.events.put_rule(
                **{key: value for key, value in request.items() if value is not None}
            )
        assert world.events.list_rules()["Rules"] == []


def test_the_longest_name_description_and_pattern_are_fine() -> None:
    pattern = json.dumps({"a": ["x" * 2037]})
    with eventbridge_world() as world:
        world.events.put_rule(Name="a" * 64, Description="d" * 512, EventPattern=pattern)
        rule = world.events.describe_rule(Name="a" * 64)
    assert (len(pattern), rule["EventPattern"], rule["Description"]) == (2048, pattern, "d" * 512)


def test_rules_of_a_bus_are_limited_but_can_be_changed() -> None:
    with eventbridge_world() as world:
        assert world.backend.rules_per_bus == 300
        world.backend.rules_per_bus = 2
        for name in ("one", "two"):
            world.rule(name, ScheduleExpression=EVERY_FIVE_MINUTES)
        with refused("LimitExceededException", "exceeds the maximum number allowed"):
            world.events.put_rule(Name="three", ScheduleExpression=EVERY_FIVE_MINUTES)
        world.events.put_rule(Name="two", ScheduleExpression="rate(1 hour)")
        world.events.remove_targets(Rule="one", Ids=["retry"])
        world.events.delete_rule(Name="one")
        world.events.put_rule(Name="three", ScheduleExpression=EVERY_FIVE_MINUTES)


def test_putting_a_rule_again_replaces_all_but_its_targets_and_tags() -> None:
    with eventbridge_world() as world:
        world.rule(
            Tags=[{"Key": "team", "Value": "a"}],
            ScheduleExpression=EVERY_FIVE_MINUTES,
            EventPattern='{"source": ["a"]}',
            Description="waits",
            State="DISABLED",
        )
        world.events.put_rule(
            Name="hold", EventPattern='{"source": ["b"]}', Tags=[{"Key": "team", "Value": "b"}]
        )
        rule = world.events.describe_rule(Name="hold")
        targets = world.events.list_targets_by_rule(Rule="hold")["Targets"]
        tags = world.events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
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
        (
            {"Input": "{}", "InputPath": "$.detail"},
            "Only one of Input, InputPath, or InputTransformer",
        ),
        ({"Arn": "retry"}, "Provided Arn is not in correct format"),
    ],
)
def test_put_targets(target: dict[str, Any], message: str) -> None:
    with eventbridge_world() as world:
        world.rule(targets={}, ScheduleExpression=EVERY_FIVE_MINUTES)
        with refused("ValidationException", message):
            world.events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY, **target}])
        assert world.events.list_targets_by_rule(Rule="hold")["Targets"] == []


def test_a_rule_has_at_most_five_targets_which_can_be_changed() -> None:
    with eventbridge_world() as world:
        world.rule(
            targets={str(number): RETRY for number in range(5)},
            ScheduleExpression=EVERY_FIVE_MINUTES,
        )
        with refused("LimitExceededException"):
            world.events.put_targets(Rule="hold", Targets=[{"Id": "5", "Arn": RETRY}])
        world.events.put_targets(Rule="hold", Targets=[{"Id": "4", "Arn": OTHER}])
        targets = world.events.list_targets_by_rule(Rule="hold")["Targets"]
    assert [target["Arn"] for target in targets] == [RETRY] * 4 + [OTHER]


def test_rules_that_are_not_there() -> None:
    with eventbridge_world() as world:
        for operation, parameters in (
            ("put_targets", {"Rule": "gone", "Targets": [{"Id": "retry", "Arn": RETRY}]}),
            ("remove_targets", {"Rule": "gone", "Ids": ["retry"]}),
            ("list_targets_by_rule", {"Rule": "gone"}),
            ("describe_rule", {"Name": "gone"}),
            ("enable_rule", {"Name": "gone"}),
            ("disable_rule", {"Name": "gone"}),
        ):
            with refused("ResourceNotFoundException"):
                getattr(world.events, operation)(**parameters)
        world.events.delete_rule(Name="gone")


def test_a_rule_is_deleted_only_without_targets() -> None:
    with eventbridge_world() as world:
        world.rule(ScheduleExpression=EVERY_FIVE_MINUTES)
        with refused("ValidationException", "has targets"):
            world.events.delete_rule(Name="hold")
        world.events.remove_targets(Rule="hold", Ids=["retry", "unknown"])
        world.events.delete_rule(Name="hold")
        with refused("ResourceNotFoundException"):
            world.events.describe_rule(Name="hold")


def test_a_prefix_is_text_and_a_page_has_a_hundred_rules() -> None:
    with eventbridge_world() as world:
        for name in ("gate.a", "gate-a", *(f"other-{number}" for number in range(100))):
            world.events.put_rule(Name=name, ScheduleExpression=EVERY_FIVE_MINUTES)
        assert [rule["Name"] for rule in world.events.list_rules(NamePrefix="gate.")["Rules"]] == [
            "gate.a"
        ]
        first = world.events.list_rules()
        second = world.events.list_rules(NextToken=first["NextToken"])
    assert (len(first["Rules"]), len(second["Rules"])) == (100, 2)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Source": "aws.codepipeline"}, "NotAuthorizedForSourceException"),
        ({"Source": ""}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
    ],
)
def test_a_refused_event_does_not_keep_the_others(entry: dict[str, str], code: str) -> None:
    good = {"Source": "shop", "DetailType": "Order", "Detail": "{}"}
    with eventbridge_world() as world:
        world.rule(EventPattern='{"account": ["123456789012"]}')
        answer = world.events.put_events(Entries=[{**good, **entry}, good])
        world.clock.settle()
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code
    assert [event["id"] for event in world.payloads] == [answer["Entries"][1]["EventId"]]


def test_a_pattern_can_be_tested() -> None:
    event = {
        "id": "1",
        "account": "1",
        "source": "shop",
        "time": "2026-11-23T12:00:00Z",
        "region": "r",
        "resources": [],
        "detail-type": "x",
    }
    with eventbridge_world() as world:
        for source, matches in (("shop", True), ("bank", False)):
            pattern = json.dumps({"source": [source]})
            assert (
                world.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))[
                    "Result"
                ]
                is matches
            )
        with refused("InvalidEventPatternException"):
            world.events.test_event_pattern(EventPattern="{", Event=json.dumps(event))
        with refused("ValidationException"):
            world.events.test_event_pattern(EventPattern='{"a": ["b"]}', Event="{}")
