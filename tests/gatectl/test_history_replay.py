"""Tests of what a gate would have done: on plain data with answers calculated by hand, and against
a simulation minute by minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.holds.mode import MODES
from chalicelib.pipelines.dependency import REQUIRE, Dependency, Require
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from gatectl.history.replay import (
    ALWAYS,
    ENDLESS,
    ExecutionGroup,
    HoldOutcome,
    Policy,
    Replay,
    Span,
    find_closed_spans,
    replay_executions,
)
from tests.support.executions import NOON, at, ran


def replay_k8s(
    k8s: Sequence[Execution], mode: str = "SUPERSEDED", **upstreams: Sequence[Execution]
) -> Replay:
    return replay_executions(k8s, upstreams, mode, at(600))


def list_held(policy: Policy) -> list[tuple[str, float | None]]:
    """Return the ids of the held executions, and until which minute after noon."""
    return [
        (hold.execution.id, (hold.until - NOON).total_seconds() / 60 if hold.released else None)
        for hold in policy.held
    ]


def find_outcome(policy: Policy, hold_mode: str) -> HoldOutcome:
    return next(outcome for outcome in policy.outcomes if outcome.mode.name == hold_mode)


def count(group: ExecutionGroup) -> tuple[int, int, int]:
    return len(group), group.finished, group.failed


@pytest.mark.parametrize(
    ("require", "upstreams", "spans"),
    [
        ("idle", [[]], []),
        ("idle", [[ran(590, 600, "Stopping")]], [Span(at(590), ENDLESS)]),
        (
            "idle",  # spans that overlap or touch are one
            [
                [ran(0, 10), ran(5, 20, "Superseded")],
                [ran(15, 30, "Failed"), ran(30, 35), ran(40, 50, "Cancelled")],
            ],
            [Span(at(0), at(35)), Span(at(40), at(50))],
        ),
        ("succeeded", [[]], [Span(ALWAYS, ENDLESS)]),
        (
            "succeeded",  # from a failure to the end of the next success
            [[ran(0, 10), ran(20, 30, "Failed"), ran(40, 50, "Stopped"), ran(60, 70)]],
            [Span(ALWAYS, at(10)), Span(at(20), at(70))],
        ),
        (
            "succeeded",  # superseded is no result, cancelled is no success
            [[ran(0, 10), ran(20, 30, "Superseded"), ran(40, 50, "Cancelled")]],
            [Span(ALWAYS, at(10)), Span(at(20), at(30)), Span(at(40), ENDLESS)],
        ),
        (
            "succeeded",  # nor is a rollback
            [[ran(0, 10), ran(20, 30, kind="ROLLBACK"), ran(40, 50)]],
            [Span(ALWAYS, at(10)), Span(at(20), at(50))],
        ),
        (
            "succeeded",  # in PARALLEL mode, the one that ended last counts
            [
                [
                    replace(execution, mode="PARALLEL")
                    for execution in (ran(0, 40), ran(10, 20, "Failed"), ran(50, 60))
                ]
            ],
            [Span(ALWAYS, at(40)), Span(at(50), at(60))],
        ),
        (
            "succeeded",  # the newest counts, not the one that ended last
            [[ran(0, 40, "Failed"), ran(10, 20)]],
            [Span(ALWAYS, at(40))],
        ),
    ],
)
def test_when_the_gate_is_closed(
    require: Require, upstreams: list[list[Execution]], spans: list[Span]
) -> None:
    assert find_closed_spans(upstreams, require) == tuple(spans)


class TestOverlaps:
    INFRA = (ran(10, 40), ran(100, 130))

    def test_failures_are_counted_with_and_without_an_overlap(self) -> None:
        k8s = [
            ran(0, 8),
            ran(5, 15, "Failed"),  # started before
            ran(20, 30, "Failed"),
            ran(39, 50),
            ran(40, 45, "Failed"),  # started as infra had just ended
            ran(90, 100),  # ended as infra started
            ran(125, 127, "Superseded"),
        ]
        replay = replay_k8s(k8s, infra=self.INFRA)
        assert count(replay.overlapping) == (4, 3, 2)
        assert count(replay.preventable) == (3, 2, 1)
        assert count(replay.apart) == (3, 3, 1)

    def test_each_has_the_executions_that_it_overlapped(self) -> None:
        network = (ran(25, 35),)
        (overlap,) = replay_k8s(
            [ran(0, 8), ran(20, 110)], infra=self.INFRA, network=network
        ).overlaps
        assert overlap.execution.id == "20-110"
        assert overlap.upstreams == {"infra": self.INFRA, "network": network}

    def test_a_long_execution_that_started_long_ago_is_not_missed(self) -> None:
        replay = replay_k8s([ran(500, 501)], infra=(ran(0, 550), ran(10, 20), ran(30, 40)))
        assert replay.overlaps[0].upstreams == {"infra": (ran(0, 550),)}


class TestHeldExecutions:
    INFRA = (ran(-60, -50), ran(10, 40), ran(100, 130, "Failed"), ran(200, 230))
    K8S = (
        ran(0, 30),
        ran(12, 17),
        ran(20, 25),
        ran(30, 60),
        ran(40, 50),
        ran(110, 115),
        ran(150, 155),
        ran(300, 310),
    )

    def test_until_when_for_each_require(self) -> None:
        replay = replay_k8s(self.K8S, infra=self.INFRA)
        idle = [("12-17", 40), ("20-25", 40), ("30-60", 40), ("110-115", 130)]
        assert list_held(replay.find_policy("idle")) == idle
        assert list_held(replay.find_policy("succeeded")) == [
            *idle[:3],
            ("110-115", 230),
            ("150-155", 230),
        ]

    def test_how_long(self) -> None:
        idle = replay_k8s(self.K8S, infra=self.INFRA).find_policy("idle")
        assert [wait.total_seconds() / 60 for wait in idle.waits] == [28, 20, 10, 20]
        assert idle.median == timedelta(minutes=20)

    def test_an_execution_that_would_still_be_held_waits_until_now(self) -> None:
        idle = replay_k8s([ran(580, 590)], infra=(ran(570, 600, "InProgress"),)).find_policy("idle")
        assert list_held(idle) == [("580-590", None)]
        assert (idle.still_held, idle.waits) == (1, (timedelta(minutes=20),))

    def test_nothing_without_an_overlap(self) -> None:
        idle = replay_k8s([ran(0, 5)], infra=(ran(10, 20),)).find_policy("idle")
        assert (idle.held, idle.waits, idle.median) == ((), (), timedelta())

    @pytest.mark.parametrize(
        ("mode", "hold", "ids"),
        [
            ("SUPERSEDED", "restart", ["30-60", "110-115"]),
            ("SUPERSEDED", "retry", ["30-60", "110-115"]),
            ("SUPERSEDED", "wait", ["12-17", "30-60", "110-115"]),
            ("QUEUED", "restart", ["30-60", "110-115"]),
            ("QUEUED", "retry", ["30-60", "110-115"]),
            ("QUEUED", "wait", ["12-17", "20-25", "30-60", "110-115"]),
            ("PARALLEL", "restart", ["12-17", "20-25", "30-60", "110-115"]),
            ("PARALLEL", "wait", ["12-17", "20-25", "30-60", "110-115"]),
        ],
    )
    def test_which_continue(self, mode: str, hold: str, ids: list[str]) -> None:
        idle = replay_k8s(self.K8S, mode, infra=self.INFRA).find_policy("idle")
        assert [held.execution.id for held in find_outcome(idle, hold).continuing] == ids

    @pytest.mark.parametrize(("end", "overlapping"), [(90, 2), (70, 1)])
    def test_what_overlaps_despite_the_gate(self, end: int, overlapping: int) -> None:
        """The first started before infra. The second is held from 20 until 40, and then takes 70
        minutes, into the next run of infra, or 50.
        """
        k8s = [ran(0, 30), ran(20, end), ran(300, 310)]
        idle = replay_k8s(k8s, infra=self.INFRA).find_policy("idle")
        assert [outcome.overlapping for outcome in idle.outcomes] == [overlapping] * 3

    def test_a_rollback_is_not_held_but_ends_the_hold_before_it(self) -> None:
        replay = replay_k8s([ran(12, 17), ran(20, 25, kind="ROLLBACK")], infra=self.INFRA)
        idle = replay.find_policy("idle")
        assert list_held(idle) == [("12-17", 40)]
        assert [len(outcome.continuing) for outcome in idle.outcomes] == [0, 0, 1]
        assert (len(replay.overlapping), len(replay.preventable)) == (2, 1)


# Minute by minute

END = 60
STATUSES = ["Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"]


@st.composite
def pasts(draw: st.DrawFn, kinds: Sequence[str], *, shortest: int) -> list[Execution]:
    """Draw executions of a pipeline within an hour, in any order, but the older one first if two
    start together. An execution that would last beyond the hour is still running.
    """
    executions = []
    for number in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, END - 2))
        end = begin + draw(st.integers(shortest, 20))
        status = "InProgress" if end >= END else draw(st.sampled_from(STATUSES))
        kind = draw(st.sampled_from(kinds))
        executions.append(replace(ran(begin, min(end, END), status, kind), id=str(number)))
    return executions


def is_open(upstreams: Sequence[Sequence[Execution]], require: Require, minute: int) -> bool:
    """Return the gate's own decision for the executions as they were then."""
    then = [
        [
            replace(run, status="InProgress") if run.updated > at(minute) else run
            for run in executions
            if run.started <= at(minute)
        ]
        for executions in upstreams
    ]
    newest_first = [
        tuple(sorted(executions, key=lambda run: run.started)[::-1]) for executions in then
    ]
    return not find_unsatisfied(
        [Upstream(Dependency("infra", require), executions) for executions in newest_first]
    )


