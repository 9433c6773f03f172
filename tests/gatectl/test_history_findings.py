"""What the past says about a gate: on plain data, with answers reckoned by hand; and against a
simulation minute by minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.holds.mode import MODES
from chalicelib.pipelines.dependency import REQUIRE, Dependency, Require
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from gatectl.history.findings import Policy, find
from gatectl.history.spans import ALWAYS, ENDLESS, Span, closed, merged

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=600)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def ran(begin: float, end: float, status: str = "Succeeded", kind: str = "STANDARD") -> Execution:
    """An execution from one minute after noon to another."""
    return Execution(f"{begin}-{end}", status, at(begin), at(end), kind=kind)


def held(policy: Policy) -> list[tuple[str, float | None]]:
    """Who, and until which minute after noon."""
    return [
        (
            one.execution.id,
            None if one.until == ENDLESS else (one.until - NOON).total_seconds() / 60,
        )
        for one in policy.held
    ]


class TestWhenTheGateIsClosed:
    def test_spans_that_touch_are_one(self) -> None:
        assert merged(
            [Span(at(5), at(8)), Span(at(0), at(3)), Span(at(8), at(9)), Span(at(1), at(2))]
        ) == (
            Span(at(0), at(3)),
            Span(at(5), at(9)),
        )

    def test_while_any_execution_of_any_upstream_runs(self) -> None:
        infra, network = (
            [ran(0, 10), ran(5, 20, "Superseded")],
            [ran(15, 30, "Cancelled"), ran(40, 50, "Failed")],
        )
        assert closed([infra, network], "idle") == (Span(at(0), at(30)), Span(at(40), at(50)))

    @pytest.mark.parametrize("status", ["InProgress", "Stopping"])
    def test_as_long_as_one_runs_that_has_not_ended(self, status: str) -> None:
        assert closed([[ran(590, 600, status)]], "idle") == (Span(at(590), ENDLESS),)

    def test_from_a_failure_to_the_end_of_the_next_success(self) -> None:
        infra = [ran(0, 10), ran(20, 30, "Failed"), ran(40, 50, "Stopped"), ran(60, 70)]
        assert closed([infra], "succeeded") == (Span(ALWAYS, at(10)), Span(at(20), at(70)))

    def test_superseded_and_cancelled_ones_change_no_result(self) -> None:
        infra = [ran(0, 10), ran(20, 30, "Superseded"), ran(40, 50, "Cancelled")]
        assert closed([infra], "succeeded") == (
            Span(ALWAYS, at(10)),
            Span(at(20), at(30)),
            Span(at(40), at(50)),
        )

    def test_the_newest_counts_not_the_one_that_ended_last(self) -> None:
        infra = [ran(0, 40, "Failed"), ran(10, 20)]
        assert closed([infra], "succeeded") == (Span(ALWAYS, at(40)),)

    def test_always_for_one_that_never_succeeded(self) -> None:
        assert closed([[]], "succeeded") == (Span(ALWAYS, ENDLESS),)
        assert closed([[]], "idle") == ()


class TestWhatOverlapped:
    INFRA = (ran(10, 40), ran(100, 130))

    def test_the_failed_ones_are_counted_by_whether_infra_ran(self) -> None:
        k8s = [
            ran(0, 8),
            ran(5, 15, "Failed"),  # had begun before
            ran(20, 30, "Failed"),
            ran(39, 50),
            ran(40, 45, "Failed"),  # began as infra had just ended
            ran(90, 100),  # ended as it began
            ran(125, 127, "Superseded"),
        ]
        found = find(k8s, {"infra": self.INFRA}, "SUPERSEDED", NOW)
        assert (len(found.overlapping), found.overlapping.finished, found.overlapping.failed) == (
            4,
            3,
            2,
        )
        assert (len(found.preventable), found.preventable.finished, found.preventable.failed) == (
            3,
            2,
            1,
        )
        assert (len(found.apart), found.apart.finished, found.apart.failed) == (3, 3, 1)

    def test_each_is_told_with_those_it_overlapped(self) -> None:
        network = (ran(25, 35),)
        found = find(
            [ran(0, 8), ran(20, 110)], {"infra": self.INFRA, "network": network}, "SUPERSEDED", NOW
        )
        (overlap,) = found.overlaps
        assert overlap.execution.id == "20-110"
        assert overlap.upstreams == {"infra": self.INFRA, "network": network}

    def test_one_long_ago_that_ran_long_is_not_missed(self) -> None:
        found = find(
            [ran(500, 501)], {"infra": (ran(0, 550), ran(10, 20), ran(30, 40))}, "SUPERSEDED", NOW
        )
        assert found.overlaps[0].upstreams == {"infra": (ran(0, 550),)}


class TestWhatWouldBeHeld:
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

    def test_until_when_by_what_is_required(self) -> None:
        found = find(self.K8S, {"infra": self.INFRA}, "SUPERSEDED", NOW)
        idle = [("12-17", 40), ("20-25", 40), ("30-60", 40), ("110-115", 130)]
        assert held(found.policy("idle")) == idle
        assert held(found.policy("succeeded")) == [*idle[:3], ("110-115", 230), ("150-155", 230)]

    def test_how_long(self) -> None:
        idle = find(self.K8S, {"infra": self.INFRA}, "SUPERSEDED", NOW).policy("idle")
        assert [wait.total_seconds() / 60 for wait in idle.waits] == [28, 20, 10, 20]
        assert idle.median == timedelta(minutes=20)

    def test_one_that_would_still_be_held_waits_until_now(self) -> None:
        found = find([ran(580, 590)], {"infra": (ran(570, 600, "InProgress"),)}, "SUPERSEDED", NOW)
        assert held(found.policy("idle")) == [("580-590", None)]
        assert (found.policy("idle").still_held, found.policy("idle").waits) == (
            1,
            (timedelta(minutes=20),),
        )

    def test_nothing_without_an_overlap(self) -> None:
        policy = find([ran(0, 5)], {"infra": (ran(10, 20),)}, "SUPERSEDED", NOW).policy("idle")
        assert (policy.held, policy.waits, policy.median) == ((), (), timedelta())

    @pytest.mark.parametrize(
        ("mode", "hold", "go_on"),
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
    def test_who_goes_on(self, mode: str, hold: str, go_on: list[str]) -> None:
        idle = find(self.K8S, {"infra": self.INFRA}, mode, NOW).policy("idle")
        (way,) = [way for way in idle.ways if way.mode.name == hold]
        assert [one.execution.id for one in way.go_on] == go_on

    def test_what_overlaps_all_the_same(self) -> None:
        """The first had begun before infra did; the one held until 40 then takes 70 minutes, into
        the next run of infra.
        """
        k8s = [ran(0, 30), ran(20, 90), ran(300, 310)]
        idle = find(k8s, {"infra": self.INFRA}, "SUPERSEDED", NOW).policy("idle")
        assert [way.overlapping for way in idle.ways] == [2, 2, 2]
        shorter = find([ran(0, 30), ran(20, 70)], {"infra": self.INFRA}, "SUPERSEDED", NOW).policy(
            "idle"
        )
        assert [way.overlapping for way in shorter.ways] == [1, 1, 1]

    def test_a_rollback_is_not_held_but_ends_the_hold_before_it(self) -> None:
        k8s = [ran(12, 17), ran(20, 25, kind="ROLLBACK")]
        found = find(k8s, {"infra": self.INFRA}, "SUPERSEDED", NOW)
        idle = found.policy("idle")
        assert held(idle) == [("12-17", 40)]
        assert [len(way.go_on) for way in idle.ways] == [0, 0, 1]
        assert (len(found.overlapping), len(found.preventable)) == (2, 1)


# Minute by minute

END = 60
STATUSES = ["Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"]


@st.composite
def pasts(draw: st.DrawFn, kinds: Sequence[str], *, shortest: int) -> list[Execution]:
    """Executions of a pipeline within an hour, in no order, but of two that begin together the
    older first. One that would go on beyond the hour still runs.
    """
    found = []
    for number in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, END - 2))
        end = begin + draw(st.integers(shortest, 20))
        status = "InProgress" if end >= END else draw(st.sampled_from(STATUSES))
        found.append(
            Execution(
                str(number), status, at(begin), at(min(end, END)), kind=draw(st.sampled_from(kinds))
            )
        )
    return found


def is_open(upstreams: Sequence[Sequence[Execution]], require: Require, minute: int) -> bool:
    """Asks the gate's own decision, of the executions as they were then."""
    then = [
        [_as_it_was(one, at(minute)) for one in those if one.started <= at(minute)]
        for those in upstreams
    ]
    newest_first = [tuple(sorted(those, key=lambda one: one.started)[::-1]) for those in then]
    return not find_unsatisfied(
        [Upstream(Dependency("infra", require), those) for those in newest_first]
    )


