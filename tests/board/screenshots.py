"""The pictures of docs/board.md, taken of that bad afternoon: `make screenshots`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect

from sandbox.clock import utcnow
from sandbox.inprocess import in_process
from sandbox.world import Dials
from tests.board import afternoon
from tests.board.browser import MISSING, installed, started
from tests.board.serving import served
from tests.conftest import executor
from tests.support.scene import Scene

IMAGES = Path(__file__).parents[2] / "docs/images"
LARGEST = 200_000


def take(
    browser: Browser,
    url: str,
    name: str,
    width: int,
    height: int,
    scheme: Literal["light", "dark"],
    scale: float = 1,
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
    )
    page = context.new_page()
    page.clock.install(time=utcnow())
    page.goto(url)
    expect(page.locator(".node")).to_have_count(12)
    file = IMAGES / f"board-{name}.png"
    page.screenshot(path=file, animations="disabled")
    context.close()
    if file.stat().st_size > LARGEST:
        sys.exit(f"{file} has more than {LARGEST} bytes")
    print(os.path.relpath(file))


if __name__ == "__main__":
    if installed() is None:
        sys.exit(MISSING)
    with (
        in_process(executor(), dials=Dials(start_on_create=False)) as world,
        served() as url,
        started() as browser,
    ):
        afternoon.play(Scene(world))
        take(browser, url, "light", 1440, 900, "light")
        take(browser, url, "dark", 1440, 900, "dark")
        take(browser, url, "phone", 360, 780, "light", scale=2)
