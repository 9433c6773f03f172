"""The pieces that sentences are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

MAX_NAMES = 5
"""So many of a list are named, the rest is counted."""


def quote(value: str, length: int = 60) -> str:
    """A piece of user input in quotes: printable ASCII, and no longer than a person wants to
    read.
    """
    return json.dumps(value if len(value) <= length else value[:length] + "...")


def name_json_kind(value: object) -> str:
    """What kind of JSON value this is."""
    kinds = {
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "null")


def join_values(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def join_names(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many: "infra, network and 3 more"."""
    if len(names) > MAX_NAMES:
        return f"{', '.join(names[:MAX_NAMES])} and {len(names) - MAX_NAMES} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def format_time(moment: datetime, now: datetime) -> str:
    """`moment` for a person who reads at `now` (both aware UTC): "12:03 UTC", with the date where
    it is not today's.
    """
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def format_minutes(number: int) -> str:
    """ "minute" or "5 minutes", as in "every ..."."""
    return "minute" if number == 1 else f"{number} minutes"
