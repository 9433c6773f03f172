"""Every link in a document leads to an existing file, and to an existing heading in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples/README.md"]


def tokens(page: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        yield token
        yield from token.children or ()


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors that GitHub gives a page's headings."""
    found = re.findall(
        r"^#+ (.*)$",
        re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL),
        flags=re.MULTILINE,
    )
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = {
        str(token.attrs[name])
        for token in tokens(page)
        for name in ("href", "src")
        if name in token.attrs
    }
    for link in sorted(link for link in links if not re.match(r"https?:", link)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in headings(target), (
            f"{page.name} links to {link}, which has no such heading"
        )


def test_every_page_can_be_reached_from_the_start() -> None:
    reached, begin = set[Path](), [ROOT / "README.md"]
    while begin:
        page = begin.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = {
            str(token.attrs["href"]).partition("#")[0]
            for token in tokens(page)
            if "href" in token.attrs
        }
        begin += [
            (page.parent / link).resolve()
            for link in links
            if link and not re.match(r"https?:", link)
        ]
    assert {page for page in PAGES if page.parent.name in ("docs", "examples")} <= reached
