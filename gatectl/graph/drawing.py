"""The graph and its drawings: pure functions of what was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from chalicelib.account.console import ConsoleLinks
from chalicelib.account.cycles import (
    DEADLOCK_REMEDY,
    DependencyCycle,
    classify_cycles,
    find_asking_gates,
)
from chalicelib.account.graph import DependencyEdge, list_edges
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.states import PipelineStatus, find_status
from chalicelib.holds.mode import DEFAULT, HoldMode
from chalicelib.phrases import format_time, join_names
from chalicelib.wording.refusals import describe_missing_stage
from gatectl.wording import describe_missing_pipeline

DESCRIPTIONS = {
    "waits": ("waiting", "since"),
    "asks": ("waiting for a person", "since"),
    "runs": ("running", "since"),
    "succeeded": ("succeeded", "at"),
    "failed": ("failed", "at"),
    "stopped": ("stopped", "at"),
    "other": ("ended without a result", "at"),
    "idle": ("has not run", ""),
    "unseen": ("not checked: access denied", ""),
}
"""The description of each state, and the preposition before its time."""
COLOURS = {
    "waits": ("yellow", "#ffe08a"),
    "asks": ("magenta", "#e3c6f5"),
    "runs": ("cyan", "#a8dcf0"),
    "succeeded": ("green", "#b7e4b0"),
    "failed": ("red", "#f5b5ae"),
    "stopped": ("red", "#f5b5ae"),
    "unknown": ("red bold", "#ff8a80"),
}
"""The colours for the terminal, and as a background for black text."""


@dataclass(frozen=True)
class Node:
    """A pipeline. `id`: its name, or its ARN if it is elsewhere.

    `kind`: the word for its state, "" if no state was read, or "elsewhere" or "unknown";
    `description`: the same as a phrase. `problem`: why its gate refuses, or what is wrong with the
    name of an unknown pipeline.
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
    """An edge. `hold_modes`: of the gates that hold for it. `problem`: its stage does not exist."""

    edge: DependencyEdge
    hold_modes: tuple[HoldMode, ...]
    problem: str = ""

    @property
    def notes(self) -> list[str]:
        """The settings that differ from their defaults, each in a few words."""
        dependency = self.edge.dependency
        missing = ", which does not exist" if self.problem else ""
        notes = {
            f"its stage {dependency.stage}{missing}": dependency.stage is not None,
            "must succeed": dependency.require == "succeeded",
            "ignored while parked": dependency.parked == "pass",
            **{f"hold: {mode}": mode != DEFAULT for mode in self.hold_modes},
            "observe only": not self.hold_modes,
        }
        return [note for note, applies in notes.items() if applies]


@dataclass(frozen=True)
class Graph:
    nodes: dict[str, Node]
    lines: tuple[Line, ...]
    cycles: tuple[DependencyCycle, ...]

    @property
    def unknown(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "unknown"]


def build_graph(
    account: AccountView, region: str, names: Collection[str], now: datetime | None
) -> Graph:
    """Build the graph. `names`: all pipelines of this region. `now`: aware UTC; None: no states."""
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
        cycles=tuple(classify_cycles(edges, account.pipelines)),
    )


def _list_hold_modes(edge: DependencyEdge, account: AccountView) -> tuple[HoldMode, ...]:
    asking = [gate.parameters for gate in find_asking_gates(edge, account.pipelines)]
    holding = [parameters for parameters in asking if parameters and not parameters.observe]
    return tuple(dict.fromkeys(parameters.mode for parameters in holding))


def _describe_missing_stage(edge: DependencyEdge, account: AccountView) -> str:
    stage, upstream = edge.dependency.stage, account.pipelines.get(edge.upstream)
    # An upstream without stages is one whose structure could not be read.
    if stage is None or upstream is None or not upstream.stages or stage in upstream.stages:
        return ""
    missing = describe_missing_stage(upstream.name, stage, upstream.stages)
    return f"{missing} {edge.dependent} waits for it."


def _build_node(pipeline: Pipeline, account: AccountView, now: datetime | None) -> Node:
    state = None if now is None else find_status(pipeline, account.waits)
    description = describe_state(state, now) if state and now else ""
    if state and _is_canceled(pipeline.name, state, account):
        description += ", canceled"
    return Node(
        id=pipeline.name,
        label=pipeline.name,
        kind=state.word if state else "",
        description=description,
        gated=bool(pipeline.gates),
        state=state,
        problem=next((gate.problem for gate in pipeline.gates if gate.problem), ""),
    )


def _is_canceled(name: str, state: PipelineStatus, account: AccountView) -> bool:
    """Return whether the wait that `state` shows ends at its next check."""
    waits = [
        wait for wait in account.waits if (wait.pipeline, wait.execution) == (name, state.execution)
    ]
    marks = [account.find_mark(wait) for wait in waits]
    return state.word == "waits" and any(mark and mark.canceled_by for mark in marks)


def describe_state(state: PipelineStatus, now: datetime) -> str:
    description, preposition = DESCRIPTIONS[state.word]
    if not state.since or not preposition:
        return description
    return f"{description} {preposition} {format_time(state.since, now)}"


