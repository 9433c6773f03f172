"""Why somebody waits, down to who really works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.account.console import ConsoleLinks
from chalicelib.phrases import format_time, join_names
from chalicelib.wording.reasons import describe_reasons
from gatectl.explain.facts import Behind, Facts, Story, keeping
from gatectl.explain.told import Way, answer, start

NOTHING_TO_DO = "There is nothing to do."


def because(facts: Facts, story: Story) -> tuple[str, ...]:
    """A paragraph for each upstream that keeps it waiting, with all that keeps that one; and what
    it all hangs on.
    """
    kept = story.keeping
    paragraphs = [" ".join(_of(one, facts.now)) for one in kept]
    ends = list(dict.fromkeys(end.upstream.label for one in kept for end in _ends(one)))
    if any(keeping(one.behind) for one in kept):
        paragraphs.append(f"In the end it all hangs on {join_names(ends)}.")
    gone = [one.upstream.label for one in story.looked if one.upstream.missing]
    if gone:
        paragraphs.append(
            f"{join_names(gone)} {'is' if len(gone) == 1 else 'are'} not there any more: the gate that "
            "is asked next says so."
        )
    if any(one.upstream.unanswered for one in kept):
        paragraphs += _said_then(facts, story)
    return tuple(paragraphs)


def _of(one: Behind, now: datetime) -> Iterator[str]:
    yield describe_reasons([one.upstream], now)
    kept = keeping(one.behind)
    if one.waits == "in place":
        yield (
            "It waits itself, at its gate, for "
            f"{join_names([behind.upstream.label for behind in one.behind])}."
        )
    for behind in kept:
        yield from _of(behind, now)
    if one.waits and not kept:
        yield f"Nothing keeps {one.upstream.label} any more: it goes on by itself."


def _ends(one: Behind) -> Iterator[Behind]:
    kept = keeping(one.behind)
    if kept:
        for behind in kept:
            yield from _ends(behind)
    else:
        yield one


def _said_then(facts: Facts, story: Story) -> list[str]:
    """What the gate saw, where its caller may not look now."""
    said = [(one.started, one.message) for one in story.gates if one.message]
    return [
        f"The gate may see more. At {format_time(when, facts.now)} it said: {text}"
        for when, text in said[-1:]
    ]


def people(facts: Facts, story: Story, links: ConsoleLinks) -> Iterator[Way]:
    """What persons have to do before those go on that wait for nothing else."""
    for one in story.keeping:
        for end in _ends(one):
            way = answer(end.upstream, links.pipeline(end.name))
            if way:
                yield way
            elif (
                end.upstream.idle
                and end.upstream.dependency.region in (None, facts.region)
                and end.upstream.dependency.role_arn is None
            ):
                yield start(
                    end.name,
                    f"start {end.upstream.label}, whose success is waited for: it does not run",
                )


def nothing_to_do(persons: Sequence[Way]) -> str:
    return "" if persons else NOTHING_TO_DO
