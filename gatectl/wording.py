"""Durations, percentages and counts in words, for the sentences of all commands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from datetime import timedelta

from chalicelib.pipelines.execution import ID


def format_duration(duration: timedelta) -> str:
    """Return the duration in its two largest units: "under 1 s", "5 h 12 min", "3 d 2 h"."""
    seconds = round(duration.total_seconds())
    if seconds == 0 and duration:
        return "under 1 s"
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    hours = round(minutes / 60)
    return f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")


def format_share(part: int, total: int) -> str:
    """Return "29 %"; "0 %" only for none, "100 %" only for all, and "-" if the total is 0."""
    if not total:
        return "-"
    if part in (0, total):
        return f"{100 * part // total} %"
    return f"{min(99, max(1, round(100 * part / total)))} %"


def format_count(count: int, noun: str) -> str:
    """Return "1 hold" or "2 holds"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def shorten_ids(text: str) -> str:
    """Return the text with each execution's id cut to the eight characters that people read."""
    return re.sub(ID, lambda id_: id_[0][:8], text)


def describe_missing_pipeline(
    name: str, region: str, names: Collection[str], instead: str = "."
) -> str:
    """Return that there is no pipeline `name`, and the most similar of `names`, or `instead`."""
    other_case = [candidate for candidate in names if candidate.lower() == name.lower()]
    similar = other_case or difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {similar[0]}?" if similar else instead
    return f"There is no pipeline {name} in {region}{hint}"
