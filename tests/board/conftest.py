"""The Board in a browser: one for all of these tests, and what each page did in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chalicelib.board.lookout import Lookout
from sandbox.clock import utcnow
from sandbox.inprocess import in_process
from sandbox.world import Dials
from tests.board import afternoon
from tests.board.browser import MISSING, Watched, installed, started
from tests.board.serving import Scripted, served
from tests.conftest import executor
from tests.support.scene import Scene

Visit = Callable[..., Page]
OpenBoard = Callable[..., Page]

expect.set_options(timeout=30_000)  # a slow machine is no fault of the Board's


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if installed() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    with started() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens pages: visit(url, at=..., width=..., height=..., and what Browser.new_context takes).
    The time on them is driven, from `at` on.

    At the end none of them may have asked another server for anything, or complained of anything.
    """
    visits = []

    def open_page(
        url: str, *, at: datetime, width: int = 1440, height: int = 900, **more: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        page = context.new_page()
        visits.append((url, context, Watched(page)))
        page.clock.install(time=at - timedelta(seconds=1))
        page.clock.pause_at(at)
        page.goto(url)
        expect(page.locator("#seen")).not_to_have_attribute("data-live", "reading")
        return page

    yield open_page
    for url, context, watched in visits:
        context.close()
        assert [
            request for request in watched.requests if not request.startswith((url, "data:"))
        ] == []
        assert watched.complaints == []


@pytest.fixture(scope="package")
def seen_that_afternoon() -> tuple[Any, datetime]:
    """What the Board saw in that afternoon's account, and when."""
    with in_process(executor(), dials=Dials(start_on_create=False)) as world:
        afternoon.play(Scene(world))
        return Lookout().ask().state["seen"], utcnow()


@pytest.fixture
def told(seen_that_afternoon: tuple[Any, datetime]) -> Scripted:
    """A lookout that tells of that afternoon."""
    return Scripted(*seen_that_afternoon)


@pytest.fixture
def open_board(told: Scripted, visit: Visit) -> Iterator[OpenBoard]:
    """Opens the Board on what `told` tells: open_board(and what visit takes)."""
    with served(told) as url:
        yield lambda **more: visit(url, **{"at": told.at, **more})


@pytest.fixture
def page(open_board: OpenBoard) -> Page:
    """The Board, opened on that afternoon."""
    return open_board()
