"""Finds the habits of translated English that prose.toml lists, wherever people read: documents,
messages, help texts, the Board's page, docstrings and comments. `make lint` runs it.

Code in documents is left out, except what commands print, and so are literals of one word.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
HABITS = {
    re.compile(habit, re.IGNORECASE): advice
    for habit, advice in tomllib.loads((ROOT / ".ci/prose.toml").read_text("utf-8")).items()
}
OUTPUT_LANGUAGES = {"console", "text"}
"""The languages of code blocks that show what a command prints."""


def main() -> int:
    """Print every habit with its place and what to write instead; returns the exit status."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "*.py", "*.js", "*.html", "Makefile"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    problems = [
        f"{path}:{line}: '{' '.join(match[0].split())}': write {advice}"
        for path in paths
        for line, text in read_prose(path, (ROOT / path).read_text("utf-8"))
        if " " in text
        for habit, advice in HABITS.items()
        for match in habit.finditer(text)
    ]
    print("\n".join(problems) or f"{len(paths)} files: plain English, as far as a list can tell.")
    return 1 if problems else 0


def read_prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Yield each piece of prose in a file with its line number (from 1)."""
    if path.suffix == ".md":
        yield from read_markdown(text)
    elif path.suffix == ".py":
        yield from read_python(text)
    else:
        yield from enumerate(text.splitlines(), 1)


def read_markdown(text: str) -> Iterator[tuple[int, str]]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "inline":
            pieces = (
                child.content if child.type == "text" else " " for child in token.children or ()
            )
            yield line, "".join(pieces)
        elif token.type == "fence" and token.info in OUTPUT_LANGUAGES:
            yield line, " ".join(token.content.split())


def read_python(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield node.lineno, " ".join("".join(map(str, parts)).split())


if __name__ == "__main__":
    sys.exit(main())
