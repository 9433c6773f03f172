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


def list_edges(landscape: AccountView, region: str) -> tuple[DependencyEdge, ...]:
    """Every edge once, by the dependent's name and in the order in which its gates name the
    upstreams. `region`: the landscape's.
    """
    return tuple(
        dict.fromkeys(
            DependencyEdge(
                wanted.name if is_local(wanted, region) else wanted.pipeline, name, wanted
            )
            for name, pipeline in sorted(landscape.pipelines.items())
            for wanted in pipeline.depends_on
        )
    )


def find_circles(found: Iterable[DependencyEdge]) -> tuple[tuple[str, ...], ...]:
    """The circles: of each group of pipelines that wait for each other the shortest through its
    first, which begins and ends it.
    """
    waits: dict[str, set[str]] = {}
    for edge in found:
        waits.setdefault(edge.dependent, set()).add(edge.upstream)
    told: set[str] = set()
    seen = []
    for first in sorted(waits):
        circle = () if first in told else _way(first, first, waits)
        if circle:
            seen.append(circle)
            told |= {
                name for name in waits if _way(first, name, waits) and _way(name, first, waits)
            }
    return tuple(seen)


def _way(start: str, end: str, waits: Mapping[str, set[str]]) -> tuple[str, ...]:
    """The shortest way from `start` to `end`, of one step at least; () where there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    for way in ways:  # grows as it is read: the nearest first
        for name in sorted(waits.get(way[-1], ())):
            if name == end:
                return (*way, end)
            if name not in seen:
                seen.add(name)
                ways.append((*way, name))
    return ()
