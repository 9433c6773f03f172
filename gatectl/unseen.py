"""What of an account AWS does not let be looked at, in words: whoever reads what a command shows is
to know what is left out of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.phrases import join_names
from gatectl.session import Place


def lines(unseen: Mapping[str, str]) -> list[str]:
    """A line for each reason; `unseen`: why, by name (landscape/account.py)."""
    return [
        f"not looked at: {join_names(names)} ({why})" for why, names in by_reason(unseen).items()
    ]


def by_reason(unseen: Mapping[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, why in unseen.items():
        names.setdefault(why, []).append(name)
    return names


def note(place: Place, unseen: Mapping[str, str]) -> None:
    """On standard error: what a program reads stays as it is."""
    for line in lines(unseen):
        place.progress_console.print(line, style="magenta", markup=False, soft_wrap=True)
