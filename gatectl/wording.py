"""The pieces that sentences of several commands are made of."""

from __future__ import annotations

from datetime import timedelta


def lasting(duration: timedelta) -> str:
    """How long, in its two largest units: "under 1 s", "40 s", "7 min", "5 h 12 min", "3 d 2 h"."""
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


def share(part: int, whole: int) -> str:
    """ "29 %"; "0 %" and "100 %" only where it is none and all of them."""
    if not whole:
        return "-"
    return f"{min(99, max(1, round(100 * part / whole))) if 0 < part < whole else 100 * part // whole} %"


def number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
