"""Who waits for whom, as edges; and the circles in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import AccountView
from chalicelib.pipelines.dependency import Dependency


@dataclass(frozen=True)
class DependencyEdge:
    """`dependent` waits for `upstream`, as `wanted` says. `upstream`: a name, or the ARN of a
    pipeline in another region or account.
    """

    upstream: str
    dependent: str
    dependency: Dependency


def list_edges(view: AccountView, region: str) -> tuple[DependencyEdge, ...]:
    """Every edge once, by the dependent's name and in the order in which its gates name the
    upstreams. `region`: the landscape's.
    """
    return tuple(
        dict.fromkeys(
            DependencyEdge(entry.name if is_local(entry, region) else entry.pipeline, name, entry)
            for name, pipeline in sorted(view.pipelines.items())
            for entry in pipeline.depends_on
        )
    )


def find_circles(edges: Iterable[DependencyEdge]) -> tuple[tuple[str, ...], ...]:
    """The circles: of each group of pipelines that wait for each other the shortest through its
    first, which begins and ends it.
    """
    waits: dict[str, set[str]] = {}
    for edge in edges:
        waits.setdefault(edge.dependent, set()).add(edge.upstream)
    covered: set[str] = set()
    circles = []
    for first in sorted(waits):
        circle = () if first in covered else _find_path(first, first, waits)
        if circle:
            circles.append(circle)
            covered |= {
                name
                for name in waits
                if _find_path(first, name, waits) and _find_path(name, first, waits)
            }
    return tuple(circles)


def _find_path(start: str, end: str, waits: Mapping[str, set[str]]) -> tuple[str, ...]:
    """The shortest way from `start` to `end`, of one step at least; () where there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    visited: set[str] = set()
    for way in ways:  # grows as it is read: the nearest first
        for name in sorted(waits.get(way[-1], ())):
            if name == end:
                return (*way, end)
            if name not in visited:
                visited.add(name)
                ways.append((*way, name))
    return ()
