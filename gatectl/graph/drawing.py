"""The graph in words, and its drawings: pure functions of what was read."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from chalicelib.account.console import ConsoleLinks
from chalicelib.account.cycles import DEADLOCK_REMEDY, Circle, classify_circles, find_asking_gates
from chalicelib.account.graph import DependencyEdge, list_edges
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.states import PipelineStatus, find_status
from chalicelib.holds.mode import HoldMode
from chalicelib.phrases import format_time, join_names
from chalicelib.wording.refusals import describe_missing_stage

ONGOING = {"waits": "waits", "asks": "waits for a person", "runs": "runs"}
"""What is said of a state that lasts, by its word."""
ENDED = {
    "succeeded": "succeeded",
    "failed": "failed",
    "stopped": "was stopped",
    "other": "ended without a result",
}
TIMELESS = {"idle": "has not run", "unseen": "may not be looked at"}
"""What is said of a state that began at no time."""
COLOURS = {
    "waits": "yellow",
    "asks": "magenta",
    "runs": "cyan",
    "succeeded": "green",
    "failed": "red",
    "stopped": "red",
    "unknown": "red bold",
}
FILL_COLOURS = {
    "waits": "#ffe08a",
    "asks": "#e3c6f5",
    "runs": "#a8dcf0",
    "succeeded": "#b7e4b0",
    "failed": "#f5b5ae",
    "stopped": "#f5b5ae",
    "unknown": "#ff8a80",
}
"""Colours on which black is easy to read."""


@dataclass(frozen=True)
class Node:
    """A pipeline. `id`: its name, or its ARN if it is elsewhere.

    `kind`: the word for its state, "" if no state was read, or "elsewhere" or "unknown";
    `description`: the same as a phrase. `problem`: why its gate refuses, or, for an unknown
    pipeline, what is wrong with its name.
    """

    id: str
    label: str
    kind: str
    description: str
    gated: bool = False
    state: PipelineStatus | None = None
    problem: str = ""

    @property
    def is_local(self) -> bool:
        return self.kind not in ("elsewhere", "unknown")


@dataclass(frozen=True)
class Line:
    """An edge as it is drawn. `hold_modes`: of the gates that ask for it; empty if they only
    observe. `problem`: that the upstream has no such stage.
    """

    edge: DependencyEdge
    hold_modes: tuple[HoldMode, ...]
    problem: str = ""

    @property
    def notes(self) -> list[str]:
        """What is out of the ordinary about it, each in a few words."""
        dependency = self.edge.dependency
        missing = ", which is not there" if self.problem else ""
        notes = {
            f"its stage {dependency.stage}{missing}": dependency.stage is not None,
            "must succeed": dependency.require == "succeeded",
            "not while it waits for a person": dependency.parked == "pass",
            "is retried": any(
                mode.fails_execution and not mode.starts_over for mode in self.hold_modes
            ),
            "waits in place": any(mode.stays_in_progress for mode in self.hold_modes),
            "only observed": not self.hold_modes,
        }
        return [note for note, applies in notes.items() if applies]


@dataclass(frozen=True)
class Graph:
    nodes: dict[str, Node]
    lines: tuple[Line, ...]
    circles: tuple[Circle, ...]

    @property
    def unknown(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "unknown"]


def build_graph(
    account: AccountView, region: str, names: Collection[str], now: datetime | None
) -> Graph:
    """The graph of `account`. `names`: of all pipelines of this region; `now`: aware UTC, or None
    for a graph without states.
    """
    edges = list_edges(account, region)
    ends = {end for edge in edges for end in (edge.upstream, edge.dependent)}
    nodes = {
        name: _build_node(pipeline, account, now)
        for name, pipeline in sorted(account.pipelines.items())
        if pipeline.gates or name in ends
    }
    nodes |= {
        edge.upstream: _build_absent_node(edge, edges, region, names)
        for edge in edges
        if edge.upstream not in nodes
    }
    return Graph(
        nodes=nodes,
        lines=tuple(
            Line(edge, _list_hold_modes(edge, account), _describe_missing_stage(edge, account))
            for edge in edges
        ),
        circles=tuple(classify_circles(edges, account.pipelines)),
    )


def _list_hold_modes(edge: DependencyEdge, account: AccountView) -> tuple[HoldMode, ...]:
    return tuple(
        dict.fromkeys(
            gate.parameters.mode
            for gate in find_asking_gates(edge, account.pipelines)
            if gate.parameters and not gate.parameters.observe
        )
    )


def _describe_missing_stage(edge: DependencyEdge, account: AccountView) -> str:
    stage, upstream = edge.dependency.stage, account.pipelines.get(edge.upstream)
    # An upstream without stages is one whose structure AWS does not let be read.
    if stage is None or upstream is None or not upstream.stages or stage in upstream.stages:
        return ""
    missing = describe_missing_stage(upstream.name, stage, upstream.stages)
    return f"{missing} {edge.dependent} waits for it."


def _build_node(pipeline: Pipeline, account: AccountView, now: datetime | None) -> Node:
    node = Node(
        id=pipeline.name,
        label=pipeline.name,
        kind="",
        description="",
        gated=bool(pipeline.gates),
        problem=next((gate.problem for gate in pipeline.gates if gate.problem), ""),
    )
    if now is None:
        return node
    state = find_status(pipeline, account.waits)
    return replace(node, kind=state.word, description=describe_state(state, now), state=state)


def describe_state(state: PipelineStatus, now: datetime) -> str:
    if state.word in TIMELESS:
        return TIMELESS[state.word]
    if state.word in ONGOING:
        since = f" since {format_time(state.since, now)}" if state.since else ""
        return f"{ONGOING[state.word]}{since}"
    at = f" at {format_time(state.since, now)}" if state.since else ""
    return f"{ENDED[state.word]}{at}"


def _build_absent_node(
    edge: DependencyEdge, edges: Iterable[DependencyEdge], region: str, names: Collection[str]
) -> Node:
    """An upstream that is elsewhere, or does not exist."""
    upstream = replace(edge.dependency, stage=None)
    if edge.upstream != upstream.name:
        return Node(
            id=edge.upstream,
            label=upstream.label,
            kind="elsewhere",
            description="is elsewhere: not looked at",
        )
    dependents = sorted({other.dependent for other in edges if other.upstream == edge.upstream})
    similar = difflib.get_close_matches(upstream.name, names, n=1)
    problem = (
        f"There is no pipeline {upstream.name} in {region}"
        f"{f'; did you mean {similar[0]}?' if similar else '.'} {join_names(dependents)} "
        f"{'waits' if len(dependents) == 1 else 'wait'} for it."
    )
    return Node(
        id=upstream.name,
        label=upstream.name,
        kind="unknown",
        description="is not there",
        problem=problem,
    )


def draw_tree(graph: Graph) -> Group:
    """For the terminal: what must finish first stands on top. Problems follow."""
    dependents = {line.edge.dependent for line in graph.lines}
    roots = [name for name in graph.nodes if name not in dependents]
    drawn: set[str] = set()
    trees = []
    for name in [*roots, *graph.nodes]:  # a circle, and what is behind it, has no root
        if name not in drawn:
            trees.append(_draw_subtree(graph, name, drawn))
    return Group(*trees, *(part for remark in _list_remarks(graph) for part in (Text(), remark)))


def _list_remarks(graph: Graph) -> Iterator[Text]:
    for circle in graph.circles:
        advice = "" if circle.kind == "turns" else f" {DEADLOCK_REMEDY}"
        yield _write_remark("Circle: ", "yellow", f"{circle}{advice}")
    problems = [node.problem for node in graph.unknown] + [line.problem for line in graph.lines]
    for problem in filter(None, problems):
        yield _write_remark("Unknown: ", "red", problem)
    for node in graph.nodes.values():
        if node.problem and node.kind != "unknown":
            refusal = f"the gate of {node.label} fails at once. {node.problem}"
            yield _write_remark("Refused: ", "red", refusal)


def _write_remark(heading: str, colour: str, text: str) -> Text:
    return Text.assemble((heading, f"{colour} bold"), text)


def _draw_subtree(graph: Graph, root: str, drawn: set[str]) -> Tree:
    tree = Tree(_label_branch(graph.nodes[root], None))
    drawn.add(root)
    _add_dependents(tree, graph, root, drawn)
    return tree


def _add_dependents(tree: Tree, graph: Graph, upstream: str, drawn: set[str]) -> None:
    for line in graph.lines:
        if line.edge.upstream == upstream:
            name = line.edge.dependent
            repeated = name in drawn
            branch = tree.add(_label_branch(graph.nodes[name], line, repeated=repeated))
            if not repeated:
                drawn.add(name)
                _add_dependents(branch, graph, name, drawn)


def _label_branch(node: Node, line: Line | None, *, repeated: bool = False) -> Text:
    text = Text(node.label, style="" if repeated else "bold")
    if node.description and not repeated:
        text.append(f"  {node.description}", f"not bold {COLOURS.get(node.kind, 'dim')}")
    notes = [*(line.notes if line else ()), *(["see above"] if repeated else [])]
    if notes:
        text.append(f"  ({'; '.join(notes)})", "not bold dim")
    return text


def draw_mermaid(graph: Graph) -> str:
    """A flowchart, upstreams on top (guide: mermaid.js.org, Flowcharts). Names are quoted: nothing
    is special there.
    """
    ids = {name: f"p{number}" for number, name in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    lines += [f'  {ids[node.id]}["{_label(node, "<br/>")}"]' for node in graph.nodes.values()]
    for line in graph.lines:
        note = f'|"{"; ".join(line.notes)}"|' if line.notes else ""
        lines.append(f"  {ids[line.edge.upstream]} -->{note} {ids[line.edge.dependent]}")
    for kind, colour in FILL_COLOURS.items():
        ids_of_kind = [ids[node.id] for node in graph.nodes.values() if node.kind == kind]
        if ids_of_kind:
            lines += [
                f"  classDef {kind} fill:{colour},color:#000",
                f"  class {','.join(ids_of_kind)} {kind}",
            ]
    lines += [f"  %% Circle: {circle}" for circle in graph.circles]
    return "\n".join(lines)


def draw_dot(graph: Graph) -> str:
    """For Graphviz (guide: graphviz.org, DOT language)."""
    lines = ["digraph gates {", '  node [shape=box, style="rounded,filled", fillcolor=white];']
    for node in graph.nodes.values():
        fill = f', fillcolor="{FILL_COLOURS[node.kind]}"' if node.kind in FILL_COLOURS else ""
        lines.append(f'  "{node.id}" [label="{_label(node, chr(92) + "n")}"{fill}];')
    for line in graph.lines:
        label = f' [label="{"; ".join(line.notes)}"]' if line.notes else ""
        lines.append(f'  "{line.edge.upstream}" -> "{line.edge.dependent}"{label};')
    lines += [f"  // Circle: {circle}" for circle in graph.circles]
    return "\n".join([*lines, "}"])


def _label(node: Node, line_break: str) -> str:
    return f"{node.label}{line_break}{node.description}" if node.description else node.label


def to_json(graph: Graph, region: str, links: ConsoleLinks) -> dict[str, Any]:
    """Programs read it, so its keys stay."""
    return {
        "region": region,
        "pipelines": [_node_to_json(node, links) for node in graph.nodes.values()],
        "edges": [_line_to_json(line) for line in graph.lines],
        "circles": [
            {
                "pipelines": circle.pipelines,
                "deadlock": circle.kind != "turns",
                "kind": circle.kind,
                "text": str(circle),
            }
            for circle in graph.circles
        ],
        "unknown": [node.id for node in graph.unknown],
    }


def _node_to_json(node: Node, links: ConsoleLinks) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.label,
        "where": "here" if node.is_local else node.kind,
        "gated": node.gated,
        "state": node.state and node.state.word,
        "since": node.state and node.state.since,
        "execution": node.state and node.state.execution,
        "problem": node.problem or None,
        "link": links.pipeline(node.id) if node.is_local else None,
    }


def _line_to_json(line: Line) -> dict[str, Any]:
    dependency = line.edge.dependency
    return {
        "upstream": line.edge.upstream,
        "dependent": line.edge.dependent,
        "require": dependency.require,
        "stage": dependency.stage,
        "parked": dependency.parked,
        "hold": [mode.name for mode in line.hold_modes],
        "problem": line.problem or None,
    }
