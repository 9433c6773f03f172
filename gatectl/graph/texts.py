"""The graph for other programs that draw, and as JSON."""

from __future__ import annotations

from typing import Any

from chalicelib.account.console import ConsoleLinks
from gatectl.graph.nodes import Graph, Line, Node

FILL = {
    "waits": "#ffe08a",
    "asks": "#e3c6f5",
    "runs": "#a8dcf0",
    "succeeded": "#b7e4b0",
    "failed": "#f5b5ae",
    "stopped": "#f5b5ae",
    "unknown": "#ff8a80",
}
"""Colours on which black is easy to read."""


def mermaid(graph: Graph) -> str:
    """A flowchart, upstreams on top (guide: mermaid.js.org, Flowcharts). Names stand in quotes,
    where nothing in them is special.
    """
    ids = {name: f"p{number}" for number, name in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    lines += [f'  {ids[node.id]}["{_label(node, "<br/>")}"]' for node in graph.nodes.values()]
    lines += [
        f"  {ids[line.edge.upstream]} -->{_mermaid_note(line)} {ids[line.edge.dependent]}"
        for line in graph.lines
    ]
    for kind, fill in FILL.items():
        of_kind = [ids[node.id] for node in graph.nodes.values() if node.kind == kind]
        if of_kind:
            lines += [
                f"  classDef {kind} fill:{fill},color:#000",
                f"  class {','.join(of_kind)} {kind}",
            ]
    lines += [f"  %% Circle: {circle}" for circle in graph.circles]
    return "\n".join(lines)


def _mermaid_note(line: Line) -> str:
    return f'|"{"; ".join(line.notes)}"|' if line.notes else ""


def dot(graph: Graph) -> str:
    """For Graphviz (guide: graphviz.org, DOT language)."""
    lines = ["digraph gates {", '  node [shape=box, style="rounded,filled", fillcolor=white];']
    for node in graph.nodes.values():
        fill = f', fillcolor="{FILL[node.kind]}"' if node.kind in FILL else ""
        lines.append(f'  "{node.id}" [label="{_label(node, chr(92) + "n")}"{fill}];')
    for line in graph.lines:
        label = f' [label="{"; ".join(line.notes)}"]' if line.notes else ""
        lines.append(f'  "{line.edge.upstream}" -> "{line.edge.dependent}"{label};')
    lines += [f"  // Circle: {circle}" for circle in graph.circles]
    return "\n".join([*lines, "}"])


def _label(node: Node, line_break: str) -> str:
    return f"{node.label}{line_break}{node.says}" if node.says else node.label


def as_json(graph: Graph, region: str, links: ConsoleLinks) -> dict[str, Any]:
    """The keys stay as they are."""
    return {
        "region": region,
        "pipelines": [_node(node, links) for node in graph.nodes.values()],
        "edges": [_edge(line) for line in graph.lines],
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


def _node(node: Node, links: ConsoleLinks) -> dict[str, Any]:
    here = node.kind not in ("elsewhere", "unknown")
    return {
        "id": node.id,
        "name": node.label,
        "where": "here" if here else node.kind,
        "gated": node.gated,
        "state": node.state and node.state.word,
        "since": node.state and node.state.since,
        "execution": node.state and node.state.execution,
        "problem": node.problem or None,
        "link": links.pipeline(node.id) if here else None,
    }


def _edge(line: Line) -> dict[str, Any]:
    wanted = line.edge.dependency
    return {
        "upstream": line.edge.upstream,
        "dependent": line.edge.dependent,
        "require": wanted.require,
        "stage": wanted.stage,
        "parked": wanted.parked,
        "hold": [mode.name for mode in line.holds],
        "problem": line.problem or None,
    }
