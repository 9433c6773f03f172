"""What counts as running and as a success where an execution's status alone does not tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.aws.parsing import parse_state
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import PARALLEL, ROLLBACK, Execution
from chalicelib.pipelines.state import ActionState, PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
IDLE, SUCCEEDED = Dependency("infra"), Dependency("infra", require="succeeded")


def ran(id_: str, status: str, begin: float, end: float, **changes: str) -> Execution:
    """`begin`, `end`: in minutes before noon."""
    started, ended = NOON - timedelta(minutes=begin), NOON - timedelta(minutes=end)
    return replace(Execution(id_, status, started, ended), **changes)  # type: ignore[arg-type]


def stage(name: str, execution: str | None, status: str, *inbound: str) -> StageState:
    return StageState(
        name, execution, status, inbound, transition_disabled=False, disabled_since=None, actions=()
    )


@pytest.mark.parametrize(
    ("cancelled_ago", "later", "idle"),
    [
        (0, None, False),
        (1.99, None, False),
        (2, None, True),
        (1, ran("b", "Succeeded", 1, 0.5), True),  # started again in that very moment
        (1, ran("b", "Succeeded", 5, 0.5), False),  # it began before, so it is no restart
        (1, ran("b", "Cancelled", 0.5, 0.4), False),
    ],
)
@pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED", PARALLEL])
def test_a_cancelled_execution_counts_as_running_until_it_had_time_to_start_again(
    cancelled_ago: float, later: Execution | None, idle: bool, mode: str
) -> None:
    executions = [ran("a", "Cancelled", 10, cancelled_ago), *([later] if later else [])]
    executions = [replace(one, mode=mode) for one in executions[::-1]]
    assert Upstream(IDLE, tuple(executions), read_at=NOON).satisfied is idle


def test_a_cancelled_execution_counts_wherever_it_was() -> None:
    """The one that is started in its place runs the stage again, and asks no person before that."""
    state = PipelineState((stage("Net", "a", "Succeeded"), stage("Ask", "a", "Cancelled")))
    dependency = Dependency("infra", stage="Net", parked="pass")
    cancelled = ran("a", "Cancelled", 10, 1)
    upstream = Upstream(dependency, (cancelled,), state, read_at=NOON)
    assert not upstream.satisfied
    assert replace(upstream, read_at=NOON + timedelta(minutes=1)).satisfied


@pytest.mark.parametrize(
    ("executions", "succeeded"),
    [
        ([ran("b", "Cancelled", 20, 10), ran("a", "Succeeded", 40, 30)], False),
        ([ran("c", "Succeeded", 9, 5), ran("b", "Cancelled", 20, 10)], True),
        ([ran("b", "Succeeded", 20, 10, kind=ROLLBACK), ran("a", "Succeeded", 40, 30)], False),
        ([ran("b", "Failed", 20, 10, kind=ROLLBACK), ran("a", "Succeeded", 40, 30)], False),
        ([ran("c", "Succeeded", 9, 5), ran("b", "Succeeded", 20, 10, kind=ROLLBACK)], True),
        ([ran("b", "Failed", 20, 15), ran("a", "Succeeded", 40, 10)], False),
    ],
)
def test_neither_a_cancelled_execution_nor_a_rollback_is_a_success(
    executions: list[Execution], succeeded: bool
) -> None:
    upstream = Upstream(SUCCEEDED, tuple(executions), read_at=NOON)
    assert upstream.satisfied is succeeded
    assert replace(upstream, dependency=IDLE).satisfied


def test_a_rolled_back_stage_has_not_succeeded() -> None:
    dependency = Dependency("infra", require="succeeded", stage="Net")
    net, apps = stage("Net", "b", "Succeeded"), stage("Apps", "a", "Succeeded")
    executions = (ran("b", "Succeeded", 20, 10, kind=ROLLBACK), ran("a", "Succeeded", 40, 30))
    assert not Upstream(
        dependency, executions, PipelineState((replace(net, kind=ROLLBACK), apps))
    ).satisfied
    # The rollback of another stage does not count.
    net = replace(net, execution="a")
    state = PipelineState((net, replace(apps, execution="b", kind=ROLLBACK)))
    assert Upstream(dependency, executions, state).satisfied


@pytest.mark.parametrize(
    ("executions", "last", "succeeded"),
    [
        ([ran("b", "Failed", 20, 15), ran("a", "Succeeded", 40, 10)], "a", True),
        ([ran("b", "Succeeded", 20, 15), ran("a", "Failed", 40, 10)], "a", False),
        ([ran("b", "Succeeded", 20, 15), ran("a", "Cancelled", 40, 10)], "a", False),
        ([ran("b", "Succeeded", 20, 15), ran("a", "Superseded", 40, 10)], "b", True),
        ([ran("b", "Superseded", 20, 15)], None, False),
        ([], None, False),
    ],
)
def test_side_by_side_the_execution_that_ended_last_decides(
    executions: list[Execution], last: str | None, succeeded: bool
) -> None:
    in_parallel = tuple(replace(one, mode=PARALLEL) for one in executions)
    upstream = Upstream(SUCCEEDED, in_parallel, read_at=NOON)
    assert (upstream.last_execution_id, upstream.satisfied) == (last, succeeded)


@pytest.mark.parametrize(
    ("stages", "running"),
    [
        ([stage("Net", "old", "InProgress")], ["old"]),
        ([stage("Net", "old", "Stopping")], ["old"]),
        ([stage("Net", "old", "Succeeded"), stage("Apps", None, "", "old")], ["old"]),
        ([stage("Net", "a", "InProgress"), stage("Apps", "old", "InProgress", "a")], ["old"]),
        ([stage("Net", "old", "Succeeded"), stage("Apps", "old", "Failed")], []),
        ([stage("Net", "a", "InProgress")], []),
    ],
)
def test_what_the_state_shows_in_progress_counts_whatever_its_age(
    stages: list[StageState], running: list[str]
) -> None:
    executions = (ran("b", "Succeeded", 20, 15), ran("a", "InProgress", 40, 0))
    upstream = Upstream(IDLE, executions, PipelineState(tuple(stages)))
    assert list(upstream.blocking_by_state) == running
    without_running = replace(upstream, executions=executions[:1])
    assert without_running.satisfied is (not any(one.busy or one.inbound for one in stages))


@pytest.mark.parametrize(
    ("dependency", "stages", "satisfied"),
    [
        (Dependency("infra", stage="Net"), [("Net", "Succeeded"), ("Apps", "InProgress")], True),
        (Dependency("infra", stage="Apps"), [("Net", "InProgress"), ("Apps", "")], False),
        (Dependency("infra", parked="pass"), [("Ask", "InProgress")], True),
        (Dependency("infra", parked="pass"), [("Net", "InProgress")], False),
        (Dependency("infra"), [("Ask", "InProgress")], False),
    ],
)
def test_an_old_execution_counts_as_the_dependency_says(
    dependency: Dependency, stages: list[tuple[str, str]], satisfied: bool
) -> None:
    approval = ActionState("Ask", "InProgress", NOON, approval=True)
    state = PipelineState(
        tuple(
            replace(
                stage(name, "old" if status else None, status),
                actions=(approval,) if name == "Ask" else (),
            )
            for name, status in stages
        )
    )
    assert Upstream(dependency, (), state).satisfied is satisfied


def test_the_state_says_how_the_last_execution_came_into_a_stage() -> None:
    latest = {"pipelineExecutionId": "a", "status": "Succeeded"}
    answer = {
        "stageStates": [
            {"stageName": "Source"},
            {"stageName": "Net", "latestExecution": latest},
            {"stageName": "Apps", "latestExecution": {**latest, "type": "ROLLBACK"}},
        ]
    }
    state = parse_state(answer)  # type: ignore[arg-type]
    assert [one.kind for one in state.stages] == ["STANDARD", "STANDARD", "ROLLBACK"]
