"""The asynchronous queue: retries, copies, permission, logs. The executor is a list of outcomes,
the time is driven.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from moto.awslambda.models import LambdaFunction, lambda_backends

from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda import invoke_async, list_finished_runs
from sandbox.clock import DrivenClock
from sandbox.executor import Invocation, RunOutcome
from sandbox.world import current_world
from tests.sandbox.functions import NOON, deploy, lambda_world

OK = RunOutcome('"fine"', None, "hello\n")
BROKEN = RunOutcome('{"errorType": "ValueError"}', "Unhandled", "")
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/gate-1"


class Script:
    """An executor that returns the given outcomes, and notes its invocations."""

    def __init__(self) -> None:
        self.outcomes: list[RunOutcome] = []
        self.invocations: list[Invocation] = []

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        self.invocations.append(invocation)
        return self.outcomes.pop(0) if self.outcomes else OK


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture(autouse=True)
def clock(script: Script) -> Iterator[DrivenClock]:
    with lambda_world(script) as clock:
        yield clock


def starts() -> list[tuple[int, float]]:
    """Of each finished run: the attempt, and how many minutes after noon it began."""
    return [
        (run.attempt, (run.started - NOON) / timedelta(minutes=1))
        for run in list_finished_runs(ACCOUNT, REGION)
    ]


def invoke(
    function: str = "f", service: str = "codepipeline.amazonaws.com", source_arn: str | None = None
) -> None:
    invoke_async(ACCOUNT, REGION, function, '{"a": 1}', service=service, source_arn=source_arn)


def test_the_function_runs_on_the_clock_not_within_the_call(
    clock: DrivenClock, script: Script
) -> None:
    function = deploy()
    invoke()
    assert script.invocations == []
    clock.settle()
    (run,) = list_finished_runs(ACCOUNT, REGION)
    assert (run.invocation.payload, run.outcome) == ('{"a": 1}', OK)
    assert run.invocation.function_arn == function.function_arn


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [([BROKEN] * 4, [(1, 0), (2, 1), (3, 3)]), ([BROKEN, OK], [(1, 0), (2, 1)])],
)
def test_an_error_is_tried_again_after_one_and_then_two_minutes(
    clock: DrivenClock,
    script: Script,
    outcomes: list[RunOutcome],
    expected: list[tuple[int, float]],
) -> None:
    deploy()
    script.outcomes = outcomes.copy()
    invoke()
    clock.advance(timedelta(hours=7))
    assert starts() == expected
    assert len({invocation.request_id for invocation in script.invocations}) == 1


def test_a_function_deleted_before_its_retry_is_not_run(
    clock: DrivenClock, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    deploy()
    script.outcomes = [BROKEN]
    invoke()
    clock.settle()
    lambda_backends[ACCOUNT][REGION].delete_function("f")
    clock.advance(timedelta(hours=1))
    assert starts() == [(1, 0)]
    assert "does not exist" in caplog.text


@pytest.mark.parametrize(("copies", "expected"), [([], []), ([0.0, 120.0], [(1, 0), (1, 2)])])
def test_copies_are_lost_or_doubled_as_the_dial_says(
    clock: DrivenClock, copies: list[float], expected: list[tuple[int, float]]
) -> None:
    deploy()
    current_world().dials.invocation_copies = lambda: copies
    invoke()
    clock.advance(timedelta(hours=1))
    assert starts() == expected


def test_an_event_without_permission_is_refused(clock: DrivenClock, script: Script) -> None:
    deploy()
    with pytest.raises(PermissionError, match="the policy of f does not let"):
        invoke(service="events.amazonaws.com", source_arn=RULE)
    clock.advance(timedelta(hours=1))
    assert script.invocations == []


@pytest.mark.parametrize("name", ["g", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:g", "f:live"])
def test_an_unknown_function_is_a_lookup_error(name: str) -> None:
    deploy()
    with pytest.raises(LookupError, match=f"function .*:{name.rpartition(':')[2]} does not exist"):
        invoke(name)


def test_the_code_does_not_run_under_the_lock(
    clock: DrivenClock, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    held: list[bool] = []

    def run(function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        held.append(current_world().lock._is_owned())  # type: ignore[attr-defined]
        return OK

    monkeypatch.setattr(script, "run", run)
    invoke()
    clock.settle()
    assert held == [False]


def test_what_is_printed_reaches_cloudwatch_logs(clock: DrivenClock) -> None:
    function = deploy()
    invoke()
    clock.settle()
    (stream,) = function.logs_backend.groups["/aws/lambda/f"].streams.values()
    start, printed, end, report = (event.message for event in stream.events)
    request = list_finished_runs(ACCOUNT, REGION)[0].invocation.request_id
    assert start == f"START RequestId: {request} Version: $LATEST"
    assert (printed, end) == ("hello", f"END RequestId: {request}")
    assert report.startswith(f"REPORT RequestId: {request}\tDuration: 0.00 ms")
