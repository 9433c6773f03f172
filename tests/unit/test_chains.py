"""Chains of pipelines that wait for each other: where they form a cycle, and whether that can ever
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from chalicelib.pipelines.wait_cycles import (
    MARK_LENGTH,
    MAX_PIPELINES_IN_A_CYCLE,
    Cycle,
    Mark,
    WaitEdge,
    WaitingPipeline,
    find_cycle,
    format_mark,
    read_mark,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SUCCESS = "succeeded"


def found(edges: Sequence[WaitEdge], **others: Sequence[WaitEdge]) -> Cycle | None:
    return find_cycle("up", edges, "me", lambda name: WaitingPipeline(others.get(name, ())))


@pytest.mark.parametrize(("require", "deadlock"), [("idle", False), ("succeeded", True)])
def test_it_is_a_deadlock_if_the_requester_can_never_meet_the_requirement(
    require: str, deadlock: bool
) -> None:
    """It is held by a rule, so it is idle."""
    assert found([WaitEdge("me", require)]) == Cycle(("me", "up", "me"), deadlock)


def test_a_chain_that_ends_elsewhere_is_not_a_cycle() -> None:
    assert found([WaitEdge("infra", "idle")], infra=[WaitEdge("net", "idle")]) is None
    assert found([]) is None


def test_a_cycle_is_followed_along_the_chain_and_reads_as_a_sentence() -> None:
    around = found(
        [WaitEdge("b", "idle")], b=[WaitEdge("c", "idle")], c=[WaitEdge("me", "succeeded")]
    )
    assert around == Cycle(("me", "up", "b", "c", "me"), deadlock=False)
    assert (
        str(around) == "me waits for up, which waits for b, which waits for c, which waits for me"
    )


@pytest.mark.parametrize("idle", [None, "up", "b", "c"])
def test_a_cycle_is_a_deadlock_only_if_each_requires_the_success_of_the_next_one(
    idle: str | None,
) -> None:
    def wait(pipeline: str, upstream: str) -> list[WaitEdge]:
        return [WaitEdge(upstream, "idle" if pipeline == idle else SUCCESS)]

    around = found(wait("up", "b"), b=wait("b", "c"), c=wait("c", "me"))
    assert around == Cycle(("me", "up", "b", "c", "me"), deadlock=idle is None)


def test_a_deadlock_is_reported_even_if_a_shorter_cycle_is_not_one() -> None:
    around = found(
        [WaitEdge("a", "idle"), WaitEdge("b", SUCCESS)],
        a=[WaitEdge("me", "idle")],
        b=[WaitEdge("c", SUCCESS)],
        c=[WaitEdge("me", SUCCESS)],
    )
    assert around == Cycle(("me", "up", "b", "c", "me"), deadlock=True)


def test_others_that_wait_for_each_other_are_not_followed_forever() -> None:
    assert (
        found(
            [WaitEdge("b", "idle")],
            b=[WaitEdge("up", "idle"), WaitEdge("c", "idle")],
            c=[WaitEdge("b", "idle")],
        )
        is None
    )


def test_one_that_was_seen_does_not_hide_those_after_it() -> None:
    assert found(
        [WaitEdge("up", SUCCESS), WaitEdge("b", SUCCESS)], b=[WaitEdge("me", SUCCESS)]
    ) == Cycle(("me", "up", "b", "me"), deadlock=True)


def test_the_one_that_asks_is_never_looked_at() -> None:
    def look(name: str) -> WaitingPipeline:
        raise AssertionError(f"looked at {name}")

    assert find_cycle("up", [WaitEdge("me", "idle")], "me", look) == Cycle(
        ("me", "up", "me"), deadlock=False
    )


def test_only_a_limited_number_is_read() -> None:
    looked: list[str] = []

    def look(name: str) -> WaitingPipeline:
        looked.append(name)
        return WaitingPipeline([WaitEdge(f"{name}x", "idle")])

    assert find_cycle("up", [WaitEdge("x", "idle")], "me", look) is None
    assert len(looked) == MAX_PIPELINES_IN_A_CYCLE - 1


def test_a_mark_is_read_as_it_was_written() -> None:
    edges = (WaitEdge("infra", "idle"), WaitEdge("net", "succeeded"))
    assert read_mark(format_mark(NOON, edges)) == Mark(NOON, edges)


def test_a_mark_of_very_many_fits() -> None:
    text = format_mark(NOON, [WaitEdge("x" * 100, "idle")] * 50)
    assert len(text) <= MARK_LENGTH
    read = read_mark(text)
    assert read
    assert 0 < len(read.waits) < 50


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arn:aws:states:x",
        *(
            f"pipeline-gate {more}"
            for more in (
                "",
                "{}",
                "[]",
                "[1]",
                "[[1]]",
                '["2026-01-05T12:00:00Z", [1]]',
                '["9999"]',
            )
        ),
    ],
)
def test_a_foreign_text_is_not_a_mark(text: str) -> None:
    assert read_mark(text) is None
