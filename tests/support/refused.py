"""gatectl commands that refuse."""

from __future__ import annotations

from typing import Any

from gatectl.session import WRONG_USE
from tests.support.cli import run


def run_refused(*words: str, status: int = WRONG_USE, **options: Any) -> str:
    """Run a command that must end with this status. Returns its complaint, without the line breaks
    that the terminal's width made.
    """
    said = run(*words, **options)
    assert said.status == status, said
    return said.complaint
