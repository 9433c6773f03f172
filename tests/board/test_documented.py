"""docs/board.md: its numbers, quotes, pictures and settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import NoCredentialsError, NoRegionError

from chalicelib.board.lookout import CALLS_A_SECOND, MIN_PAUSE
from chalicelib.board.page import FOLDER

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/board.md").read_text()
PLAIN = " ".join(DOCUMENT.split())
FILES = [*(file for file in FOLDER.iterdir() if file.is_file()), ROOT / "chalicelib/errors.py"]
SOURCES = " ".join(
    [*(file.read_text() for file in FILES), str(NoCredentialsError()), str(NoRegionError())]
)


def test_its_numbers_are_the_codes() -> None:
    """test_lookout.py and test_page.py test that a reading takes seven calls, and that a hidden
    page sends one request per minute.
    """
    seconds = int(MIN_PAUSE.total_seconds())
    assert (
        f"every {seconds} seconds, or less often if a reading takes more than "
        f"{CALLS_A_SECOND * seconds} calls" in PLAIN
    )
    assert f"no more than {CALLS_A_SECOND * 60} calls per minute on average" in PLAIN
    assert f"makes {60 // seconds} requests per minute" in PLAIN


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(((?!https?:)[^)#]+)", DOCUMENT))))
def test_what_it_links_to_is_there(path: str) -> None:
    assert (ROOT / "docs" / path).is_file()


def test_what_it_quotes_is_said() -> None:
    rows = [line.split("|")[1] for line in DOCUMENT.splitlines() if line.startswith("| `")]
    quotes = [quote for row in rows for quote in re.findall(r"`([A-Z][^`]+?)\.?`", row)]
    assert len(quotes) == 8
    for quote in quotes:
        said = r".*".join(
            map(re.escape, re.split(r"yes|secret|codepipeline:ListPipelines|\(403\)", quote))
        )
        assert re.search(said, SOURCES), quote


def test_the_settings_that_it_shows_are_the_ones_to_change() -> None:
    (shown,) = [
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
        if "stages" in block
    ]
    config = json.loads((ROOT / ".chalice/config.json").read_text())
    ((stage, settings),) = shown["stages"].items()
    assert stage in config["stages"]
    assert set(settings["environment_variables"]) <= set(config["environment_variables"])


def test_the_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs/images").glob("board-*.png"))
    names = [picture.stem for picture in pictures]
    assert names == ["board-dark", "board-light", "board-phone"]
    assert all(picture.stat().st_size < 200_000 for picture in pictures)
