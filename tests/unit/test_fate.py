"""Whether a hold still stands, decided from plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.holds.fate import (
    Evidence,
    HoldFate,
    Standing,
    find_fate,
)
from chalicelib.holds.verdict import Verdict
from chalicelib.pipelines.execution import Attempt, Execution
from chalicelib.pipelines.state import ActionState, PipelineState, StageState

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def run(
    id_: str,
    status: str,
    minute: int = 0,
    mode: str = "SUPERSEDED",
    commit: str = "c1",
    started_by: str = "",
) -> Execution:
    started = NOON + timedelta(minutes=minute)
    return Execution(id_, status, started, started, mode, {"Source": commit}, started_by)


def attempt(
    status: str, minute: int = 0, function: str = "pipeline-gate-dev-gate", action: str = "Wait"
) -> Attempt:
    return Attempt("Gate", action, status, NOON + timedelta(minutes=minute), "Lambda", function)


CLOSED = (attempt("Failed"),)


def judge(
    executions: Sequence[Execution] | None, attempts: Sequence[Attempt] | None = CLOSED
) -> HoldFate:
    return find_fate(Evidence("k8s", "held", "dev", executions=executions, attempts=attempts))


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ([run("held", "Failed")], Standing.HELD),
        ([run("held", "Failed", 1), run("older", "InProgress")], Standing.HELD),
        ([run("held", "InProgress")], Standing.MOVED_ON),
        ([run("held", "Stopping")], Standing.MOVED_ON),
        ([run("held", "Stopped")], Standing.ENDED),
        ([run("held", "Succeeded")], Standing.ENDED),
        ([run("new", "Failed", 1), run("held", "Failed")], Standing.ENDED),
        ([run("new", "InProgress", 1), run("held", "InProgress")], Standing.MOVED_ON),
        ([run("other", "Failed", 1)], Standing.ENDED),
        ([], Standing.ENDED),
        (
            [run("new", "Succeeded", 1, "PARALLEL"), run("held", "Failed", 0, "PARALLEL")],
            Standing.HELD,
        ),
        (
            [run("new", "Succeeded", 1, "PARALLEL"), run("held", "InProgress", 0, "PARALLEL")],
            Standing.MOVED_ON,
        ),
        ([run("new", "Succeeded", 1, "PARALLEL")], Standing.ENDED),
        (
            [run("new", "Succeeded", 1, "QUEUED"), run("held", "Failed", 0, "QUEUED")],
            Standing.ENDED,
        ),
        (None, Standing.UNKNOWN),
    ],
)
def test_by_its_executions(executions: list[Execution] | None, expected: Standing) -> None:
    assert judge(executions).standing is expected


def test_a_hold_that_is_over_says_why_and_what_replaced_it() -> None:
    replaced = judge([run("new", "InProgress", 1), run("held", "Failed")])
    assert replaced.reason == "a newer execution exists: new is InProgress"
    assert replaced.replaced_by == "new"
    assert judge([]).reason == "its pipeline no longer has an execution held"
    assert judge([run("held", "Stopped")]).reason == "execution held is Stopped"
    deleted = find_fate(Evidence("k8s", "held", "dev", pipeline_exists=False))
    assert (deleted.standing, deleted.reason) == (
        Standing.ENDED,
        ("the pipeline k8s no longer exists"),
    )


def test_a_held_execution_that_is_older_than_what_was_read_is_not_taken_for_gone() -> None:
    newest = [run("new", "Succeeded", 1, "PARALLEL")]
    evidence = Evidence("k8s", "held", "dev", executions=newest, reaches_back=False)
    assert find_fate(evidence).standing is Standing.UNKNOWN


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([attempt("Failed")], Standing.HELD),
        ([attempt("Succeeded", 5), attempt("Failed", 1)], Standing.ENDED),
        ([attempt("Failed", 5), attempt("Succeeded", 1)], Standing.HELD),
        ([attempt("Succeeded"), attempt("Failed", function="deploy-something")], Standing.ENDED),
        ([attempt("Succeeded"), attempt("Failed", action="Wait2")], Standing.HELD),
        (
            [
                attempt(
                    "Succeeded",
                    function="arn:aws:lambda:eu-west-1:123456789012:function:pipeline-gate-dev-gate",
                )
            ],
            Standing.ENDED,
        ),
        ([attempt("Succeeded", function="pipeline-gate-dev-gate:live")], Standing.ENDED),
        ([attempt("Failed"), attempt("InProgress", minute=1)], Standing.MOVED_ON),
        ([attempt("Failed"), attempt("InProgress", minute=1, action="Other")], Standing.HELD),
        ([], Standing.HELD),
        (None, Standing.UNKNOWN),
    ],
)
def test_by_the_attempts_of_one_that_failed(
    attempts: list[Attempt] | None, expected: Standing
) -> None:
    assert judge([run("held", "Failed")], attempts).standing is expected


CANCELED = replace(attempt("Failed"), verdict=Verdict.CANCELED)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((CANCELED,), Standing.ENDED),
        ((CANCELED, attempt("Failed", action="Other")), Standing.HELD),
        ((CANCELED, attempt("InProgress", action="Other")), Standing.MOVED_ON),
        ((CANCELED, attempt("InProgress", minute=1)), Standing.MOVED_ON),
        ((CANCELED, attempt("Failed", minute=1)), Standing.HELD),
    ],
)
def test_a_gate_that_failed_its_action_because_the_wait_was_canceled(
    attempts: Sequence[Attempt], expected: Standing
) -> None:
    assert judge([run("held", "Failed")], attempts).standing is expected


def stage(name: str, *actions: tuple[str, str], execution: str = "held") -> StageState:
    states = [ActionState(action, status, NOON, approval=False) for action, status in actions]
    return StageState(name, execution, "Failed", (), False, None, tuple(states))


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([stage("Gate", ("Wait", "Failed"))], Standing.HELD),
        (
            [stage("Gate", ("Wait", "Succeeded")), stage("Deploy", ("Deploy", "Failed"))],
            Standing.ENDED,
        ),
        (
            [stage("Gate", ("Wait", "Succeeded")), stage("Second", ("Wait", "Failed"))],
            Standing.HELD,
        ),
        ([stage("Gate", ("Wait", "InProgress"))], Standing.MOVED_ON),
        ([stage("Gate", ("Wait", "Succeeded"), execution="newer")], Standing.UNKNOWN),
        ([stage("Gate", ("Deploy", "Succeeded"))], Standing.UNKNOWN),
        ([stage("Condition", ("Wait", "Failed"))], Standing.UNKNOWN),
        ([], Standing.UNKNOWN),
    ],
)
def test_by_the_state_of_its_pipeline(stages: list[StageState], expected: Standing) -> None:
    """A failed condition may have been overridden, which the state does not show."""
    evidence = Evidence(
        "k8s",
        "held",
        "dev",
        executions=[run("held", "Failed")],
        state=PipelineState(tuple(stages)),
        gates={("Gate", "Wait"), ("Second", "Wait"), ("Condition", "Wait")},
        condition_gates={("Condition", "Wait")},
    )
    assert find_fate(evidence).standing is expected
