"""Pipelines that wait for pipelines that wait: does a chain of them come back to the one that asks,
and can it ever end?

A pipeline waits in one of two ways: a hold's rule keeps its failed execution, or (`hold`: `wait`)
its gate action stays in progress and leaves a mark of what it waits for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.pipelines.execution import read_time

MAX_PIPELINES_IN_A_CYCLE = 10
"""So many pipelines of a chain are looked at: a longer cycle is waited out."""
MARK_LENGTH = 1500  # model: ExecutionId, of ExecutionDetails.externalExecutionId
_MARK = "pipeline-gate "


@dataclass(frozen=True)
class WaitEdge:
    """A wait for `pipeline` to be `require`; `executions`: for these alone (short ids), None: for
    the whole pipeline.
    """

    pipeline: str
    require: str
    executions: tuple[str, ...] | None = None


@dataclass(frozen=True)
class WaitingPipeline:
    """For whom a pipeline waits, if it waits. `stays`: in place, in progress all the while, and not
    held by a rule.
    """

    edges: Sequence[WaitEdge] = ()
    stays_in_progress: bool = False


@dataclass(frozen=True)
class Requester:
    """Who asks: the execution of a pipeline, each None where it is not known. `stays`: it stays in
    progress while it waits.
    """

    pipeline: str | None
    execution: str | None
    stays_in_progress: bool


@dataclass(frozen=True)
class Cycle:
    """The pipelines of a chain that ends where it began, in order. `deadlock`: none of them can
    ever go on by itself.
    """

    pipelines: tuple[str, ...]
    deadlock: bool

    def __str__(self) -> str:
        return f"{self.pipelines[0]} waits for {', which waits for '.join(self.pipelines[1:])}"


def find_cycle(
    upstream: str,
    waits: Sequence[WaitEdge],
    requester: Requester,
    read_wait: Callable[[str], WaitingPipeline],
) -> Cycle | None:
    """The shortest way on which `upstream`, which waits as `waits` say, waits for `asker`; `look`
    tells for whom a further pipeline waits.

    It is a deadlock where each on the way keeps the one before it waiting: because it has to
    succeed first, or because it has to be idle and stays in progress. Who is held by a rule is
    idle, and whoever waits for that in a circle goes on; so one after the other does.
    """
    if requester.pipeline is None:
        return None
    waits_by_name: dict[str, WaitingPipeline] = {}

    def wait_of(pipeline: str) -> WaitingPipeline:
        if pipeline not in waits_by_name and len(waits_by_name) < MAX_PIPELINES_IN_A_CYCLE - 1:
            waits_by_name[pipeline] = read_wait(pipeline)
        return waits_by_name.get(pipeline, WaitingPipeline())

    for deadlock in (True, False):
        if path := _way_back(upstream, waits, requester, wait_of, deadlock):
            return Cycle(path, deadlock)
    return None


def _way_back(
    upstream: str,
    waits: Sequence[WaitEdge],
    requester: Requester,
    wait_of: Callable[[str], WaitingPipeline],
    deadlock: bool,
) -> tuple[str, ...] | None:
    """The shortest way from the asker by `upstream` to the asker again; with `deadlock`, along
    those only that keep each other waiting.
    """
    ways: list[tuple[tuple[str, ...], Sequence[WaitEdge]]] = [
        ((str(requester.pipeline), upstream), waits)
    ]
    visited = {str(requester.pipeline), upstream}
    for path, edges in ways:  # grows as it is read: the nearest first
        if any(
            edge.pipeline == requester.pipeline and (not deadlock or _for_ever(edge, requester))
            for edge in edges
        ):
            return (*path, str(requester.pipeline))
        for edge in edges:
            if edge.pipeline in visited:
                continue
            ahead = wait_of(edge.pipeline)
            if ahead.stays_in_progress or edge.require == "succeeded" or not deadlock:
                visited.add(edge.pipeline)
                ways.append(((*path, edge.pipeline), ahead.edges))
    return None


def _for_ever(edge: WaitEdge, requester: Requester) -> bool:
    waits_for_it = edge.executions is None or (requester.execution or "")[:8] in edge.executions
    return edge.require == "succeeded" or (requester.stays_in_progress and waits_for_it)


@dataclass(frozen=True)
class Mark:
    """What a gate that waits in place leaves at its action for others to read: since when (aware
    UTC), and for whom.
    """

    since: datetime
    waits: tuple[WaitEdge, ...]


def format_mark(since: datetime, waits: Iterable[WaitEdge]) -> str:
    """A Mark as text. Of very many waits, those that fit."""
    content: list[object] = [since.isoformat()]
    for edge in waits:
        if len(_MARK + json.dumps([*content, _plain(edge)])) <= MARK_LENGTH:
            content.append(_plain(edge))
    return _MARK + json.dumps(content)


def _plain(edge: WaitEdge) -> list[object]:
    return [edge.pipeline, edge.require, list(edge.executions or ())]


def read_mark(text: str) -> Mark | None:
    """`mark` turned back; None where somebody else wrote it."""
    if not text.startswith(_MARK):
        return None
    try:
        since, *waits = json.loads(text[len(_MARK) :])
        edges = [
            WaitEdge(str(pipeline), str(require), tuple(map(str, executions)))
            for pipeline, require, executions in waits
        ]
        return Mark(read_time(since), tuple(edges))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
