"""What the Board's two routes answer."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.board.serving import Scripted, get, served


@pytest.fixture
def url(told: Scripted) -> Iterator[str]:
    with served(told) as url:
        yield url


def test_the_page_comes_in_one_piece_and_may_run_only_what_is_in_it(url: str) -> None:
    status, headers, html = get(url)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    for directive, tag in (("script-src", "script"), ("style-src", "style")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert inside
        assert policy[directive].split() == [
            f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in inside
        ]
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert not re.search(
        r"""\s(on\w+|style|srcdoc)=|javascript:|<(link|script|img|iframe)[^>]*(src|href)=(?!"data:)""",
        html,
    )


def test_the_state_is_sent_once_and_then_only_that_it_has_not_changed(
    url: str, told: Scripted
) -> None:
    status, headers, body = get(f"{url}state")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert headers["Board-Ask-Again"] == "5.0"
    seen = json.loads(body)["seen"]
    assert (seen["region"], seen["account"]) == ("eu-central-1", "123456789012")
    again = get(f"{url}state", **{"If-None-Match": headers["ETag"]})
    assert (again[0], again[2], again[1]["Board-Looked-At"]) == (304, "", told.at.isoformat())
    told.problem = "AWS denied it."
    status, headers, body = get(f"{url}state", **{"If-None-Match": headers["ETag"]})
    assert (status, json.loads(body)["problem"]) == (200, "AWS denied it.")


def test_nothing_can_be_written(url: str) -> None:
    assert [get(f"{url}{path}", "POST")[0] for path in ("", "state")] == [405, 405]
