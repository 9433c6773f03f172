"""The positions of pipelines in the graph (layout.js), and a graph of as many as an account may
have.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chalicelib.board.page import FOLDER
from tests.board.conftest import Visit
from tests.board.serving import Scripted, served

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ASK = """([names, edges, wide]) => {
  const found = layout(names, edges, wide);
  const ways = edges.map((edge) => found.ways.get(edge) ?? []);
  return {...found, places: Object.fromEntries(found.places), ways};
}"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.add_script_tag(path=FOLDER / "layout.js")
    yield page
    page.close()


def layout(blank: Page, *arrows: str, alone: tuple[str, ...] = (), wide: int = 1) -> Any:
    """The layout of arrows "a>b"."""
    edges = [dict(zip(("from", "to"), arrow.split(">"), strict=True)) for arrow in arrows]
    names = sorted({name for edge in edges for name in edge.values()} | set(alone))
    return blank.evaluate(ASK, [names, edges, wide])


def columns(found: Any) -> dict[str, int]:
    return {name: place["column"] for name, place in found["places"].items()}


def test_a_pipeline_is_to_the_right_of_all_that_it_waits_for(blank: Page) -> None:
    found = layout(blank, "infra>k8s", "k8s>apps", "network>apps", "infra>apps")
    assert columns(found) == {"infra": 0, "k8s": 1, "network": 1, "apps": 2}


def test_an_arrow_over_a_column_leads_around_its_pipelines(blank: Page) -> None:
    found = layout(blank, "infra>k8s", "k8s>apps", "infra>apps")
    ((way,),) = [way for way in found["ways"] if way]
    assert way["column"] == 1
    assert abs(way["row"] - found["places"]["k8s"]["row"]) > 0.5


def test_it_reads_from_what_comes_first_to_what_comes_last(blank: Page) -> None:
    assert [*layout(blank, "c>b", "b>a", "z>y")["places"]] == ["c", "b", "a", "z", "y"]


def test_arrows_that_need_not_cross_do_not(blank: Page) -> None:
    rows = {
        name: place["row"]
        for name, place in layout(blank, "a>z", "b>y", "c>x", "a>y")["places"].items()
    }
    assert (rows["a"] < rows["b"]) == (rows["z"] < rows["y"])


@pytest.mark.parametrize(
    "arrows",
    [["a>b", "b>a"], ["a>a", "a>b"], ["a>b", "b>c", "c>a", "x>b"], ["a>b", "b>a", "b>c", "c>b"]],
)
def test_cycles_are_drawn_too(blank: Page, arrows: list[str]) -> None:
    found = layout(blank, *arrows)
    assert set(found["places"]) == {name for arrow in arrows for name in arrow.split(">")}


def test_small_groups_are_side_by_side_if_there_is_room(blank: Page) -> None:
    found = layout(blank, "a>b", "c>d", "e>f", alone=("g",), wide=4)
    places = {name: (place["column"], place["row"]) for name, place in found["places"].items()}
    upper, lower = [(column, 0) for column in range(4)], [(column, 1) for column in range(3)]
    assert places == dict(zip("abcdefg", upper + lower, strict=True))
    assert (found["columns"], found["rows"]) == (4, 2)


def account_of(number: int, seed: int) -> Any:
    """An account of `number` pipelines in teams of twenty, each waiting for up to three others,
    some in cycles.
    """
    chance = random.Random(seed)
    ids = [f"team-{one // 20}-service-{one}" for one in range(number)]
    nothing = {"link": None, "gated": True, "since": None, "execution": None, "more": 0}
    states = ["succeeded", "failed", "runs", "idle"]
    pipelines = [
        {"id": id_, "name": id_, "where": "", "state": chance.choice(states), **nothing}
        for id_ in ids
    ]
    pairs = {
        (chance.randrange(to - min(to, 9), to), to)
        for to in range(1, number)
        for _ in range(chance.randrange(4))
        if to % 20 > 1
    }
    pairs |= {(one + 1, one) for one in range(0, number - 1, 50)}
    edges = [
        {"from": ids[one], "to": ids[other], "stage": None, "must_succeed": False, "holds": False}
        for one, other in sorted(pairs)
    ]
    empty = ("deadlocks", "parked", "waits", "refusing", "left_over", "not_looked_at")
    place = {"region": "eu-central-1", "account": "123456789012"}
    return {**place, "pipelines": pipelines, "edges": edges, **{key: [] for key in empty}}


@pytest.mark.parametrize(("number", "seed"), [(1, 1), (40, 2), (200, 3)])
def test_no_two_pipelines_overlap(visit: Visit, number: int, seed: int) -> None:
    seen = account_of(number, seed)
    with served(Scripted(seen, NOON)) as url:
        page = visit(url, at=NOON, reduced_motion="reduce")
        expect(page.locator(".node")).to_have_count(number)
        boxes = page.evaluate(
            "[...document.querySelectorAll('.node')].map((one) => "
            "one.getBoundingClientRect().toJSON())"
        )
        for index, one in enumerate(boxes):
            for other in boxes[:index]:
                apart_across = one["left"] >= other["right"] or other["left"] >= one["right"]
                assert (
                    apart_across or one["top"] >= other["bottom"] or other["top"] >= one["bottom"]
                )
        assert page.locator("#edges path:not(.tip)").count() == len(seen["edges"])


def test_of_200_a_person_finds_one_with_its_chain(visit: Visit) -> None:
    seen = account_of(200, 3)
    with served(Scripted(seen, NOON)) as url:
        page = visit(url, at=NOON)
        page.get_by_label("Find a pipeline").fill("service-111")
        expect(page.locator("#found")).to_contain_text("of 200 pipelines")
        left = page.locator(".node .name").all_inner_texts()
        assert "team-5-service-111" in left
        assert len(left) < 50
