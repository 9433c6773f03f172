"""The graph as a tree: what must finish first stands on top."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from chalicelib.account.cycles import MEND
from gatectl.graph.nodes import Graph, Line, Node

COLOURS = {
    "waits": "yellow",
    "asks": "magenta",
    "runs": "cyan",
    "succeeded": "green",
    "failed": "red",
    "stopped": "red",
    "unknown": "red bold",
}


def page(graph: Graph) -> Group:
    """The tree, and what is to be said of it."""
    shown: set[str] = set()
    trees = [_tree(graph, root, shown) for root in _roots(graph)]
    for name in graph.nodes:  # what is left is in a circle, or behind one: nothing stands above it
        if name not in shown:
            trees.append(_tree(graph, name, shown))
    told = [
        _told("Circle: ", "yellow", f"{circle}{'' if circle.kind == 'turns' else f' {MEND}'}")
        for circle in graph.circles
    ]
    unknown = [
        *(node.problem for node in graph.unknown),
        *(line.problem for line in graph.unknown_stages),
    ]
    told += [_told("Unknown: ", "red", problem) for problem in unknown]
    told += [
        _told("Refused: ", "red", f"the gate of {node.label} fails at once. {node.problem}")
        for node in graph.refusing
    ]
    return Group(*trees, *(part for one in told for part in (Text(), one)))


def _told(what: str, style: str, text: str) -> Text:
    return Text.assemble((what, f"{style} bold"), text)


def _roots(graph: Graph) -> list[str]:
    waiting = {line.edge.dependent for line in graph.lines}
    return [name for name in graph.nodes if name not in waiting]


def _tree(graph: Graph, root: str, shown: set[str]) -> Tree:
    tree = Tree(_label(graph.nodes[root], None))
    shown.add(root)
    _grow(tree, graph, root, shown)
    return tree


def _grow(tree: Tree, graph: Graph, above: str, shown: set[str]) -> None:
    for line in graph.dependents(above):
        name = line.edge.dependent
        again = name in shown
        branch = tree.add(_label(graph.nodes[name], line, again=again))
        if not again:
            shown.add(name)
            _grow(branch, graph, name, shown)


def _label(node: Node, line: Line | None, *, again: bool = False) -> Text:
    text = Text(node.label, style="bold" if not again else "")
    if node.says and not again:
        text.append(f"  {node.says}", style=f"not bold {COLOURS.get(node.kind, 'dim')}")
    notes = [*(line.notes if line else ()), *(["see above"] if again else [])]
    if notes:
        text.append(f"  ({'; '.join(notes)})", style="not bold dim")
    return text
