"""How a gate failed an action, as data at the end of its message.

A message is written for people, and its sentences may change. What `explain`, `doctor` or the Board
need to know is in a token after them, such as "[pipeline-gate/1 held]".
"""

from __future__ import annotations

import re
from enum import Enum

_TOKEN = re.compile(r" ?\[pipeline-gate/1 ([a-z -]+)\]$")


class Verdict(Enum):
    """Why the action failed. `REFUSED_ELSEWHERE`: AWS denied a call in another account."""

    HELD = "held"
    GAVE_UP = "gave-up"
    CANCELED = "canceled"
    DEADLOCK = "deadlock"
    REFUSED = "refused"
    REFUSED_ELSEWHERE = "refused elsewhere"


def add_token(message: str, verdict: Verdict, max_length: int) -> str:
    """Return the message with its token, cut to `max_length` characters before the token."""
    token = f" [pipeline-gate/1 {verdict.value}]"
    if len(message) + len(token) > max_length:
        message = message[: max_length - len(token) - 3] + "..."
    return message + token


def split_token(message: str) -> tuple[str, Verdict | None]:
    """Return the sentences of a failed action's message, and the verdict that it carries; None if
    no gate wrote it.
    """
    token = _TOKEN.search(message)
    if token is None:
        return message, _read_old_message(message)
    verdict = next((verdict for verdict in Verdict if verdict.value == token[1]), None)
    return message[: token.start()], verdict


def _read_old_message(message: str) -> Verdict | None:
    """The verdict of a gate that did not write tokens yet, by how its messages were worded."""
    if "and that is as planned" in message:
        return Verdict.HELD
    if message.startswith("Gave up: "):
        return Verdict.GAVE_UP
    return Verdict.DEADLOCK if message.startswith("Deadlock: ") else None
