"""Which events an event pattern matches, and which patterns there are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.eventbridge.pattern import PatternError, compile_pattern

ENDED: dict[str, Any] = {
    "source": ["aws.codepipeline"],
    "detail-type": ["CodePipeline Pipeline Execution State Change"],
    "detail": {
        "pipeline": ["infra", "network"],
        "state": ["SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED"],
    },
}


def state_change(**detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Pipeline Execution State Change",
        "resources": ["arn:aws:codepipeline:eu-central-1:123456789012:infra"],
        "detail": {
            "pipeline": "infra",
            "execution-id": "e1",
            "state": "SUCCEEDED",
            "version": 1,
            **detail,
        },
    }


def test_the_end_of_an_upstream() -> None:
    matches = compile_pattern(json.dumps(ENDED))
    assert matches(state_change())
    assert matches(state_change(pipeline="network", state="STOPPED"))
    assert not matches(state_change(state="STARTED"))
    assert not matches(state_change(pipeline="infra2"))
    assert not matches({**state_change(), "source": "shop"})
    assert not matches(
        {**state_change(), "detail-type": "CodePipeline Stage Execution State Change"}
    )


@pytest.mark.parametrize(
    ("alternatives", "matching", "unmatched"),
    [
        (["a", "b"], ["a", ["x", "b"], [["b"]]], ["A", "ab", None, [], ["x"], {"a": "a"}]),
        ([1], [1], [True, 1.0, "1"]),
        ([True], [True], [1, "true", False]),
        ([None], [None], ["", "null", 0]),
        ([""], [""], [None]),
        ([{"prefix": "in"}], ["infra", ["x", "in"]], ["main", "IN", 1, None]),
        ([{"prefix": {"equals-ignore-case": "IN"}}], ["infra", "INFRA"], ["main"]),
        ([{"suffix": ".png"}], ["a.png"], ["a.PNG", "png"]),
        ([{"suffix": {"equals-ignore-case": ".png"}}], ["a.PNG"], ["png"]),
        ([{"equals-ignore-case": "Infra"}], ["INFRA", "infra"], ["infra2"]),
        ([{"wildcard": "a*c\\*"}], ["abbc*", "ac*"], ["abc", "ac*d"]),
        ([{"anything-but": "a"}], ["b", 1, True, None, ["a", "b"]], ["a", ["a"], []]),
        ([{"anything-but": ["a", "b"]}], ["c"], ["a", "b"]),
        ([{"anything-but": [1, 2]}], [3, "1", True], [1, 2]),
        ([{"anything-but": {"prefix": "in"}}], ["main", 1], ["infra"]),
        ([{"anything-but": {"suffix": ["a", "b"]}}], ["c"], ["xa", "xb"]),
        ([{"anything-but": {"equals-ignore-case": ["a", "b"]}}], ["c"], ["A", "b"]),
        ([{"anything-but": {"wildcard": "*/lib/*"}}], ["/usr/bin"], ["/usr/lib/x"]),
        ([{"numeric": ["=", 300]}], [300, 300.0], [301, "300", True]),
        ([{"numeric": [">", 0, "<=", 5]}], [1, 5, [0, 3]], [0, 6, "3"]),
        ([{"cidr": "10.0.0.0/24"}], ["10.0.0.255"], ["10.0.1.0", "x", 1]),
        ([{"exists": True}], ["", None, 0, ["x"]], [[], {"b": 1}]),
        ([{"exists": False}], [[], {"b": 1}], ["", None]),
        (["a", {"prefix": "b"}, {"exists": False}], ["a", "bc", []], ["c"]),
    ],
)
def test_one_field(alternatives: list[Any], matching: list[Any], unmatched: list[Any]) -> None:
    matches = compile_pattern(json.dumps({"detail": {"field": alternatives}}))
    assert [value for value in matching if not matches({"detail": {"field": value}})] == []
    assert [value for value in unmatched if matches({"detail": {"field": value}})] == []


def test_a_field_that_is_not_there() -> None:
    assert compile_pattern('{"detail": {"a": {"b": [{"exists": false}]}}}')({"detail": {}})
    for alternatives in (["x"], [None], [{"exists": True}], [{"anything-but": "x"}]):
        assert not compile_pattern(json.dumps({"a": alternatives}))({"b": "x"})


def test_or_is_one_of_several_objects_next_to_the_other_fields() -> None:
    matches = compile_pattern(
        '{"source": ["s"], "$or": [{"a": [1]}, {"b": [1], "$or": [{"c": [1]}, {"d": [1]}]}]}'
    )
    assert matches({"source": "s", "a": 1})
    assert matches({"source": "s", "b": 1, "d": 1})
    assert not matches({"source": "s", "b": 1})
    assert not matches({"source": "t", "a": 1})


def test_objects_in_an_array_match_one_by_one() -> None:
    staff = {"staff": [[{"first": "Anna", "last": "Smith"}], {"first": "Peter", "last": "Jones"}]}
    assert compile_pattern('{"staff": {"first": ["Anna"]}}')(staff)
    assert compile_pattern('{"staff": {"first": ["Peter"], "last": ["Jones"]}}')(staff)
    assert not compile_pattern('{"staff": {"first": ["Anna"], "last": ["Jones"]}}')(staff)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{", "Invalid JSON"),
        ('{"a": [NaN]}', "Invalid JSON"),
        ("[" * 2000, "Invalid JSON"),
        ('["a"]', "not an object"),
        ("{}", "Empty objects"),
        ('{"detail": {}}', "Empty objects"),
        ('{"a": []}', "Empty arrays"),
        ('{"a": "b"}', '"a" must be an object or an array'),
        ('{"a": [["b"]]}', "Match value must be"),
        ('{"a": [{"begins": "b"}]}', "Unrecognized match type begins"),
        ('{"a": [{}]}', "Only one key"),
        ('{"a": [{"prefix": "b", "suffix": "c"}]}', "Only one key"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"a": [{"equals-ignore-case": 1}]}', "must be a string"),
        ('{"a": [{"exists": "yes"}]}', "true or false"),
        ('{"a": [{"wildcard": "a**b"}]}', "Invalid wildcard"),
        ('{"a": [{"wildcard": "a\\\\b"}]}', "Invalid wildcard"),
        ('{"a": [{"numeric": ["~", 1]}]}', "numeric takes"),
        ('{"a": [{"numeric": []}]}', "numeric takes"),
        ('{"a": [{"numeric": [">", "1"]}]}', "must be a number"),
        ('{"a": [{"numeric": [">", 6.0e9]}]}', "must be a number"),
        ('{"a": [{"numeric": [">", 5, "<", 1]}]}', "Bottom must be less than top"),
        ('{"a": [{"cidr": "10.0.0.0/40"}]}', "Malformed CIDR"),
        ('{"a": [{"anything-but": []}]}', "Empty arrays"),
        ('{"a": [{"anything-but": ["b", 1]}]}', "mixed type"),
        ('{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', "Unsupported anything-but"),
        ('{"$or": [{"a": [1]}]}', "two or more objects"),
        ('{"$or": [{"a": [1]}, {}]}', "Empty objects"),
    ],
)
def test_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError) as refusal:
        compile_pattern(pattern)
    assert reason in str(refusal.value)
