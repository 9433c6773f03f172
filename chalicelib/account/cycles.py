"""Pipelines that wait for each other: do they take turns, or can it come to where none can go on?
Pure functions of their gates.
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
"""turns: whoever is held is idle, so one after the other goes on; together: a deadlock when they
wait at the same time; success: one as soon as one of them has failed, or while none has succeeded
yet.
"""


@dataclass(frozen=True)
class Circle:
    """`pipelines`: each waits for the next one; the first is the last, too."""

    pipelines: tuple[str, ...]
    kind: CircleKind

    @property
    def unseen(self) -> bool:
        """Whether it is longer than what a gate looks at, so that a deadlock in it is waited out
        instead of told.
        """
        return self.kind != "turns" and len(self.pipelines) - 2 > MAX_PIPELINES_IN_A_CYCLE

    def __str__(self) -> str:
        """Sentences: who waits for whom, and what comes of it."""
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
            f"A gate looks at {MAX_PIPELINES_IN_A_CYCLE} pipelines of a chain: it does not see this, and they wait "
            "for ever."
            if self.unseen
            else "The gate that sees it fails its action then."
        )
        return f"{chain} {when} {fails}"


MEND = (
    "Take one of them out of its depends_on, or let it require only that the other is "
    "idle, and not in the mode wait."
)
"""What ends a deadlock."""


def classify_circles(
    edges: Iterable[DependencyEdge], pipelines: Mapping[str, Pipeline]
) -> list[Circle]:
    """The circles, deadlocks first; of pipelines that are in several of a kind, one of the
    shortest. Who only observes is in none.
    """
    real = [edge for edge in edges if _is_enforced(edge, pipelines)]
    stuck = [edge for edge in real if _keeps_waiting(edge, pipelines)]
    deadlocks = [
        Circle(names, _classify_circle(names, stuck)) for names in graph.find_circles(stuck)
    ]
    in_deadlock = {name for circle in deadlocks for name in circle.pipelines}
    return [
        *deadlocks,
        *(
            Circle(names, "turns")
            for names in graph.find_circles(real)
            if not in_deadlock.intersection(names)
        ),
    ]


def _classify_circle(names: Sequence[str], stuck: Iterable[DependencyEdge]) -> CircleKind:
    demanding = {
        (edge.dependent, edge.upstream) for edge in stuck if edge.dependency.require == "succeeded"
    }
    return "success" if demanding.issuperset(pairwise(names)) else "together"


def _keeps_waiting(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> bool:
    """Whether the dependent stays held while its upstream waits at its own gate: that one has to
    succeed first, or stays in progress.
    """
    upstream = pipelines[edge.upstream]
    holding = [gate for gate in upstream.gates if gate.parameters and not gate.parameters.observe]
    if edge.dependency.stage in upstream.stages and holding:
        first = min(upstream.stages.index(gate.stage) for gate in holding)
        if upstream.stages.index(edge.dependency.stage) < first:
            return False  # it is past that stage when it waits
    return edge.dependency.require == "succeeded" or any(
        gate.parameters.mode.stays_in_progress for gate in holding if gate.parameters
    )


def _is_enforced(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> bool:
    return edge.upstream in pipelines and any(
        gate.parameters and not gate.parameters.observe for gate in asking(edge, pipelines)
    )


def asking(edge: DependencyEdge, pipelines: Mapping[str, Pipeline]) -> tuple[Gate, ...]:
    """The gates of the dependent that ask for this."""
    return tuple(
        gate
        for gate in pipelines[edge.dependent].gates
        if gate.parameters and edge.dependency in gate.parameters.depends_on
    )
