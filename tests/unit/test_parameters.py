"""Valid UserParameters, and the messages for invalid ones."""

from __future__ import annotations

import json

import pytest

from chalicelib.errors import Misconfigured
from chalicelib.holds.mode import RETRY
from chalicelib.parameters import (
    EXAMPLE,
    Parameters,
    is_condition,
    only_observes,
    parse_parameters,
    read_waiter_names,
)
from chalicelib.pipelines.dependency import Dependency

EXECUTION = "5e6f7a8b-0000-4000-8000-000000000001"


def of(default_minutes: str = "5", **asked: object) -> Parameters:
    return parse_parameters(json.dumps(asked), default_minutes)


@pytest.mark.parametrize(
    ("text", "upstreams"),
    [
        ("infra", ("infra",)),
        ("  infra  ", ("infra",)),
        ("infra, network", ("infra", "network")),
        ("infra,infra", ("infra",)),
        ("123", ("123",)),
        ("Xray", ("Xray",)),
        ('{"depends_on": "infra"}', ("infra",)),
        ('{"depends_on": ["infra", "network", "infra"]}', ("infra", "network")),
        ('\n {"depends_on": ["a.b@c-d_E"]}', ("a.b@c-d_E",)),
        (json.dumps({"depends_on": ["x" * 100]}), ("x" * 100,)),
    ],
)
def test_upstreams_are_read_from_json_and_from_plain_names(
    text: str, upstreams: tuple[str, ...]
) -> None:
    assert parse_parameters(text, "5") == Parameters(
        depends_on=tuple(map(Dependency, upstreams)), retry_minutes=5
    )


def test_all_keys_are_read() -> None:
    assert of(
        depends_on="infra",
        retry_minutes=15,
        hold="retry",
        revisions="held",
        give_up_minutes=20160,
        on_give_up="continue",
        bypass="true",
        observe=True,
        condition=True,
        pipeline="k8s",
        execution=EXECUTION,
    ) == Parameters(
        depends_on=(Dependency("infra"),),
        retry_minutes=15,
        pipeline="k8s",
        execution=EXECUTION,
        mode=RETRY,
        revisions="held",
        give_up_minutes=20160,
        on_give_up="continue",
        bypass=True,
        observe=True,
        condition=True,
    )


def test_what_is_not_said_is_as_the_article_has_it() -> None:
    asked = of(
        depends_on="infra",
        bypass="false",
        observe=False,
        hold="restart",
        require="idle",
        parked="wait",
    )
    assert asked == of(depends_on="infra") == Parameters((Dependency("infra"),), 5)


def test_an_entry_overrides_what_is_said_for_all() -> None:
    entries = [
        "net",
        {"pipeline": "infra", "require": "idle", "stage": "Deploy"},
        {"pipeline": "dns", "parked": "wait"},
    ]
    assert of(depends_on=entries, require="succeeded", parked="pass").depends_on == (
        Dependency("net", require="succeeded", parked="pass"),
        Dependency("infra", require="idle", stage="Deploy", parked="pass"),
        Dependency("dns", require="succeeded", parked="wait"),
    )


def test_one_pipeline_can_be_waited_for_in_two_ways() -> None:
    two = of(
        depends_on=[
            "infra",
            {"pipeline": "infra", "stage": "Deploy", "require": "succeeded"},
            {"pipeline": "infra"},
        ]
    )
    assert two.depends_on == (
        Dependency("infra"),
        Dependency("infra", stage="Deploy", require="succeeded"),
    )


@pytest.mark.parametrize(
    ("text", "observes"),
    [
        ('{"depends_on": "infra", "observe": true}', True),
        ('{"observe": true}', True),
        ('{"observe": true, "depends_on": 5, "zzz": []}', True),
        ('{"depends_on": "infra", "observe": "true"}', False),
        ('{"depends_on": "infra", "observe": 1}', False),
        ('{"depends_on": "infra", "observe": true', False),
        ('{"observe": true, "observe": true}', False),
        ('["observe"]', False),
        ("observe", False),
        ("", False),
        (None, False),
    ],
)
def test_one_that_is_to_observe_does_so_whatever_else_is_wrong(
    text: str | None, observes: bool
) -> None:
    assert only_observes(text) is observes


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ('{"depends_on": "infra", "condition": true}', True),
        ('{"condition": true, "depends_on": 5, "zzz": []}', True),
        ('{"depends_on": "infra", "condition": "true"}', True),
        ('{"depends_on": "infra", "condition": null}', True),
        ('{"depends_on": "infra", "condition": true', True),
        ('{"condition": true, "condition": true}', True),
        ('{"depends_on": "infra", "condition": false}', False),
        ('{"depends_on": "infra"}', False),
        ('{"depends_on": "infra"', False),
        ("condition", False),
        ("", False),
        (None, False),
    ],
)
def test_a_condition_is_one_whatever_else_is_wrong(text: str | None, *, condition: bool) -> None:
    assert is_condition(text) is condition


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f'{{"pipeline": "k8s", "execution": "{EXECUTION}", "zzz": []}}', ("k8s", EXECUTION)),
        ('{"pipeline": "k8s", "execution": "#{codepipeline.PipelineExecutionId}"}', ("k8s", None)),
        (f'{{"pipeline": ["k8s"], "execution": "{EXECUTION}"}}', (None, EXECUTION)),
        ('{"pipeline": "k8s"', (None, None)),
        ("infra", (None, None)),
        (None, (None, None)),
    ],
)
def test_who_waits_is_read_even_if_other_keys_are_wrong(
    text: str | None, names: tuple[str | None, str | None]
) -> None:
    assert read_waiter_names(text) == names


def test_the_documented_example_is_accepted_once_codepipeline_has_filled_it_in() -> None:
    filled = EXAMPLE.replace("#{codepipeline.PipelineExecutionId}", EXECUTION)
    assert parse_parameters(filled, "5") == Parameters((Dependency("infra"),), 5, "k8s", EXECUTION)


def test_the_environment_changes_the_default_of_retry_minutes_only() -> None:
    assert of("10", depends_on="infra").retry_minutes == 10
    assert of("10", depends_on="infra", retry_minutes=5).retry_minutes == 5


@pytest.mark.parametrize(
    "text",
    [
        "  ",
        '{"depends_on": "a", "depends_on": "b"}',
        '{"a":' * 500,
        '"infra"',
        '{"depends_on": [["infra"]]}',
        '{"depends_on": ""}',
        "infra,,network",
        "infra\x00",
        json.dumps({"depends_on": "x" * 101}),
        *(
            json.dumps({"depends_on": "infra", key: value})
            for key, value in (
                ("retry_minutes", 0),
                ("retry_minutes", 7),
                ("retry_minutes", -5),
                ("retry_minutes", "5"),
                ("retry_minutes", 5.0),
                ("require", "green"),
                ("hold", "stop"),
                ("hold", 5),
                ("revisions", "old"),
                ("revisions", []),
                ("parked", None),
                ("give_up_minutes", 0),
                ("bypass", "#{variables.bypass}"),
                ("execution", "#{codepipeline.PipelineExecutionId}"),
            )
        ),
        '{"depends_on": "infra", "give_up_minutes": 5, "on_give_up": "go"}',
    ],
)
def test_what_cannot_be_is_refused_in_one_clear_line_of_plain_ascii(text: str) -> None:
    """Word for word: test_sentences.py."""
    with pytest.raises(Misconfigured) as refusal:
        parse_parameters(text, "5")
    message = str(refusal.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 600
