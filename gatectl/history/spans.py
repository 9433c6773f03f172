"""When this gate would have been closed, from what its upstreams did: pure functions of their
executions.

Here, an execution that still runs was `updated` now: so much of it is past.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.pipelines.dependency import Require
from chalicelib.pipelines.execution import Execution

ALWAYS = datetime.min.replace(tzinfo=UTC)
ENDLESS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Span:
    """From `begin` until just before `end` (aware UTC). ENDLESS: it has not ended yet."""

    begin: datetime
    end: datetime


def closed(upstreams: Iterable[Sequence[Execution]], require: Require) -> tuple[Span, ...]:
    """The spans, in order and apart from each other, in which at least one upstream does not let
    the gate open.
    """
    found: list[Span] = []
    for executions in upstreams:
        found += (Span(one.started, ENDLESS if one.running else one.updated) for one in executions)
        if require == "succeeded":
            found += _unsuccessful(executions)
    return merged(found)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time in as few spans as possible, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.begin <= found[-1].end:
            found[-1] = Span(found[-1].begin, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def _unsuccessful(executions: Sequence[Execution]) -> Iterator[Span]:
    """While the newest that had finished was no success, or none had (see Upstream.succeeded).

    From start to start: while one runs, the gate is closed anyway.
    """
    begin: datetime | None = ALWAYS
    for one in sorted((one for one in executions if one.finished), key=lambda one: one.started):
        if one.status != "Succeeded":
            begin = begin or one.started
        elif begin:
            yield Span(begin, one.started)
            begin = None
    if begin:
        yield Span(begin, ENDLESS)