class GatedPipeline:
    """A pipeline with a gate, whose executions are started from outside."""

    def __init__(self, mode: str, hold: str) -> None:
        self.one_at_a_time = mode != "PARALLEL"
        self.keeps_one_waiting = mode == "SUPERSEDED"
        self.hold = hold
        self.newest = ""
        self.waiting: list[str] = []
        """Executions held by a rule, in the gate's stage, or before it."""
        self.held: list[str] = []
        self.continued: dict[str, int] = {}

    def start(self, execution: Execution, *, is_open: bool) -> None:
        self.newest = execution.id
        if execution.kind == "ROLLBACK" or is_open:
            return
        self.held.append(execution.id)
        if self.hold == "wait" and self.keeps_one_waiting:
            del self.waiting[1:]  # superseded before the stage
        self.waiting.append(execution.id)

    @property
    def remaining(self) -> list[str]:
        """The executions that would continue if the gate opened now. The hold of an execution that
        is no longer the newest is dropped.
        """
        keeps_all = self.hold == "wait" or not self.one_at_a_time
        return [id_ for id_ in self.waiting if keeps_all or id_ == self.newest]

    def open_gate(self, minute: int) -> None:
        self.continued |= dict.fromkeys(self.remaining, minute)
        self.waiting = []


@given(
    k8s=pasts(["STANDARD", "STANDARD", "ROLLBACK"], shortest=0),
    infra=pasts(["STANDARD"], shortest=1),
    network=pasts(["STANDARD"], shortest=1),
    mode=st.sampled_from(["SUPERSEDED", "QUEUED", "PARALLEL"]),
    require=st.sampled_from(REQUIRE),
    hold=st.sampled_from([*MODES]),
)
@settings(max_examples=100, deadline=None)
def test_it_agrees_with_a_simulation_minute_by_minute(
    k8s: list[Execution],
    infra: list[Execution],
    network: list[Execution],
    mode: str,
    require: Require,
    hold: str,
) -> None:
    pipeline = GatedPipeline(mode, hold)
    for minute in range(END):
        open_now = is_open([infra, network], require, minute)
        if open_now:
            pipeline.open_gate(minute)
        for execution in k8s:
            if execution.started == at(minute):
                pipeline.start(execution, is_open=open_now)
    if is_open([infra, network], require, END):
        pipeline.open_gate(END)

    replay = replay_executions(k8s, {"infra": infra, "network": network}, mode, at(END))
    policy = replay.find_policy(require)
    assert [held.execution.id for held in policy.held] == pipeline.held
    outcome = find_outcome(policy, hold)
    assert (outcome.replaced, outcome.waiting) == (
        len(pipeline.held) - len(pipeline.continued) - len(pipeline.remaining),
        len(pipeline.remaining),
    )
    assert {held.execution.id: held.until for held in outcome.continuing} == {
        id_: at(minute) for id_, minute in pipeline.continued.items()
    }

    busy = set[int]().union(*(list_minutes(run.started, run.updated) for run in [*infra, *network]))
    assert {overlap.execution.id for overlap in replay.overlaps} == {
        run.id for run in k8s if list_minutes(run.started, run.updated) & busy
    }
    starts = {run.id: run.started for run in k8s if run.id not in pipeline.held}
    starts |= {id_: at(minute) for id_, minute in pipeline.continued.items()}
    assert outcome.overlapping == sum(
        bool(list_minutes(starts[run.id], starts[run.id] + (run.updated - run.started)) & busy)
        for run in k8s
        if run.id in starts
    )


def list_minutes(begin: datetime, end: datetime) -> set[int]:
    first, last = ((moment - NOON) // timedelta(minutes=1) for moment in (begin, end))
    return set(range(first, max(last, first + 1)))
