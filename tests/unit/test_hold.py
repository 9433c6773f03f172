"""The rule of a hold: its name, its times and its input."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployment import STAGE_LENGTH, Deployment
from chalicelib.errors import Misconfigured, RefusedInput
from chalicelib.holds.hold import Hold, Restart
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import (
    build_pattern,
    name_rule,
    read_rule_name,
)
from chalicelib.holds.schedule import Schedule
from chalicelib.parameters import RETRY_MINUTES
from chalicelib.pipelines.dependency import Dependency

ID = "5e6f7a8b-0000-4000-8000-000000000001"
HERE = Deployment("aws", "eu-west-1", "123456789012", "dev")
HOLD = Hold(
    name_rule(HERE, ID),
    "k8s",
    ID,
    tuple(map(Dependency, ("infra", "network"))),
    datetime(2026, 1, 5, 12, 2, 30, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("minute", "every", "expected"),
    [
        (2, 5, "cron(2/5 * * * ? *)"),
        (2, 60, "cron(2 * * * ? *)"),
        (59, 5, "cron(4/5 * * * ? *)"),
        (45, 30, "cron(15/30 * * * ? *)"),
        (7, 1, "cron(0/1 * * * ? *)"),
    ],
)
def test_the_schedule(minute: int, every: int, expected: str) -> None:
    schedule = Schedule.begin(datetime(2026, 1, 5, 12, minute, 30, tzinfo=UTC), every)
    assert schedule.expression == expected
    assert Schedule.parse(expected) == schedule


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from(RETRY_MINUTES),
)
def test_it_fires_retry_minutes_after_the_current_minute_and_at_that_distance_ever_after(
    now: datetime, every: int
) -> None:
    schedule = Schedule.begin(now, every)
    fields = schedule.expression.removeprefix("cron(").removesuffix(")").split()
    times = CronSim(" ".join(fields[:5]).replace("?", "*"), now)
    fired = [next(times) for _ in range(40)]
    assert fired[0] == schedule.find_next(now)
    assert all(map(schedule.fires_in_minute_of, fired))
    assert {later - earlier for earlier, later in pairwise(fired)} == {timedelta(minutes=every)}


def test_the_longest_stage_name_fills_a_rules_name() -> None:
    longest = Deployment.from_context(context_of("s" * STAGE_LENGTH))
    assert len(name_rule(longest, ID)) == 64  # model: RuleName


def test_a_longer_stage_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match="Choose a shorter name"):
        Deployment.from_context(context_of("s" * (STAGE_LENGTH + 1)))


def test_a_hold_survives_its_rules_input() -> None:
    """With every field set, so no field can be forgotten."""
    full = replace(
        HOLD,
        variables={"env": "prod"},
        mode=RETRY,
        revisions="held",
        give_up=datetime(2026, 1, 5, 14, tzinfo=UTC),
        on_give_up="continue",
        released_by="arn:aws:iam::123456789012:user/ann",
        comment="urgent",
        job=ID,
        end_reported=True,
        schedule=Schedule(2, 5),
        made=datetime(2026, 1, 5, 12, 30, tzinfo=UTC),
        restart=Restart(ID, "started"),
        gate=("Gate", "Wait"),
        neighbors=(replace(HOLD, depends_on=(Dependency("dns"),), gate=("Gate", "Other")),),
    )
    canceled = replace(full, released_by=None, canceled_by=full.released_by)
    defaults = {field.name: field.default for field in fields(Hold)}
    for name, default in defaults.items():
        assert {getattr(hold, name) != default for hold in (full, canceled)} != {False}
    for hold in (HOLD, full, canceled):
        assert Hold.parse(json.loads(hold.as_input())) == hold


BY = "arn:aws:iam::123456789012:user/ann"
WHOLE = json.loads(HOLD.as_input())


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({"canceled_by": BY, "released_by": BY}, (None, BY, None)),  # nothing is started
        ({"released_by": BY, "comment": 5}, (BY, None, None)),
        ({"released_by": BY, "comment": " \n"}, (BY, None, None)),
        ({"released_by": BY, "comment": "a\nb\u202e\ud800c\x1b[1m"}, (BY, None, "a b c [1m")),
        ({"canceled_by": BY, "comment": "w" * 500}, (None, BY, "w" * 197 + "...")),
        ({"canceled_by": ["ann"], "comment": "why"}, (None, None, None)),
        ({"canceled_by": " "}, (None, None, None)),
    ],
)
def test_a_mark_that_a_person_wrote_by_hand(
    marks: dict[str, object], expected: tuple[str | None, str | None, str | None]
) -> None:
    hold = Hold.parse({**WHOLE, **marks})
    assert hold
    assert (hold.released_by, hold.canceled_by, hold.comment) == expected


@pytest.mark.parametrize("comments", [("a", "a"), ("a", None), (None, "b"), ("a", "b")])
def test_the_comments_of_waits_that_share_a_rule(comments: tuple[str | None, str | None]) -> None:
    first, second = [replace(HOLD, canceled_by=BY, comment=comment) for comment in comments]
    hold = replace(first, neighbors=(replace(second, gate=("Gate", "Other")),))
    assert Hold.parse(json.loads(hold.as_input())) == hold


def test_the_comment_of_one_command_is_stored_once() -> None:
    waits = [
        replace(HOLD, canceled_by=BY, comment="x" * 200, gate=("Gate", name)) for name in "abcde"
    ]
    assert replace(waits[0], neighbors=tuple(waits[1:])).as_input().count("x" * 200) == 1


def test_variables_travel_with_the_hold_if_they_fit() -> None:
    small, large = (
        replace(HOLD, variables={"image": "v1"}),
        replace(HOLD, variables={"image": "v" * 9000}),
    )
    assert Hold.parse(json.loads(small.as_input())) == small
    assert Hold.parse(json.loads(large.as_input())) == HOLD
    assert len(large.as_input()) <= 8192  # model: TargetInput


def test_variables_that_just_fit_travel_too() -> None:
    frame = len(replace(HOLD, variables={"image": ""}).as_input())
    fits, too_large = (
        replace(HOLD, variables={"image": "v" * (8192 - frame + more)}) for more in (0, 1)
    )
    assert len(fits.as_input()) == 8192  # model: TargetInput
    assert Hold.parse(json.loads(fits.as_input())) == fits
    assert Hold.parse(json.loads(too_large.as_input())) == HOLD


def test_times_are_read_as_utc() -> None:
    hold = Hold.parse({**WHOLE, "since": "2026-01-05T13:02:30+01:00"})
    assert hold is not None
    assert hold.since.tzinfo is UTC
    assert hold == HOLD


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"rule": "r"},
        {**WHOLE, "since": "yesterday"},
        {**WHOLE, "since": "0001-01-01T00:00:00+14:00"},
        {**WHOLE, "since": "0001-01-05T00:00:00+00:00"},
        {**WHOLE, "give_up": "9999-12-31T23:59:00+00:00"},
        {**WHOLE, "variables": 5},
        {**WHOLE, "pipeline": ""},
        {**WHOLE, "depends_on": ["infra", "a b"]},
        {**WHOLE, "execution": "newest"},
    ],
)
def test_less_than_a_hold_is_none(broken: dict[str, object]) -> None:
    assert Hold.parse(broken) is None


def test_the_pattern_matches_all_ends_and_only_ends() -> None:
    ends = json.loads(build_pattern(HOLD.depends_on))
    assert ends["detail"] == {
        "pipeline": ["infra", "network"],
        "state": ["SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED"],
    }
    assert ends["detail-type"] == ["CodePipeline Pipeline Execution State Change"]
    assert ends["source"] == ["aws.codepipeline"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "pipeline-gate-dev-" + ID,
        {"rule": 5},
        {"rule": "nightly-backup"},
        {"rule": "pipeline-gate-prod-" + ID},
        {"rule": "pipeline-gate-dev-"},
        {"rule": f"pipeline-gate-dev-{ID}x"},
        {"rule": f"pipeline-gate-dev-x{ID}"},
        {"rule": f"pipeline-gate-dev-{ID}\n"},
    ],
)
def test_a_rule_that_is_not_this_gates_is_refused(event: object) -> None:
    with pytest.raises(RefusedInput):
        read_rule_name(event, HERE)


def test_a_rule_of_this_gate_is_taken() -> None:
    assert read_rule_name({"rule": HOLD.rule}, HERE) == HOLD.rule


class context_of:  # noqa: N801 - reads as a function
    """Lambda's context, as far as the gate reads it."""

    def __init__(self, stage: str, function: str = "gate", qualifier: str = "") -> None:
        name = f"pipeline-gate-{stage}-{function}{qualifier}"
        self.invoked_function_arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"


@pytest.mark.parametrize(
    "context", [context_of("dev"), context_of("dev", "retry"), context_of("dev", qualifier=":live")]
)
def test_the_retrys_arn_follows_from_either_functions_own(context: object) -> None:
    assert Deployment.from_context(context) == HERE
    assert (
        HERE.retry_arn == "arn:aws:lambda:eu-west-1:123456789012:function:pipeline-gate-dev-retry"
    )


def test_without_an_arn_in_the_context_the_environment_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RETRY_FUNCTION_ARN", HERE.retry_arn)
    assert Deployment.from_context(object()) == HERE
    monkeypatch.delenv("RETRY_FUNCTION_ARN")
    with pytest.raises(Misconfigured, match="RETRY_FUNCTION_ARN"):
        Deployment.from_context(object())
