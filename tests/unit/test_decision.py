"""The decisions, on plain data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.holds.fate import (
    Fate,
    choose_revisions,
    find_fate,
    find_restart,
    has_passed_gate,
    is_gate_in_progress,
)
from chalicelib.pipelines.execution import Attempt, Execution, Revision

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
RETRY = "pipeline-gate-dev-retry"
BY_RETRY = f"arn:aws:sts::123456789012:assumed-role/some-role/{RETRY}"


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


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ([run("held", "Failed")], Fate.HELD),
        ([run("held", "Failed", 1), run("older", "InProgress")], Fate.HELD),
        ([run("held", "InProgress")], Fate.UNDECIDED),
        ([run("held", "Stopping")], Fate.UNDECIDED),
        ([run("held", "Stopped")], Fate.OVER),
        ([run("held", "Succeeded")], Fate.OVER),
        ([run("new", "Failed", 1), run("held", "Failed")], Fate.OVER),
        ([run("new", "InProgress", 1), run("held", "InProgress")], Fate.UNDECIDED),
        ([run("other", "Failed", 1)], Fate.OVER),
        ([], Fate.OVER),
        ([run("new", "Succeeded", 1, "PARALLEL"), run("held", "Failed", 0, "PARALLEL")], Fate.HELD),
        (
            [run("new", "Succeeded", 1, "PARALLEL"), run("held", "InProgress", 0, "PARALLEL")],
            Fate.UNDECIDED,
        ),
        ([run("new", "Succeeded", 1, "PARALLEL")], Fate.OVER),
        ([run("new", "Succeeded", 1, "QUEUED"), run("held", "Failed", 0, "QUEUED")], Fate.OVER),
    ],
)
def test_the_fate_of_a_held_execution(executions: list[Execution], expected: Fate) -> None:
    assert find_fate("held", executions).fate is expected


def test_a_hold_that_is_over_says_why() -> None:
    assert (
        find_fate("held", [run("new", "InProgress", 1), run("held", "Failed")]).reason
        == "a newer execution exists: new is InProgress"
    )
    assert find_fate("held", []).reason == "its pipeline knows no execution held any more"
    assert find_fate("held", [run("held", "Stopped")]).reason == "execution held is Stopped"


@pytest.mark.parametrize(
    ("attempts", "by_gate"),
    [
        ([attempt("Failed")], True),
        ([attempt("Succeeded", 5), attempt("Failed", 1)], False),
        ([attempt("Failed", 5), attempt("Succeeded", 1)], True),
        ([attempt("Succeeded"), attempt("Failed", function="deploy-something")], False),
        ([attempt("Succeeded"), attempt("Failed", action="Wait2")], True),
        (
            [
                attempt(
                    "Succeeded",
                    function="arn:aws:lambda:eu-west-1:123456789012:function:pipeline-gate-dev-gate",
                )
            ],
            False,
        ),
        ([attempt("Succeeded", function="pipeline-gate-dev-gate:live")], False),
        ([], True),
    ],
)
def test_whether_the_gate_failed_an_execution(attempts: list[Attempt], by_gate: bool) -> None:
    assert has_passed_gate(attempts, "pipeline-gate-dev-gate") is not by_gate


def parallel(
    id_: str, status: str, minute: int = 0, commit: str = "c1", started_by: str = ""
) -> Execution:
    return run(id_, status, minute, "PARALLEL", commit, started_by)


def test_its_own_restart_ends_a_hold_in_parallel_mode() -> None:
    restart = parallel("again", "InProgress", 5, started_by=BY_RETRY)
    assert find_restart("held", [restart, parallel("held", "Failed")], RETRY) == restart


@pytest.mark.parametrize(
    "other",
    [
        parallel("by-a-person", "InProgress", 5, started_by="arn:aws:iam::123456789012:user/ana"),
        parallel("of-another-commit", "InProgress", 5, commit="c2", started_by=BY_RETRY),
        parallel("before", "Succeeded", -5, started_by=BY_RETRY),
    ],
)
def test_another_execution_does_not_end_a_hold_in_parallel_mode(other: Execution) -> None:
    executions = sorted(
        [other, parallel("held", "Failed")], key=lambda one: one.started, reverse=True
    )
    assert find_restart("held", executions, RETRY) is None


@pytest.mark.parametrize("became", ["Failed", "Succeeded", "InProgress"])
def test_a_restart_that_could_be_a_twins_is_not_taken_for_ones_own(became: str) -> None:
    executions = [
        parallel("again", "InProgress", 5, started_by=BY_RETRY),
        parallel("held", "Failed", 1),
        parallel("twin", became),
    ]
    assert find_restart("held", executions, RETRY) is None


def test_only_parallel_mode_knows_restarts_and_keeps_revisions() -> None:
    source = Attempt("Source", "Source", "Succeeded", NOON, "ECR")
    assert find_restart("held", [run("held", "Failed")], RETRY) is None
    assert choose_revisions(run("held", "Failed"), None, [source]) == ()
    assert choose_revisions(parallel("held", "Failed"), None, [source]) == (
        Revision("Source", "ECR", "c1"),
    )


def test_the_revisions_that_are_asked_for_are_taken_in_any_mode() -> None:
    for own in (run("held", "Failed"), parallel("held", "Failed")):
        assert choose_revisions(own, "latest", []) == ()
        assert choose_revisions(own, "held", []) == (Revision("Source", "", "c1"),)


def test_a_gate_is_asked_again_unless_another_has_closed() -> None:
    failed, again = attempt("Failed"), attempt("InProgress", minute=1)
    assert is_gate_in_progress([failed, again], "pipeline-gate-dev-gate")
    assert not is_gate_in_progress([failed], "pipeline-gate-dev-gate")
    assert not is_gate_in_progress(
        [failed, attempt("InProgress", minute=1, action="Other")], "pipeline-gate-dev-gate"
    )


def test_a_held_execution_that_is_a_restart_itself_is_not_its_own_restart() -> None:
    assert find_restart("held", [parallel("held", "Failed", started_by=BY_RETRY)], RETRY) is None


def test_a_source_whose_provider_aws_does_not_tell_keeps_its_revision() -> None:
    assert choose_revisions(parallel("held", "Failed"), None, []) == (Revision("Source", "", "c1"),)
