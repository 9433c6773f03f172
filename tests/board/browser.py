"""A real headless browser: Debian's Chromium, or the one that this machine has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ON_A_MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = (
    *(
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *("--disable-component-update", "--disable-sync"),
)
"""The browser only opens the Board, and must not send requests to any other server."""
MISSING = (
    "there is no Chromium or Chrome: install one (Debian, Ubuntu: apt-get install "
    "chromium), or name it in CHROMIUM"
)


def installed() -> str | None:
    """The path of the browser; CHROMIUM names another."""
    found = [
        os.environ.get("CHROMIUM"),
        *map(shutil.which, NAMES),
        *(path for path in ON_A_MAC if Path(path).exists()),
    ]
    return next(filter(None, found), None)


@contextmanager
def started() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page's requests, and its errors and warnings."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", self._error)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        # The page itself shows a failed request, and some tests let requests fail.
        if message.type in ("error", "warning") and not message.text.startswith(
            "Failed to load resource"
        ):
            self.complaints.append(message.text)

    def _error(self, error: Error) -> None:
        self.complaints.append(str(error))
