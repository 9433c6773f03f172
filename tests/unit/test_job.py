"""The event of a Lambda action."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.errors import RefusedInput
from chalicelib.job import Job, format_token

ID = "11111111-2222-4333-8444-555555555555"


def event(configuration: object, **more: object) -> dict[str, object]:
    data = {"actionConfiguration": {"configuration": configuration}, **more}
    return {"CodePipeline.job": {"id": ID, "accountId": "123456789012", "data": data}}


def test_a_job_is_read() -> None:
    assert Job.parse(event({"FunctionName": "f", "UserParameters": "infra"})) == Job(
        ID, "123456789012", "infra"
    )


@pytest.mark.parametrize(
    "configuration", [{}, None, "text", {"UserParameters": None}, {"UserParameters": ["infra"]}]
)
def test_a_job_without_parameters_is_still_a_job_to_answer(configuration: object) -> None:
    assert Job.parse(event(configuration)) == Job(ID, "123456789012", None)


@pytest.mark.parametrize(
    "account",
    [None, 123456789012, "", "12345678901", "1234567890123", "12345678901x", ["123456789012"]],
)
def test_what_is_no_account_is_not_repeated(account: object) -> None:
    job = event({})["CodePipeline.job"]
    assert isinstance(job, dict)
    assert Job.parse({"CodePipeline.job": {**job, "accountId": account}}).account == "?"


@pytest.mark.parametrize(
    "other",
    [
        None,
        [],
        "x",
        {},
        {"CodePipeline.job": None},
        {"CodePipeline.job": {"id": 5}},
        {"CodePipeline.job": {"id": "x"}},
    ],
)
def test_what_is_no_job_is_refused_without_repeating_it(other: object) -> None:
    with pytest.raises(RefusedInput, match="not a CodePipeline job"):
        Job.parse(other)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-05",
        "9999-12-31",
        "1999-12-31T23:59:00+00:00",
        "x",
        "",
        None,
        5,
    ],
)
def test_a_token_that_tells_no_time_a_hold_can_have_begun_tells_none(text: object) -> None:
    assert Job.parse(event({}, continuationToken=text)).since is None


@pytest.mark.parametrize("revisions", ["", "commit 1a2b3c4", "A: commit 1 and B: tag v1 | x"])
@pytest.mark.parametrize("gate", [None, ("Gate", "Wait")])
def test_a_token_tells_since_when_its_action_is_open_which_it_is_and_what_continues(
    gate: tuple[str, str] | None, revisions: str
) -> None:
    since = datetime(2026, 1, 5, 12, 4, 30, tzinfo=UTC)
    job = Job.parse(event({}, continuationToken=format_token(since, gate, revisions)))
    assert (job.since, job.gate, job.revisions) == (since, gate, revisions)


def test_a_token_fits() -> None:
    since, gate = datetime(2026, 1, 5, 12, 4, 30, tzinfo=UTC), ("x" * 100, "y" * 100)
    token = format_token(since, gate, "z" * 3000)
    assert len(token) == 2048  # model: ContinuationToken
    assert Job.parse(event({}, continuationToken=token)).gate == gate
