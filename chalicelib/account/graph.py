"""The dependencies between pipelines as edges, and the cycles that they form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import AccountView
from chalicelib.pipelines.dependency import Dependency


@dataclass(frozen=True)
class DependencyEdge:
    """The pipeline `dependent` waits for `upstream`, as `dependency` says.

    `upstream`: a name, or the ARN of a pipeline in another region or account.
    """

    upstream: str
    dependent: str
    dependency: Dependency


def list_edges(view: AccountView, region: str) -> tuple[DependencyEdge, ...]:
    """Return every edge once, sorted by the dependent's name, then as its gates name the upstreams.

    `region`: the region of the view.
    """
    return tuple(
        dict.fromkeys(
            DependencyEdge(entry.name if is_local(entry, region) else entry.pipeline, name, entry)
            for name, pipeline in sorted(view.pipelines.items())
            for entry in pipeline.depends_on
        )
    )


def find_cycles(edges: Iterable[DependencyEdge]) -> tuple[tuple[str, ...], ...]:
    """Return one cycle of each group of pipelines that wait for each other.

    It is the shortest cycle through the group's first pipeline, with which it begins and ends.
    """
    upstreams: dict[str, set[str]] = {}
    for edge in edges:
        upstreams.setdefault(edge.dependent, set()).add(edge.upstream)
    grouped: set[str] = set()
    cycles = []
    for first in sorted(upstreams):
        cycle = () if first in grouped else _find_path(first, first, upstreams)
        if cycle:
            cycles.append(cycle)
            grouped |= {
                name
                for name in upstreams
                if _find_path(first, name, upstreams) and _find_path(name, first, upstreams)
            }
    return tuple(cycles)


def _find_path(start: str, end: str, upstreams: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the shortest path from `start` to `end` with at least one step; () if there is none.

    `upstreams`: the names to step to, by name.
    """
    paths: list[tuple[str, ...]] = [(start,)]
    visited: set[str] = set()
    for path in paths:  # the list grows while it is read, so shorter paths come first
        for name in sorted(upstreams.get(path[-1], ())):
            if name == end:
                return (*path, end)
            if name not in visited:
                visited.add(name)
                paths.append((*path, name))
    return ()