def _build_absent_node(
    edge: DependencyEdge, edges: Iterable[DependencyEdge], region: str, names: Collection[str]
) -> Node:
    """Return an upstream that is in another region or account, or does not exist."""
    upstream = replace(edge.dependency, stage=None)
    if edge.upstream != upstream.name:
        description = "elsewhere: not checked"
        return Node(edge.upstream, upstream.label, "elsewhere", description)
    dependents = sorted({other.dependent for other in edges if other.upstream == edge.upstream})
    problem = (
        f"{describe_missing_pipeline(upstream.name, region, names)} {join_names(dependents)} "
        f"{'waits' if len(dependents) == 1 else 'wait'} for it."
    )
    return Node(upstream.name, upstream.name, "unknown", "does not exist", problem=problem)


def draw_tree(graph: Graph) -> Group:
    """Draw the graph for the terminal: what must finish first is on top. Problems follow."""
    dependents = {line.edge.dependent for line in graph.lines}
    roots = [name for name in graph.nodes if name not in dependents]
    drawn: set[str] = set()
    trees = []
    for name in [*roots, *graph.nodes]:  # a cycle, and what waits for it, has no root
        if name not in drawn:
            drawn.add(name)
            trees.append(tree := Tree(_label_branch(graph.nodes[name], None)))
            _add_dependents(tree, graph, name, drawn)
    return Group(*trees, *(part for remark in _list_remarks(graph) for part in (Text(), remark)))


def _list_remarks(graph: Graph) -> Iterator[Text]:
    for cycle in graph.cycles:
        advice = "" if cycle.kind == "turns" else f" {DEADLOCK_REMEDY}"
        yield _write_remark("Cycle: ", "yellow", f"{cycle}{advice}")
    problems = [node.problem for node in graph.unknown] + [line.problem for line in graph.lines]
    for problem in filter(None, problems):
        yield _write_remark("Unknown: ", "red", problem)
    for node in graph.nodes.values():
        if node.problem and node.kind != "unknown":
            refusal = f"the gate of {node.label} fails immediately. {node.problem}"
            yield _write_remark("Refused: ", "red", refusal)


def _write_remark(heading: str, colour: str, text: str) -> Text:
    return Text.assemble((heading, f"{colour} bold"), text)


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
        text.append(f"  {node.description}", f"not bold {COLOURS.get(node.kind, ('dim',))[0]}")
    notes = [*(line.notes if line else ()), *(["see above"] if repeated else [])]
    if notes:
        text.append(f"  ({'; '.join(notes)})", "not bold dim")
    return text


def draw_mermaid(graph: Graph) -> str:
    """Draw a flowchart with quoted names, upstreams on top (guide: mermaid.js.org, Flowcharts)."""
    ids = {name: f"p{number}" for number, name in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    lines += [f'  {ids[node.id]}["{_label(node, "<br/>")}"]' for node in graph.nodes.values()]
    for line in graph.lines:
        note = f'|"{"; ".join(line.notes)}"|' if line.notes else ""
        lines.append(f"  {ids[line.edge.upstream]} -->{note} {ids[line.edge.dependent]}")
    for kind, (_, colour) in COLOURS.items():
        ids_of_kind = [ids[node.id] for node in graph.nodes.values() if node.kind == kind]
        if ids_of_kind:
            lines += [
                f"  classDef {kind} fill:{colour},color:#000",
                f"  class {','.join(ids_of_kind)} {kind}",
            ]
    lines += [f"  %% Cycle: {cycle}" for cycle in graph.cycles]
    return "\n".join(lines)


def draw_dot(graph: Graph) -> str:
    """Draw the graph for Graphviz (guide: graphviz.org, DOT language)."""
    lines = ["digraph gates {", '  node [shape=box, style="rounded,filled", fillcolor=white];']
    for node in graph.nodes.values():
        fill = f', fillcolor="{COLOURS[node.kind][1]}"' if node.kind in COLOURS else ""
        lines.append(f'  "{node.id}" [label="{_label(node, chr(92) + "n")}"{fill}];')
    for line in graph.lines:
        label = f' [label="{"; ".join(line.notes)}"]' if line.notes else ""
        lines.append(f'  "{line.edge.upstream}" -> "{line.edge.dependent}"{label};')
    lines += [f"  // Cycle: {cycle}" for cycle in graph.cycles]
    return "\n".join([*lines, "}"])


def _label(node: Node, line_break: str) -> str:
    return f"{node.label}{line_break}{node.description}" if node.description else node.label


def to_json(graph: Graph, region: str, links: ConsoleLinks) -> dict[str, Any]:
    """Return the graph as JSON. Programs read it, so its keys stay."""
    return {
        "region": region,
        "pipelines": [
            {
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
            for node in graph.nodes.values()
        ],
        "edges": [
            {
                "upstream": line.edge.upstream,
                "dependent": line.edge.dependent,
                "require": line.edge.dependency.require,
                "stage": line.edge.dependency.stage,
                "parked": line.edge.dependency.parked,
                "hold": [mode.name for mode in line.hold_modes],
                "problem": line.problem or None,
            }
            for line in graph.lines
        ],
        "circles": [
            {
                "pipelines": cycle.pipelines,
                "deadlock": cycle.kind != "turns",
                "kind": cycle.kind,
                "text": str(cycle),
            }
            for cycle in graph.cycles
        ],
        "unknown": [node.id for node in graph.unknown],
    }
