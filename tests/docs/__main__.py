"""`python -m tests.docs` rewrites what the documents' commands show, if that has changed.
Read the difference before a commit.
"""

from __future__ import annotations

import click

from sandbox.inprocess import in_process
from sandbox.world import Dials
from tests.conftest import executor
from tests.docs.page import PAGES, Typed, as_told, scenes
from tests.docs.terminal import play
from tests.support.scene import Scene


@click.command()
def main() -> None:
    """Play every page's scenes, and put what they show into the pages."""
    for page in PAGES:
        shown: list[tuple[Typed, str]] = []
        for blocks in scenes(page):
            with in_process(executor(), dials=Dials(start_on_create=False)) as world:
                it = Scene(world)
                shown += [
                    pair
                    for block in blocks
                    for pair in zip(block.typed, play(block, it), strict=True)
                ]
        lines = page.read_text().splitlines()
        for typed, now in reversed([pair for pair in shown if not as_told(pair[0].shows, pair[1])]):
            begins = typed.line + 1 + len(_continued(lines, typed.line))
            lines[begins : begins + len(typed.shows.splitlines())] = [
                line.rstrip() for line in now.strip("\n").splitlines()
            ]
            click.echo(f"{page.name}, line {typed.line + 1}: $ {typed.command}")
        page.write_text("\n".join(lines) + "\n")


def _continued(lines: list[str], line: int) -> list[str]:
    """The further lines of a command that has several."""
    further: list[str] = []
    while lines[line + len(further)].endswith("\\"):
        further.append(lines[line + len(further) + 1])
    return further


if __name__ == "__main__":
    main()
