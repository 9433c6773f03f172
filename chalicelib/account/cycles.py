"""Circles of pipelines that wait for each other: do they take turns, or can they deadlock?

Pure: everything follows from the pipelines' gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from chalicelib.account import graph
from chalicelib.account.gates import Gate
from chalicelib.account.graph import DependencyEdge
from chalicelib.account.pipeline import Pipeline
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE, Cycle

CircleKind = Literal["turns", "together", "success"]
"""turns: no deadlock, because a held pipeline is idle, so one after the other continues.
together: a deadlock if they all wait at the same time.
success: a deadlock after any of them has failed, and until all of them have succeeded once.
"""


@dataclass(frozen=True)
class Circle:
    """Pipelines each of which waits for the next one. The last is the first one again."""

    pipelines: tuple[str, ...]
    kind: CircleKind

    @property
    def is_unnoticed(self) -> bool:
        """Whether it is too long for a gate to notice the deadlock."""
        return self.kind != "turns" and len(self.pipelines) - 2 > MAX_PIPELINES_IN_A_CYCLE

    def __str__(self) -> str:
        """Return which pipelines wait for each other, and what follows, as sentences."""
        chain = f"{Cycle(self.pipelines, deadlock=self.kind != 'turns')}."
        if self.kind == "turns":
            return (
                f"{chain} They take turns: whoever is held is idle, so one goes first. That "
                "is right if they must not run at the same time."
            )
        when = (
            "Each needs the next one's success first: until all have succeeded once, and after "
            "any failure, none can ever go on."
            if self.kind == "success"
            else "When they wait at the same time, none can ever go on."
        )
        fails = (
            f"A gate looks at {MAX_PIPELINES_IN_A_CYCLE} pipelines of a chain: "
            "it does not see this, and they wait for ever."
            if self.is_unnoticed
            else "The gate that sees it fails its action then."
        )
        return f"{chain} {when} {fails}"


DEADLOCK_REMEDY = (
    "Take one of them out of its depends_on, or let it require only that the other is "
    "idle, and not in the mode wait."
)
"""How to end a deadlock."""


def classify_circles(
    edges: Iterable[DependencyEdge], pipelines: Mapping[str, Pipeline]
) -> list[Circle]:
    """Return the circles of pipelines that wait for each other, deadlocks first.

    If pipelines are in several circles of a kind, only one of the shortest is returned. Gates that
    only observe are ignored.
    """
    enforced = [edge for edge in edges if _is_enforced(edge, pipelines)]
    blocking = [edge for edge in enforced if _keeps_waiting(edge, pipelines)]
    deadlocks = [
        Circle(names, _classify_deadlock(names, blocking)) for names in graph.find_circles(blocking)
    ]
    deadlocked = {name for circle in deadlocks for name in circle.pipelines}
    turns = [
        Circle(names, "turns")
        for names in graph.find_circles(enforced)
        if not deadlocked.intersection(names)
    ]
    return [*deadlocks, *turns]


def _classify_deadlock(names: Sequence[str], edges: Iterable[DependencyEdge]) -> CircleKind:
    need_success = {
        (edge.dependent, edge.upstream) for edge in edges if edge.dependency.require == "succeeded"
    }
    return "success" if need_success.issuperset(pairwise(names)) else "together"


def _keeps_waiting(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> bool:
    """Return whether a dependent keeps waiting while its upstream waits at a gate of its own.

    It does if the upstream has to succeed first, or if it stays in progress while it waits.
    """
    upstream = pipelines[edge.upstream]
    holding = [gate for gate in upstream.gates if gate.parameters and not gate.parameters.observe]
    if edge.dependency.stage in upstream.stages and holding:
        first = min(upstream.stages.index(gate.stage) for gate in holding)
        if upstream.stages.index(edge.dependency.stage) < first:
            return False  # when the upstream waits, it is past the stage that counts
    return edge.dependency.require == "succeeded" or any(
        gate.parameters.mode.stays_in_progress for gate in holding if gate.parameters
    )


def _is_enforced(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> bool:
    """Return whether a gate that does not only observe waits for this upstream."""
    return edge.upstream in pipelines and any(
        gate.parameters and not gate.parameters.observe
        for gate in find_asking_gates(edge, pipelines)
    )


def find_asking_gates(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> tuple[Gate, ...]:
    """Return the dependent's gates that name this dependency."""
    return tuple(
        gate
        for gate in pipelines[edge.dependent].gates
        if gate.parameters and edge.dependency in gate.parameters.depends_on
    )
