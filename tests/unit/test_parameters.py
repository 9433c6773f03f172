"""What an action may ask for, and what it is told when it asks for something else."""

from __future__ import annotations

import json
import re

import pytest

from chalicelib.dependency import Dependency
from chalicelib.errors import Misconfigured
from chalicelib.parameters import EXAMPLE, Parameters, read

EXECUTION = "5e6f7a8b-0000-4000-8000-000000000001"


def of(default_minutes: str = "5", **asked: object) -> Parameters:
    return read(json.dumps(asked), default_minutes)


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
def test_upstreams_are_read_from_json_and_from_plain_names(text: str, upstreams: tuple[str, ...]) -> None:
    assert read(text, "5") == Parameters(depends_on=tuple(map(Dependency, upstreams)), retry_minutes=5)


def test_all_keys_are_read() -> None:
    assert of(depends_on="infra", retry_minutes=15, pipeline="k8s", execution=EXECUTION) == Parameters(
        (Dependency("infra"),), 15, "k8s", EXECUTION
    )


def test_the_documented_example_is_accepted_once_codepipeline_has_filled_it_in() -> None:
    filled = EXAMPLE.replace("#{codepipeline.PipelineExecutionId}", EXECUTION)
    assert read(filled, "5") == Parameters((Dependency("infra"),), 5, "k8s", EXECUTION)


def test_the_environment_changes_the_default_of_retry_minutes_only() -> None:
    assert of("10", depends_on="infra").retry_minutes == 10
    assert of("10", depends_on="infra", retry_minutes=5).retry_minutes == 5


REFUSED: list[tuple[str | None, str]] = [
    (None, "no UserParameters"),
    ("  ", "no UserParameters"),
    ('{"depends_on": ["infra"', "not valid JSON"),
    ('{"depends_on": "a", "depends_on": "b"}', 'two keys "depends_on"'),
    ('{"a":' * 500, "not valid JSON"),
    ("[" * 100_000, "not valid JSON (it is nested too deep)"),
    ('{"retry_minutes": ' + "9" * 5000 + "}", "not valid JSON (it has a number that is too long)"),
    ('{"depends_on": "infra', "not valid JSON (Unterminated string starting at character 16)"),
    ('["infra"]', "not a list"),
    ('"infra"', "not a string"),
    ("{}", "no depends_on"),
    ('{"depends_on": []}', "empty list"),
    ('{"depends_on": null}', "not null"),
    ('{"depends_on": 5}', "not a number"),
    ('{"depends_on": [true]}', "not true or false"),
    ('{"depends_on": [["infra"]]}', "not a list"),
    ('{"depends_on": ""}', "no pipeline's name"),
    ("infra network", "separated by commas"),
    ("infra,,network", "no pipeline's name"),
    ("infra\x00", "\\u0000"),
    (json.dumps({"depends_on": "x" * 101}), "no pipeline's name"),
    (json.dumps({"depends_on": [f"pipeline-{n}" for n in range(200)]}), "more than fit"),
    ('{"depend_on": "infra"}', "did you mean depends_on?"),
    ('{"depends_on": "infra", "zzz": 1}', 'unknown key "zzz". Known: depends_on'),
    ('{"depends_on": "infra", "retry_minutes": 7}', "must divide 60"),
    ('{"depends_on": "infra", "retry_minutes": 0}', "must divide 60"),
    ('{"depends_on": "infra", "retry_minutes": -5}', "must divide 60"),
    ('{"depends_on": "infra", "retry_minutes": "5"}', "not a string"),
    ('{"depends_on": "infra", "retry_minutes": 5.0}', "a whole number"),
    ('{"depends_on": "infra", "retry_minutes": true}', "not true or false"),
    ('{"depends_on": ["k8s"], "pipeline": "k8s"}', "depends on itself"),
    ('{"depends_on": "infra", "pipeline": 3}', "not a number"),
    ('{"depends_on": "infra", "execution": "#{codepipeline.PipelineExecutionId}"}', "no execution id"),
    ('{"depends_on": "infra", "execution": "#{codepipeline.PipelineExecutionID}"}', "#{codepipeline.PipelineExecutionId}"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_cannot_be_is_refused_in_one_clear_line_of_plain_ascii(text: str | None, said: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(said)) as refusal:
        read(text, "5")
    message = str(refusal.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 600


def test_a_wrong_default_is_the_deployments_fault_and_says_so() -> None:
    with pytest.raises(Misconfigured, match="environment variable RETRY_MINUTES"):
        of("7", depends_on="infra")
