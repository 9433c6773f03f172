"""The graph as it is drawn, in words: pure functions of what was read."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.account import graph
from chalicelib.account.cycles import Circle, asking, classify_circles
from chalicelib.account.graph import DependencyEdge
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.states import PipelineStatus, find_state
from chalicelib.holds.mode import HoldMode
from chalicelib.phrases import format_time, join_names
from chalicelib.wording.refusals import describe_missing_stage

SINCE = {"waits": "waits since", "asks": "waits for a person since", "runs": "runs since"}
LAST = {
    "succeeded": "succeeded",
    "failed": "failed",
    "stopped": "was stopped",
    "other": "ended without a result",
}
NEVER = {"idle": "has not run", "unseen": "may not be looked at"}
"""States that began at no time."""


@dataclass(frozen=True)
class Node:
    """`id`: the pipeline's name, or the ARN of one elsewhere. `kind`: its state's word, "" where no
    state was asked for, or "elsewhere" or "unknown"; `says`: that in words. `problem`: what its
    gate refuses, or what there is instead of an unknown one.
    """

    id: str
    label: str
    kind: str
    says: str
    gated: bool = False
    state: PipelineStatus | None = None
    problem: str = ""


@dataclass(frozen=True)
class Line:
    """One edge. `holds`: how the gates that ask for it hold the dependent; none: they only observe.
    `problem`: that the upstream has no such stage.
    """

    edge: DependencyEdge
    holds: tuple[HoldMode, ...]
    problem: str = ""

    @property
    def notes(self) -> list[str]:
        """What is out of the ordinary about it, each in a few words."""
        wanted = self.edge.dependency
        said = {
            "its stage "
            f"{wanted.stage}{', which is not there' if self.problem else ''}": wanted.stage
            is not None,
            "must succeed": wanted.require == "succeeded",
            "not while it waits for a person": wanted.parked == "pass",
            "is retried": any(mode.fails_execution and not mode.starts_over for mode in self.holds),
            "waits in place": any(mode.stays_in_progress for mode in self.holds),
            "only observed": not self.holds,
        }
        return [note for note, so in said.items() if so]


@dataclass(frozen=True)
class Graph:
    nodes: dict[str, Node]
    lines: tuple[Line, ...]
    circles: tuple[Circle, ...]

    def dependents(self, id_: str) -> list[Line]:
        return [line for line in self.lines if line.edge.upstream == id_]

    @property
    def unknown(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "unknown"]

    @property
    def unknown_stages(self) -> list[Line]:
        return [line for line in self.lines if line.problem]

    @property
    def refusing(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.problem and node.kind != "unknown"]


def graph_of(seen: AccountView, region: str, there: Collection[str], now: datetime | None) -> Graph:
    """The graph of what was `seen`; `there`: the names of all pipelines of this region; `now`
    (aware UTC): None for one without states.
    """
    edges = graph.list_edges(seen, region)
    ends = {end for edge in edges for end in (edge.upstream, edge.dependent)}
    concerned = [
        pipeline
        for name, pipeline in sorted(seen.pipelines.items())
        if pipeline.gates or name in ends
    ]
    nodes = {pipeline.name: _node(pipeline, seen, now) for pipeline in concerned}
    nodes |= {
        edge.upstream: _unseen(edge, edges, region, there)
        for edge in edges
        if edge.upstream not in nodes
    }
    lines = tuple(Line(edge, _holds(edge, seen), _no_such_stage(edge, seen)) for edge in edges)
    return Graph(nodes, lines, tuple(classify_circles(edges, seen.pipelines)))


def _holds(edge: DependencyEdge, seen: AccountView) -> tuple[HoldMode, ...]:
    asked = [gate.parameters for gate in asking(edge, seen.pipelines) if gate.parameters]
    return tuple(dict.fromkeys(one.mode for one in asked if not one.observe))


def _no_such_stage(edge: DependencyEdge, seen: AccountView) -> str:
    wanted, upstream = edge.dependency, seen.pipelines.get(edge.upstream)
    if (
        upstream is None
        or not upstream.stages
        or wanted.stage is None
        or wanted.stage in upstream.stages
    ):
        return ""  # none: AWS does not let its structure be read
    return (
        f"{describe_missing_stage(upstream.name, wanted.stage, upstream.stages)} {edge.dependent} "
        "waits for it."
    )


def _node(pipeline: Pipeline, seen: AccountView, now: datetime | None) -> Node:
    problem = next((gate.problem for gate in pipeline.gates if gate.problem), "")
    node = Node(pipeline.name, pipeline.name, "", "", bool(pipeline.gates), problem=problem)
    if now is None:
        return node
    state = find_state(pipeline, seen.waits)
    return replace(node, kind=state.word, says=_says(state, now), state=state)


def _says(state: PipelineStatus, now: datetime) -> str:
    if state.since is None:
        return NEVER.get(state.word) or SINCE.get(state.word, state.word).removesuffix(" since")
    verb = SINCE.get(state.word) or f"{LAST[state.word]} at"
    return f"{verb} {format_time(state.since, now)}"


def _unseen(
    edge: DependencyEdge, edges: Iterable[DependencyEdge], region: str, there: Collection[str]
) -> Node:
    """An upstream that is not in this region and account, or nowhere."""
    wanted = replace(edge.dependency, stage=None)
    if edge.upstream != wanted.name:
        return Node(edge.upstream, wanted.label, "elsewhere", "is elsewhere: not looked at")
    waiting = sorted({one.dependent for one in edges if one.upstream == edge.upstream})
    close = difflib.get_close_matches(wanted.name, there, n=1)
    mean = f"; did you mean {close[0]}?" if close else "."
    problem = (
        f"There is no pipeline {wanted.name} in {region}{mean} {join_names(waiting)} "
        f"{'waits' if len(waiting) == 1 else 'wait'} for it."
    )
    return Node(wanted.name, wanted.name, "unknown", "is not there", problem=problem)
