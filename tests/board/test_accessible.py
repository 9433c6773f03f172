"""The Board on a phone, by keyboard, by a screen reader, in light and dark, and without motion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.board.afternoon import FAULTS
from tests.board.conftest import OpenBoard
from tests.board.serving import Scripted

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
DESKTOP, PHONE = (1440, 900), (360, 740)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

FOCUSED = """() => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  const box = focused.getBoundingClientRect();
  return {
    who: focused === document.body ? null : (focused.ariaLabel ?? focused.innerText) || focused.id,
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.top >= 0 && box.left >= 0
      && box.bottom <= innerHeight && box.right <= innerWidth,
  };
}"""


def everything(told: Scripted) -> None:
    """All that the page can show at once."""
    told.problem = "codepipeline:ListPipelines was not answered (ThrottlingException)."
    told.seen = {**told.seen, **FAULTS}


def nothing(told: Scripted) -> None:
    told.seen = {**told.seen, "pipelines": [], "edges": [], "waits": []}


def no_answer_yet(told: Scripted) -> None:
    told.seen, told.problem = None, "Unable to locate credentials."


@pytest.mark.parametrize("shown", [everything, nothing, no_answer_yet])
def test_axe_finds_nothing_in_light_and_dark_on_a_desktop_and_a_phone(
    told: Scripted, open_board: OpenBoard, shown: Callable[[Scripted], None]
) -> None:
    shown(told)
    page = open_board()
    for summary in page.get_by_text("The gate's message").all():
        summary.click()
    page.clock.resume()  # axe waits between its steps
    page.evaluate(AXE)
    for width, height in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found: Any = page.evaluate("axe.run({resultTypes: ['violations']})")
            assert found["violations"] == [], (width, scheme)


def stops(page: Page) -> Iterator[dict[str, Any]]:
    """Each element that the Tab key leads to, until it has left the page."""
    for _ in range(200):
        page.keyboard.press("Tab")
        stop: dict[str, Any] = page.evaluate(FOCUSED)
        if stop["who"] is None:
            return
        yield stop


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_tab_key_reaches_everything_and_shows_the_focus(
    told: Scripted, open_board: OpenBoard, size: tuple[int, int]
) -> None:
    page = open_board(width=size[0], height=size[1], reduced_motion="reduce")
    expect(page.locator(".node")).to_have_count(12)
    walked = [*stops(page)]
    assert [stop["who"] for stop in walked if not (stop["ring"] and stop["seen"])] == []
    names = [stop["who"] for stop in walked]
    k8s = told.seen["waits"][0]["execution"]["id"][:8]
    assert names[:6] == [
        "Skip to the waiting pipelines",
        "Theme: system",
        "k8s",
        "The gate's message",
        f"Execution {k8s} of k8s",
        "The rule that holds k8s",
    ]
    pipelines = [name for name in names[names.index("find") :] if not name.startswith("Execution")]
    assert pipelines[:5] == ["find", "only-waiting", "database", "network", "infra"]
    assert len(pipelines) == 2 + 11  # dns is elsewhere: no link leads there


def test_a_keyboard_skips_to_the_waiting_pipelines_and_unfolds_the_gates_message(
    page: Page,
) -> None:
    expect(page.locator(".card")).to_have_count(4)
    for key in ("Tab", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.id") == "waiting"
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".reason").first).to_contain_text(
        "k8s has been waiting for infra since 12:31 UTC. infra is running: execution"
    )


def test_a_screen_reader_hears_the_arrows_as_words(page: Page) -> None:
    expect(
        page.get_by_role("region", name="Pipelines").get_by_role("list")
    ).to_match_aria_snapshot("""
      - list:
        - listitem:
          - heading "api" [level=3]
          - paragraph:
            - text: Waiting
            - time: for 8 min
          - paragraph:
            - link /Execution .* of api/
          - paragraph: After database (must succeed, holds it now) and network
        - listitem:
          - heading "dns (us-east-1)" [level=3]
          - paragraph: Not visible from here
    """)
    assert [heading.inner_text() for heading in page.get_by_role("heading", level=2).all()] == [
        "Waiting now",
        "Pipelines",
        "Changes since you opened this page",
    ]


def test_what_changes_is_announced_politely_and_what_ticks_is_not(page: Page) -> None:
    """The roles status and log are polite live regions (WAI-ARIA)."""
    expect(page.get_by_role("log")).to_have_count(1)
    assert page.locator("#problem").get_attribute("role") == "status"
    loud = (
        "[role=log] [data-clock], [role=status] [data-clock], output [data-clock], "
        "[aria-live=assertive], [role=alert]"
    )
    assert page.locator(loud).count() == 0


@pytest.mark.parametrize("width", [320, 360, 720])
def test_nothing_is_wider_than_a_phone(open_board: OpenBoard, width: int) -> None:
    page = open_board(width=width, height=740, has_touch=True)
    expect(page.locator(".node")).to_have_count(12)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = [node.bounding_box() for node in page.locator(".node").all()]
    assert boxes == sorted(boxes, key=lambda box: box["y"] if box else 0)
    words = page.locator(".node").all_inner_texts()
    assert next(text for text in words if text.startswith("k8s")).endswith(
        "After infra (holds it now) and network"
    )
    order = [text.partition("\n")[0] for text in words]
    chain = ["infra", "k8s", "apps", "smoke-tests"]
    assert [name for name in order if name in chain] == chain


def test_the_theme_is_the_systems_unless_a_person_chooses_and_stays_so(
    open_board: OpenBoard,
) -> None:
    def ground(page: Page) -> int:
        """How light the page's ground is."""
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)))

    page = open_board(color_scheme="dark")
    assert ground(page) < 150
    page.get_by_role("button", name="Theme: system").click()
    assert ground(page) > 600
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert ground(page) > 600
    page.get_by_role("button", name="Theme: light").click()
    assert ground(page) < 150


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_if_reduced_motion_is_preferred(
    open_board: OpenBoard, motion: Any, *, moves: bool
) -> None:
    page = open_board(reduced_motion=motion)
    expect(page.locator(".node.is-runs")).to_be_visible()
    assert bool(page.evaluate("document.getAnimations().length")) == moves


def test_each_state_has_a_shape_of_its_own(page: Page) -> None:
    """So no one has to distinguish colors."""
    expect(page.locator(".node")).to_have_count(12)
    shapes = {
        name: page.locator(f"#icon-{name}").inner_html()
        for name in page.evaluate("Object.keys(WORDS)")
    }
    assert len(set(shapes.values())) == 10
    for state in ("waits", "runs", "failed", "elsewhere"):
        assert page.locator(f".node.is-{state} h3 use[href='#icon-{state}']").count()
