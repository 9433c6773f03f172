"""docs/costs.md has the table that its command prints."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from benchmarks.costs import main

PAGE = (Path(__file__).parents[2] / "docs/costs.md").read_text()


def test_the_table_is_what_is_reckoned_now() -> None:
    printed = CliRunner().invoke(main, [], env={"COLUMNS": "80"}).stdout
    assert "\n".join(line.rstrip() for line in printed.splitlines()).strip() in PAGE
