"""A document as its sections: the JSON that it shows and what it quotes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

IDS = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8}-…|\b[0-9a-f]{8}\b")


@dataclass(frozen=True)
class Section:
    """What a document says under one heading: its JSON blocks and its quotes."""

    title: str
    blocks: list[dict[str, Any]]
    quotes: list[str]

    @property
    def examples(self) -> list[dict[str, Any]]:
        """The blocks that are UserParameters."""
        return [block for block in self.blocks if "depends_on" in block]


def sections(text: str) -> list[Section]:
    return [_section(part) for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]]


def _section(text: str) -> Section:
    title, _, body = text.partition("\n")
    blocks = [
        json.loads(block)
        for block in re.findall(r"^```json\n(.*?)^```", body, flags=re.MULTILINE | re.DOTALL)
    ]
    quotes = [
        quote.group() for quote in re.finditer(r"^ *> .*(\n *>.*)*", body, flags=re.MULTILINE)
    ]
    return Section(
        title, blocks, [plain(re.sub(r"^ *>", "", quote, flags=re.MULTILINE)) for quote in quotes]
    )


def plain(text: str) -> str:
    """The words alone: line breaks are the document's, ids are each run's own."""
    return re.sub(r"\s+", " ", IDS.sub("ID", text)).strip()
