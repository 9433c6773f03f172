"""Chains of pipelines that wait for each other: where they come back, and whether that can ever end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from chalicelib.chains import LONGEST, MARK_LENGTH, Asker, Cycle, Edge, Mark, cycle, mark, read_mark

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ME = "5e6f7a8b-0000-4000-8000-000000000001"
HELD, STAYS = Asker("me", ME, stays=False), Asker("me", ME, stays=True)


def found(edges: Sequence[Edge], asker: Asker = HELD, **others: Sequence[Edge]) -> Cycle | None:
    return cycle("up", edges, asker, lambda name: others.get(name, ()))


@pytest.mark.parametrize(
    ("edge", "asker", "deadlock"),
    [
        (Edge("me", "idle"), HELD, False),
        (Edge("me", "idle"), STAYS, True),
        (Edge("me", "succeeded"), HELD, True),
        (Edge("me", "succeeded"), STAYS, True),
        (Edge("me", "idle", (ME[:8],)), STAYS, True),
        (Edge("me", "idle", ("another0",)), STAYS, False),
        (Edge("me", "idle", (ME[:8],)), HELD, False),
    ],
)
def test_it_is_a_deadlock_where_the_asker_can_never_be_what_is_waited_for(edge: Edge, asker: Asker, deadlock: bool) -> None:
    assert found([edge], asker) == Cycle(("me", "up", "me"), deadlock)


def test_a_chain_that_ends_elsewhere_is_no_cycle() -> None:
    assert found([Edge("infra", "idle")], infra=[Edge("net", "idle")]) is None
    assert found([]) is None


def test_a_cycle_is_followed_along_the_chain_and_reads_as_a_sentence() -> None:
    around = found([Edge("b", "idle")], b=[Edge("c", "idle")], c=[Edge("me", "succeeded")])
    assert around == Cycle(("me", "up", "b", "c", "me"), deadlock=True)
    assert str(around) == "me waits for up, which waits for b, which waits for c, which waits for me"


def test_others_that_wait_for_each_other_are_not_followed_for_ever() -> None:
    assert found([Edge("b", "idle")], b=[Edge("up", "idle"), Edge("c", "idle")], c=[Edge("b", "idle")]) is None


def test_only_so_many_are_looked_at() -> None:
    looked: list[str] = []

    def look(name: str) -> Sequence[Edge]:
        looked.append(name)
        return [Edge(f"{name}x", "idle")]

    assert cycle("up", [Edge("x", "idle")], HELD, look) is None
    assert len(looked) == LONGEST - 1


def test_who_does_not_say_who_it_is_closes_no_cycle() -> None:
    assert found([Edge("me", "succeeded")], Asker(None, ME, stays=True)) is None


def test_a_mark_is_read_as_it_was_written() -> None:
    edges = (Edge("infra", "idle", ("1a2b3c4d",)), Edge("net", "succeeded", ()))
    assert read_mark(mark(NOON, edges)) == Mark(NOON, edges)


def test_a_mark_of_very_many_fits() -> None:
    text = mark(NOON, [Edge("x" * 100, "idle", tuple(f"{n:08}" for n in range(10)))] * 50)
    assert len(text) <= MARK_LENGTH
    read = read_mark(text)
    assert read
    assert 0 < len(read.waits) < 50


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arn:aws:states:x",
        *(f"pipeline-gate {more}" for more in ("", "{}", "[]", "[1]", "[[1]]", '["2026-01-05T12:00:00Z", [1]]', '["9999"]')),
    ],
)
def test_what_somebody_else_wrote_is_no_mark(text: str) -> None:
    assert read_mark(text) is None
