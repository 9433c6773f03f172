"""Cycles of pipelines that wait for each other: do they take turns, or can they deadlock?

Pure: everything follows from the pipelines' gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from chalicelib.account import graph
from chalicelib.account.gates import Gate
from chalicelib.account.graph import DependencyEdge
from chalicelib.account.pipeline import Pipeline
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE, Cycle

CycleKind = Literal["turns", "success"]
"""turns: no deadlock, because a held pipeline is idle, so one after the other continues.
success: a deadlock after any of them has failed, and until all of them have succeeded once.
"""


@dataclass(frozen=True)
class DependencyCycle:
    """Pipelines each of which waits for the next one. The last is the first one again."""

    pipelines: tuple[str, ...]
    kind: CycleKind

    @property
    def is_unnoticed(self) -> bool:
        """Whether it is too long for a gate to notice the deadlock."""
        return self.kind != "turns" and len(self.pipelines) - 2 > MAX_PIPELINES_IN_A_CYCLE

    def __str__(self) -> str:
        """Return which pipelines wait for each other, and what follows, as sentences."""
        chain = f"{Cycle(self.pipelines, deadlock=self.kind != 'turns')}."
        if self.kind == "turns":
            return (
                f"{chain} They take turns: the one that has waited longest goes first. That is "
                "right if they must not run at the same time."
            )
        fails = (
            f"A gate checks at most {MAX_PIPELINES_IN_A_CYCLE} pipelines of a chain, so it does "
            "not notice this cycle, and they wait forever."
            if self.is_unnoticed
            else "The gate that notices it fails its action."
        )
        return (
            f"{chain} Each needs the next one to succeed first, so none of them can continue until "
            f"all have succeeded once, nor after any failure. {fails}"
        )


DEADLOCK_REMEDY = (
    "To break the cycle, remove one of these pipelines from the other's depends_on, or use "
    '"require": "idle".'
)
"""How to end a deadlock."""


def classify_cycles(
    edges: Iterable[DependencyEdge], pipelines: Mapping[str, Pipeline]
) -> list[DependencyCycle]:
    """Return the cycles of pipelines that wait for each other, deadlocks first.

    If pipelines are in several cycles of a kind, only one of the shortest is returned. Gates that
    only observe are ignored.
    """
    enforced = [edge for edge in edges if _is_enforced(edge, pipelines)]
    blocking = [edge for edge in enforced if _keeps_waiting(edge, pipelines)]
    deadlocks = [DependencyCycle(names, "success") for names in graph.find_cycles(blocking)]
    deadlocked = {name for cycle in deadlocks for name in cycle.pipelines}
    turns = [
        DependencyCycle(names, "turns")
        for names in graph.find_cycles(enforced)
        if not deadlocked.intersection(names)
    ]
    return [*deadlocks, *turns]


def _keeps_waiting(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> bool:
    """Return whether a dependent keeps waiting while its upstream waits at a gate of its own: if
    the upstream has to succeed first.
    """
    upstream = pipelines[edge.upstream]
    holding = [gate for gate in upstream.gates if gate.parameters and not gate.parameters.observe]
    if edge.dependency.stage in upstream.stages and holding:
        first = min(upstream.stages.index(gate.stage) for gate in holding)
        if upstream.stages.index(edge.dependency.stage) < first:
            return False  # when the upstream waits, it is past the stage that counts
    return edge.dependency.require == "succeeded"


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
