"""Parts of sentences: quoted values, lists of names, times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

MAX_NAMES = 5
"""The most names that a list in a sentence shows. The others are only counted."""


def quote(value: str, length: int = 60) -> str:
    """Return user input in double quotes: ASCII only, and cut off after `length` characters."""
    return json.dumps(value if len(value) <= length else value[:length] + "...")


def describe_person(arn: str, comment: str | None) -> str:
    """Return who released or canceled a hold, and why if they said so: `ARN ("wrong commit")`."""
    return f"{arn} ({json.dumps(comment, ensure_ascii=False)})" if comment else arn


def name_json_kind(value: object) -> str:
    """Return what kind of JSON value this is, such as "a string"."""
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
    """Return names as part of a sentence: "infra and network", "a, b, c, d, e and 3 more"."""
    if len(names) > MAX_NAMES:
        return f"{', '.join(names[:MAX_NAMES])} and {len(names) - MAX_NAMES} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def shorten(text: str, length: int) -> str:
    """Return `text`, cut off with "..." if it has more than `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."


def format_time(moment: datetime, now: datetime) -> str:
    """Return `moment` as "12:03 UTC", with the date if that is not the date of `now`.

    Both are aware UTC.
    """
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def describe_abandoning(status: str) -> str:
    """Return what a reader has to know about an execution that was stopped; "" about others.

    AWS lets abandoned actions work on (guide: pipelines-stop), and no list of executions says
    whether an execution was stopped that way (model: PipelineExecutionSummary).
    """
    if status != "Stopped":
        return ""
    return " (if its actions were abandoned, they may still be working)"


def format_minutes(number: int) -> str:
    """Return the words that follow "every": "minute" or "5 minutes"."""
    return "minute" if number == 1 else f"{number} minutes"
