"""Every command in the documents' console blocks shows what the document says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.page import PAGES, Block, as_told, scenes
from tests.docs.terminal import play
from tests.support.scene import Scene

ROOT = Path(__file__).parents[2]
PLAYS = [
    pytest.param(page, play, id=f"{page.name}: {play[0].scene}")
    for page in PAGES
    for play in scenes(page)
]


@pytest.mark.parametrize(("page", "blocks"), PLAYS)
def test_what_is_typed_shows_what_the_document_says(
    page: Path, blocks: list[Block], scene: Scene
) -> None:
    for block in blocks:
        for typed, shown in zip(block.typed, play(block, scene), strict=True):
            assert as_told(typed.shows, shown), (
                f"{page.name}, line {typed.line + 1}: $ {typed.command}\n{shown}"
            )
