"""Cycles of waits: finds a chain of waiting pipelines that leads back to where it began.

A pipeline waits in one of two ways. Either its execution has failed and a rule holds it, or its
gate action stays in progress (`hold`: `wait`) and has a mark that says what it waits for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.pipelines.execution import read_time

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold

MAX_PIPELINES_IN_A_CYCLE = 10
"""How many pipelines of a chain the gate reads. It does not notice a longer cycle."""
MARK_LENGTH = 1500
"""The most characters in a mark (model: ExecutionId, of ExecutionDetails.externalExecutionId)."""
_MARK_PREFIX = "pipeline-gate "


@dataclass(frozen=True)
class WaitEdge:
    """A wait for another pipeline. `require`: "idle" or "succeeded"."""

    pipeline: str
    require: str


@dataclass(frozen=True)
class WaitingPipeline:
    """What a pipeline waits for. Without edges it does not wait. `hold`: what its rule keeps, if a
    rule holds it.
    """

    edges: Sequence[WaitEdge] = ()
    hold: Hold | None = None


@dataclass(frozen=True)
class Cycle:
    """A chain of waiting pipelines, in order, whose last one is the first one.

    `deadlock`: whether none of them can ever continue. `holds`: the holds of its pipelines beyond
    the second one.
    """

    pipelines: tuple[str, ...]
    deadlock: bool
    holds: tuple[Hold, ...] = ()

    def __str__(self) -> str:
        return f"{self.pipelines[0]} waits for {', which waits for '.join(self.pipelines[1:])}"


def find_cycle(
    upstream: str,
    waits: Sequence[WaitEdge],
    requester: str,
    read_wait: Callable[[str], WaitingPipeline],
) -> Cycle | None:
    """Return the shortest chain of waits from the pipeline `requester`, by `upstream`, back to it.

    `waits`: what `upstream` waits for. `read_wait` returns what another pipeline waits for; it is
    called at most once per pipeline. A deadlock is preferred to a shorter cycle that is none.

    A cycle is a deadlock if each pipeline requires the success of the next one. Otherwise one of
    them can go first, because in a cycle all are held by rules, whatever their hold modes, and a
    pipeline that a rule holds is idle. What the requester itself requires is not considered.
    """
    waits_by_name: dict[str, WaitingPipeline] = {}

    def read_wait_once(pipeline: str) -> WaitingPipeline:
        if pipeline not in waits_by_name and len(waits_by_name) < MAX_PIPELINES_IN_A_CYCLE - 1:
            waits_by_name[pipeline] = read_wait(pipeline)
        return waits_by_name.get(pipeline, WaitingPipeline())

    for deadlock in (True, False):
        if path := _find_path_back(upstream, waits, requester, read_wait_once, deadlock):
            holds = [read_wait_once(pipeline).hold for pipeline in path[2:-1]]
            return Cycle(path, deadlock, tuple(filter(None, holds)))
    return None


def _find_path_back(
    upstream: str,
    waits: Sequence[WaitEdge],
    requester: str,
    read_wait: Callable[[str], WaitingPipeline],
    deadlock: bool,
) -> tuple[str, ...] | None:
    """Return the shortest path from the requester, by `upstream`, back to the requester.

    `deadlock`: use only waits for a success.
    """
    paths: list[tuple[tuple[str, ...], Sequence[WaitEdge]]] = [((requester, upstream), waits)]
    visited = {requester, upstream}
    for path, edges in paths:  # the list grows while it is read, so shorter paths come first
        for edge in edges:
            if edge.pipeline == requester and (not deadlock or edge.require == "succeeded"):
                return (*path, requester)
        for edge in edges:
            if edge.pipeline in visited:
                continue
            wait = read_wait(edge.pipeline)
            if edge.require == "succeeded" or not deadlock:
                visited.add(edge.pipeline)
                paths.append(((*path, edge.pipeline), wait.edges))
    return None


@dataclass(frozen=True)
class Mark:
    """What a gate action that stays in progress waits for, and since when (aware UTC).

    The gate stores it in the action's external execution id, where other gates read it.
    """

    since: datetime
    waits: tuple[WaitEdge, ...]


def format_mark(since: datetime, waits: Iterable[WaitEdge]) -> str:
    """Return a mark as text. Waits that do not fit into MARK_LENGTH characters are left out."""
    content: list[object] = [since.isoformat()]
    for edge in waits:
        wait = [edge.pipeline, edge.require]
        if len(_MARK_PREFIX + json.dumps([*content, wait])) <= MARK_LENGTH:
            content.append(wait)
    return _MARK_PREFIX + json.dumps(content)


def read_mark(text: str) -> Mark | None:
    """Return the mark that `format_mark` wrote; None if the text is not from a gate."""
    if not text.startswith(_MARK_PREFIX):
        return None
    try:
        since, *waits = json.loads(text[len(_MARK_PREFIX) :])
        edges = [WaitEdge(str(pipeline), str(require)) for pipeline, require, *_ in waits]
        return Mark(read_time(since), tuple(edges))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