def _as_it_was(one: Execution, moment: datetime) -> Execution:
    return replace(one, status="InProgress") if one.updated > moment else one


class Pipeline:
    """A pipeline with a gate, whose executions are started from outside."""

    def __init__(self, mode: str, hold: str) -> None:
        self.one_at_a_time = mode != "PARALLEL"
        self.keeps_one_waiting = mode == "SUPERSEDED"
        self.hold = hold
        self.newest = ""
        self.stands: list[Execution] = []
        """Those that a rule holds, or that are in the gate's stage or before it."""
        self.held: list[str] = []
        self.went_on: dict[str, int] = {}

    def starts(self, one: Execution, *, is_open: bool) -> None:
        self.newest = one.id
        if one.kind == "ROLLBACK" or is_open:
            return
        self.held.append(one.id)
        if self.hold == "wait" and self.keeps_one_waiting:
            del self.stands[1:]  # superseded before the stage
        self.stands.append(one)

    @property
    def standing(self) -> list[str]:
        """Those that would go on if the gate opened now: a rule whose execution is not the newest
        any more only goes.
        """
        return [
            one.id
            for one in self.stands
            if self.hold == "wait" or not self.one_at_a_time or one.id == self.newest
        ]

    def opens(self, minute: int) -> None:
        self.went_on |= dict.fromkeys(self.standing, minute)
        self.stands = []


