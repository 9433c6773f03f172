"""Whether an upstream keeps a gate closed, according to AWS's answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import PARALLEL, Execution
from chalicelib.pipelines.state import ActionState, PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from chalicelib.pipelines.wait_cycles import Cycle

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
INFRA, SUCCEEDED = Dependency("infra"), Dependency("infra", require="succeeded")
HOLD = Hold("a-rule", "infra", "a", (Dependency("net"),), NOON)
FOR_EVER, IN_TURN = (
    Cycle(("k8s", "infra", "k8s"), deadlock=True),
    Cycle(("k8s", "infra", "k8s"), deadlock=False),
)


def history(*statuses: str, mode: str = "SUPERSEDED") -> tuple[Execution, ...]:
    """Executions named a, b, c, newest first."""
    return tuple(
        Execution(name, status, NOON - timedelta(hours=n), NOON, mode)
        for n, (name, status) in enumerate(zip("abcdef", statuses, strict=False))
    )


def stage(name: str, execution: str | None, status: str, *, asks: bool = False) -> StageState:
    action = ActionState(
        "Act", "InProgress" if status in ("InProgress", "Stopping") else status, NOON, approval=asks
    )
    return StageState(
        name,
        execution,
        status,
        (),
        transition_disabled=False,
        disabled_since=None,
        actions=(action,),
    )


@pytest.mark.parametrize(
    ("statuses", "idle", "succeeded"),
    [
        ([], True, False),
        (["Succeeded"], True, True),
        (["Failed"], True, False),
        (["Stopped", "Succeeded"], True, False),
        (["Failed", "Succeeded"], True, False),
        (["Superseded", "Succeeded"], True, True),
        (["Superseded", "Superseded", "Succeeded", "Failed"], True, True),
        (["Cancelled", "Superseded", "Succeeded"], True, False),
        (["InProgress", "Succeeded"], False, False),
        (["Stopping", "Succeeded"], False, False),
        (["Succeeded", "InProgress"], False, False),
    ],
)
def test_idle_and_succeeded(statuses: list[str], idle: bool, succeeded: bool) -> None:
    executions = history(*statuses)
    assert Upstream(INFRA, executions).satisfied is idle
    assert Upstream(SUCCEEDED, executions).satisfied is succeeded


def test_one_of_which_aws_does_not_tell_is_neither() -> None:
    assert not Upstream(INFRA, unanswered="throttled").satisfied
    assert not Upstream(SUCCEEDED, history("Succeeded"), unanswered="throttled").satisfied


@pytest.mark.parametrize(
    ("executions", "held"),
    [
        (history(), None),
        (history("Failed"), "a"),
        (history("Failed", "Failed"), "a"),
        (history("Succeeded", "Failed"), None),
        (history("Superseded", "Failed"), None),
        (history("InProgress", "Failed"), None),
        (history("Failed", "InProgress"), None),
        (history("Succeeded", "Failed", mode=PARALLEL), "b"),
        (history("Succeeded", "Failed", "Failed", mode=PARALLEL), "b"),
        (history("Succeeded", "Succeeded", mode=PARALLEL), None),
    ],
)
def test_which_execution_may_be_held(executions: tuple[Execution, ...], held: str | None) -> None:
    found = Upstream(INFRA, executions).possibly_held
    assert (found.id if found else None) == held


@pytest.mark.parametrize(
    ("wanted", "cycle", "satisfied", "deadlocked"),
    [
        (INFRA, None, False, False),
        (INFRA, IN_TURN, True, False),
        (INFRA, FOR_EVER, True, False),
        (SUCCEEDED, None, False, False),
        (SUCCEEDED, IN_TURN, False, False),
        (SUCCEEDED, FOR_EVER, False, True),
    ],
)
def test_one_that_is_held_runs_again_unless_it_waits_for_the_one_that_asks(
    wanted: Dependency, cycle: Cycle | None, satisfied: bool, deadlocked: bool
) -> None:
    upstream = Upstream(wanted, history("Failed"), hold=HOLD, cycle=cycle)
    assert (upstream.satisfied, upstream.deadlocked) == (satisfied, deadlocked)


@pytest.mark.parametrize(
    ("wanted", "cycle", "deadlocked"),
    [(SUCCEEDED, FOR_EVER, True), (SUCCEEDED, IN_TURN, False), (INFRA, FOR_EVER, False)],
)
def test_one_that_runs_and_waits_for_the_one_that_asks_is_a_deadlock_if_it_can_never_end(
    wanted: Dependency, cycle: Cycle, deadlocked: bool
) -> None:
    assert Upstream(wanted, history("InProgress"), cycle=cycle).deadlocked is deadlocked


@pytest.mark.parametrize(
    ("statuses", "stages", "idle", "succeeded", "behind"),
    [
        (["Succeeded"], [stage("Net", "a", "Succeeded")], True, True, "a"),
        (["Succeeded"], [stage("Net", "a", "Skipped")], True, False, "a"),
        (
            ["Failed"],
            [stage("Net", "a", "Succeeded"), stage("Apps", "a", "Failed")],
            True,
            True,
            "a",
        ),
        (
            ["Failed", "Succeeded"],
            [stage("Build", "a", "Failed"), stage("Net", "b", "Succeeded")],
            True,
            True,
            "b",
        ),
        (["Failed"], [stage("Net", "a", "Failed")], True, False, "a"),
        (
            ["InProgress", "Succeeded"],
            [stage("Net", "a", "Succeeded"), stage("Apps", "a", "InProgress")],
            True,
            True,
            "a",
        ),
        (
            ["InProgress", "Succeeded"],
            [stage("Build", "a", "InProgress"), stage("Net", "b", "Succeeded")],
            False,
            False,
            "b",
        ),
        (["InProgress"], [stage("Net", "a", "InProgress")], False, False, "a"),
        (
            ["Succeeded"],
            [stage("Net", "a", "InProgress")],
            False,
            False,
            "a",
        ),  # it was retried after the executions were read
        ([], [stage("Net", None, "")], True, False, None),
    ],
)
def test_one_stage_of_it(
    statuses: list[str], stages: list[StageState], idle: bool, succeeded: bool, behind: str | None
) -> None:
    upstream = Upstream(
        replace(INFRA, stage="Net"), history(*statuses), PipelineState(tuple(stages))
    )
    assert (upstream.satisfied, upstream.last_execution_id) == (idle, behind)
    assert replace(upstream, dependency=replace(SUCCEEDED, stage="Net")).satisfied is succeeded


def test_in_parallel_mode_an_execution_that_is_not_shown_is_not_past_the_stage() -> None:
    executions = history("InProgress", "InProgress", mode=PARALLEL)
    state = PipelineState((stage("Net", "a", "Succeeded"), stage("Apps", "a", "InProgress")))
    assert [
        one.id for one in Upstream(replace(INFRA, stage="Net"), executions, state).blocking
    ] == ["b"]


@pytest.mark.parametrize(
    ("stages", "runs"),
    [
        ([stage("Ask", "a", "InProgress", asks=True)], False),
        ([stage("Ask", "a", "InProgress")], True),
        ([stage("Ask", "other", "InProgress", asks=True)], True),
    ],
)
@pytest.mark.parametrize("one_stage", [None, "Ask"])
def test_one_that_waits_for_a_person_counts_or_not(
    stages: list[StageState], runs: bool, one_stage: str | None
) -> None:
    upstream = Upstream(
        replace(INFRA, parked="pass", stage=one_stage),
        history("InProgress"),
        PipelineState(tuple(stages)),
    )
    assert upstream.satisfied is not runs
    assert not replace(upstream, dependency=replace(INFRA, stage=one_stage)).satisfied


def test_a_stage_that_was_retried_after_the_executions_were_read_can_wait_for_a_person() -> None:
    upstream = Upstream(
        replace(INFRA, stage="Ask"),
        history("Failed"),
        PipelineState((stage("Ask", "a", "InProgress", asks=True),)),
    )
    assert not upstream.satisfied
    assert replace(upstream, dependency=replace(upstream.dependency, parked="pass")).satisfied


@pytest.mark.parametrize(
    ("statuses", "behind"),
    [(["Succeeded"], "a"), (["InProgress", "Superseded", "Failed"], "c"), ([], None)],
)
def test_behind_whom_a_gate_passes(statuses: list[str], behind: str | None) -> None:
    assert Upstream(INFRA, history(*statuses)).last_execution_id == behind


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_an_upstream_runs_also_when_an_older_execution_does(status: str) -> None:
    upstream = Upstream(INFRA, history("Succeeded", status))
    assert find_unsatisfied([upstream]) == (upstream,)


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"])
def test_the_gate_is_open_when_no_execution_runs(status: str) -> None:
    assert (
        find_unsatisfied([Upstream(INFRA, history(status)), Upstream(Dependency("never-ran"))])
        == ()
    )


def test_an_upstream_that_aws_does_not_tell_of_keeps_the_gate_closed() -> None:
    silent = Upstream(INFRA, unanswered="throttled")
    assert find_unsatisfied([silent, Upstream(Dependency("network"), history("Succeeded"))]) == (
        silent,
    )
