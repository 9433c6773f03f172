"""Names the pipelines that a command left out because AWS denied access to them."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.phrases import join_names
from gatectl.session import Place


def list_lines(unseen: Mapping[str, str]) -> list[str]:
    """Return a line for each reason. `unseen`: the reasons by name, as in AccountView."""
    return [
        f"not checked: {join_names(names)} ({reason})"
        for reason, names in group_by_reason(unseen).items()
    ]


def group_by_reason(unseen: Mapping[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, reason in unseen.items():
        names.setdefault(reason, []).append(name)
    return names


def print_unseen(place: Place, unseen: Mapping[str, str]) -> None:
    """Print the lines on standard error, because programs may read standard output."""
    for line in list_lines(unseen):
        place.progress_console.print(line, style="magenta", markup=False, soft_wrap=True)
