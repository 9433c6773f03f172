"""The console blocks of a document, each with the scene in which its commands run.

A comment before a block starts a new scene, `<!-- scene: infra runs -->`, lets time pass, `<!--
wait: 10 minutes -->`, or (in the tutorial, whose time is real) waits for something, `<!-- until:
k8s is held -->`; without a comment, a block continues where the last one ended. Lines that begin
with "$ " are typed. The others are what the terminal then shows: "…" stands for anything, on a line
of its own for any lines. The answer to a question comes after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
IN_PROCESSES_OF_THEIR_OWN = {"tutorial.md"}
"""Pages whose commands another test runs."""
PAGES = [
    ROOT / "README.md",
    *sorted(
        page for page in (ROOT / "docs").glob("*.md") if page.name not in IN_PROCESSES_OF_THEIR_OWN
    ),
]
IDS = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8}\b")
ANSWER = re.compile(r"\[y/N\]: (\w+)$", re.MULTILINE)
REMARK = re.compile(r"<!-- (scene|wait|until): (.*) -->")


@dataclass(frozen=True)
class Typed:
    """A command, its `line` in the document (from 0), and what it shows."""

    command: str
    shows: str
    line: int

    @property
    def answers(self) -> str:
        """The answers to its questions."""
        return "".join(f"{answer}\n" for answer in ANSWER.findall(self.shows))


@dataclass(frozen=True)
class Block:
    """`scene`: the scene that it starts; None: it continues the last one. `wait`: minutes that pass
    before it; `until`: what has to happen before it.
    """

    scene: str | None
    wait: int
    until: str | None
    typed: tuple[Typed, ...]


def blocks(page: Path) -> list[Block]:
    """The console blocks of a document, in order."""
    found: list[Block] = []
    remarks: dict[str, str] = {}
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "html_block":
            remarks |= dict(REMARK.findall(token.content))
        elif token.type == "fence" and token.info == "console" and token.map:
            wait = int(remarks.pop("wait", "0").split()[0])
            found.append(
                Block(
                    remarks.pop("scene", None),
                    wait,
                    remarks.pop("until", None),
                    tuple(_typed(token.content, token.map[0] + 1)),
                )
            )
    return found


def scenes(page: Path) -> list[list[Block]]:
    """The blocks of each scene, in order."""
    found: list[list[Block]] = []
    for block in blocks(page):
        if block.scene is not None:
            found.append([])
        if not found:
            raise ValueError(
                f"{page.name}, line {block.typed[0].line + 1}: the first block has no scene"
            )
        found[-1].append(block)
    return found


def _typed(text: str, line: int) -> list[Typed]:
    found: list[Typed] = []
    for number, part in enumerate(text.splitlines()):
        if part.startswith("$ "):
            found.append(Typed(part[2:], "", line + number))
        elif found and found[-1].command.endswith("\\") and not found[-1].shows:
            last = found[-1]
            found[-1] = Typed(f"{last.command[:-1]} {part.strip()}", "", last.line)
        elif found:
            last = found[-1]
            found[-1] = Typed(last.command, f"{last.shows}{part}\n", last.line)
    return found


def as_told(told: str, shown: str) -> bool:
    """Whether `shown` is what a document shows. Ids differ from run to run."""
    some_lines = re.split(r"^…\n", _plain(told), flags=re.MULTILINE)
    pattern = r"(?:.*\n)*?".join(
        ".*".join(map(re.escape, lines.split("…"))) for lines in some_lines
    )
    return re.fullmatch(pattern, _plain(shown)) is not None


def _plain(text: str) -> str:
    lines = [
        line.rstrip() for line in IDS.sub(lambda found: "0" * len(found[0]), text).splitlines()
    ]
    return "\n".join(lines).strip("\n") + "\n"
