"""Pipelines' names in few columns, and the picture's marks where the output has no such
characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix

from rich.text import Text

DOTS = "..."
SHORTEST = 16
PLAIN = str.maketrans("━✔✘■●░▶»│▁▂▃▄▅▆▇█", "=+xo*.>/|.:-=+*#@")
"""What stands for each mark where the output is not in Unicode."""


def labels(names: Sequence[str], width: int) -> list[str]:
    """The names for a page so wide, in a quarter of it. Long ones lose their middle; where they
    cannot be told apart then, the words that all of them begin with, and their end or else their
    middle.
    """
    length = max(SHORTEST, width // 4)
    long = [name for name in names if len(name) > length]
    alike = commonprefix(long)  # noqa: RUF071 - characters are meant
    begin = max(map(alike.rfind, "-_.@")) + 1
    rest = {name: DOTS + name[begin:] for name in long}
    ways = [
        {name: _without_middle(name, length) for name in long},
        {
            name: text if len(text) <= length else text[: length - len(DOTS)] + DOTS
            for name, text in rest.items()
        },
        {name: _without_middle(text, length) for name, text in rest.items()},
    ]
    short = next((way for way in ways if len(set(way.values())) == len(way)), ways[0])
    return [short.get(name, name) for name in names]


def _without_middle(text: str, length: int) -> str:
    kept = length - len(DOTS)
    return text if len(text) <= length else text[: kept // 2] + DOTS + text[kept // 2 - kept :]


def plain(text: Text) -> Text:
    """The same in ASCII: each mark is still one character."""
    text.plain = text.plain.translate(PLAIN)
    return text
