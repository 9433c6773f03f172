"""The position of an execution in its pipeline."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.pipelines.state import ActionState, Parked, PipelineState, StageState

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ASKS, WORKS = (
    ActionState("Ask", "InProgress", NOON, approval=True),
    ActionState("Work", "InProgress", NOON, approval=False),
)
ASKED = ActionState("Asked", "Succeeded", NOON, approval=False)


def stage(
    name: str,
    execution: str | None = None,
    status: str = "",
    *,
    inbound: tuple[str, ...] = (),
    closed: bool = False,
    actions: tuple[ActionState, ...] = (),
) -> StageState:
    return StageState(name, execution, status, inbound, closed, NOON if closed else None, actions)


@pytest.mark.parametrize(
    ("stages", "past"),
    [
        ([stage("A", "e", "InProgress"), stage("B")], False),
        ([stage("A", "e", "Succeeded"), stage("B")], True),
        ([stage("A", "e", "Skipped"), stage("B")], True),
        ([stage("A", "e", "Failed"), stage("B")], False),
        ([stage("A", "e", "Succeeded"), stage("B", "e", "InProgress")], True),
        ([stage("A", "newer", "InProgress"), stage("B", "e", "InProgress")], True),
        ([stage("A", "newer", "InProgress"), stage("B", inbound=("e",))], True),
        ([stage("A", "older", "InProgress", inbound=("e",)), stage("B")], False),
        ([stage("A", "other", "Succeeded"), stage("B")], False),
        ([stage("Z", "e", "Succeeded"), stage("A", "older", "Succeeded")], False),
    ],
)
def test_whether_an_execution_is_past_stage_a(stages: list[StageState], past: bool) -> None:
    assert PipelineState(tuple(stages)).is_past("e", "A") is past


def test_no_execution_is_past_a_stage_that_does_not_exist() -> None:
    assert not PipelineState((stage("A", "e", "Succeeded"),)).is_past("e", "Nowhere")


@pytest.mark.parametrize(
    ("stages", "parked"),
    [
        ([stage("A", "e", "InProgress", actions=(ASKS,))], Parked("A", "Ask", NOON)),
        ([stage("A", "e", "InProgress", actions=(ASKED, ASKS))], Parked("A", "Ask", NOON)),
        ([stage("A", "e", "InProgress", actions=(ASKS, WORKS))], None),
        ([stage("A", "e", "InProgress", actions=(ASKED,))], None),
        ([stage("A", inbound=("e",), closed=True)], Parked("A", None, NOON)),
        ([stage("A", inbound=("e",))], None),
        (
            [stage("A", "older", "InProgress", inbound=("e",), actions=(ASKS,))],
            Parked("A", "Ask", NOON),
        ),
        ([stage("A", "older", "InProgress", inbound=("e",), actions=(WORKS,))], None),
        ([stage("A", "other", "InProgress", actions=(ASKS,))], None),
    ],
)
def test_for_which_person_an_execution_waits(
    stages: list[StageState], parked: Parked | None
) -> None:
    assert PipelineState(tuple(stages)).find_parked("e") == parked