@given(
    k8s=pasts(["STANDARD", "STANDARD", "ROLLBACK"], shortest=0),
    infra=pasts(["STANDARD"], shortest=1),
    network=pasts(["STANDARD"], shortest=1),
    mode=st.sampled_from(["SUPERSEDED", "QUEUED", "PARALLEL"]),
    require=st.sampled_from(REQUIRE),
    hold=st.sampled_from([*MODES]),
)
@settings(max_examples=100, deadline=None)
def test_it_is_what_a_simulation_minute_by_minute_finds(
    k8s: list[Execution],
    infra: list[Execution],
    network: list[Execution],
    mode: str,
    require: Require,
    hold: str,
) -> None:
    pipeline = Pipeline(mode, hold)
    in_order = sorted(k8s, key=lambda one: one.started)
    for minute in range(END):
        open_now = is_open([infra, network], require, minute)
        if open_now:
            pipeline.opens(minute)
        for one in in_order:
            if one.started == at(minute):
                pipeline.starts(one, is_open=open_now)
    if is_open([infra, network], require, END):
        pipeline.opens(END)

    policy = find(k8s, {"infra": infra, "network": network}, mode, at(END)).policy(require)
    assert [one.execution.id for one in policy.held] == pipeline.held
    (way,) = [way for way in policy.ways if way.mode.name == hold]
    assert (way.replaced, way.waiting) == (
        len(pipeline.held) - len(way.go_on) - len(pipeline.standing),
        len(pipeline.standing),
    )
    assert {one.execution.id: one.until for one in way.go_on} == {
        id_: at(minute) for id_, minute in pipeline.went_on.items()
    }

    busy = set[int]().union(*(minutes(one.started, one.updated) for one in [*infra, *network]))
    assert {
        one.execution.id
        for one in find(k8s, {"infra": infra, "network": network}, mode, at(END)).overlaps
    } == {one.id for one in k8s if minutes(one.started, one.updated) & busy}
    later = [
        (at(minute), one)
        for one in k8s
        for id_, minute in pipeline.went_on.items()
        if one.id == id_
    ]
    played = [(one.started, one) for one in k8s if one.id not in pipeline.held] + later
    assert way.overlapping == sum(
        bool(minutes(begin, begin + (one.updated - one.started)) & busy) for begin, one in played
    )


def minutes(begin: datetime, end: datetime) -> set[int]:
    first, last = ((one - NOON) // timedelta(minutes=1) for one in (begin, end))
    return set(range(first, max(last, first + 1)))
