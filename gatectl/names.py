"""Names that a person types, and what to say where there is nothing of that name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from chalicelib.phrases import join_names
from gatectl.session import Place, Refused


def split(given: Iterable[str]) -> list[str]:
    """Names given as several options, or separated by commas, or both; each once, in order."""
    names = [name.strip() for one in given for name in one.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def existing(place: Place, region: str | None = None) -> list[str]:
    """Every pipeline of this region, or of another one."""
    pages = place.client("codepipeline", region).get_paginator("list_pipelines").paginate()
    return [one["name"] for page in pages for one in page["pipelines"]]


def no_such_pipeline(place: Place, name: str, region: str | None = None) -> Refused:
    """What to raise for a pipeline that is not there; `region`: where it was looked for, if not in
    this one.
    """
    names = existing(place, region)
    missing = f"There is no pipeline {name} in {region or place.region}"
    if not names:
        return Refused(
            f"{missing}, nor any other. Is this the region (--region), and the account (--profile)?"
        )
    close = _but_for_case(name, names) or difflib.get_close_matches(name, names, n=1)
    there = (
        f"did you mean {close[0]}?"
        if close
        else f"there {'are' if len(names) > 1 else 'is'} {join_names(names)}."
    )
    return Refused(f"{missing}; {there}{case_counts(name, names)}")


def case_counts(name: str, names: Iterable[str]) -> str:
    """A sentence to add where it is upper and lower case that `name` has wrong, or nothing."""
    return " Upper and lower case count." if _but_for_case(name, names) else ""


def _but_for_case(name: str, names: Iterable[str]) -> list[str]:
    return [one for one in names if one.lower() == name.lower()]
