"""`gatectl graph`: draws which pipelines wait for which."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import click
from rich.text import Text

from chalicelib.account.pipeline import AccountView, list_unseen_pipelines
from chalicelib.account.reader import AccountReader
from gatectl.graph.drawing import build_graph, draw_dot, draw_mermaid, draw_tree, to_json
from gatectl.output import write_text
from gatectl.session import Place, add_options
from gatectl.unseen import print_unseen


@click.command()
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["tree", "mermaid", "dot", "json"]),
    default="tree",
    show_default=True,
    help="tree: for the terminal; mermaid: for Markdown; dot: for Graphviz; json: same as --json.",
)
@click.option("--no-state", is_flag=True, help="Leave out the current states, which saves calls.")
@add_options
def graph(
    place: Place, output_format: Literal["tree", "mermaid", "dot", "json"], *, no_state: bool
) -> None:
    """Show which pipelines wait for which. What must finish first is on top.

    Shows the current state of each pipeline. A pipeline that waits for several others appears below
    each of them. Also reports pipelines that wait for each other, and upstreams that do not exist.

    \b
    Examples: gatectl graph
              gatectl graph --format dot --no-state | dot -Tsvg > pipelines.svg
    """
    place.json = place.json or output_format == "json"
    reader, now = AccountReader(place.client), datetime.now(UTC)
    with place.show_progress("reading pipelines") as progress:
        pipelines = reader.read_pipelines(progress)
        account = AccountView(pipelines, (), ()) if no_state else reader.read_view(now)
    print_unseen(place, list_unseen_pipelines(pipelines))
    drawing = build_graph(account, place.region, pipelines, None if no_state else now)
    if place.json:
        place.show("", to_json(drawing, place.region, place.links))
    elif output_format == "mermaid":
        write_text(draw_mermaid(drawing))
    elif output_format == "dot":
        write_text(draw_dot(drawing))
    else:
        place.keep_lines_whole()
        nothing = f"No pipeline in {place.region} has a gate. To add one, run gatectl attach."
        place.console.print(draw_tree(drawing) if drawing.nodes else Text(nothing))
