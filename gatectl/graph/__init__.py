"""`gatectl graph`: which pipelines wait for which, as a drawing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import click
from rich.text import Text

from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import AccountView, Pipeline, list_unseen_pipelines
from chalicelib.account.reader import AccountReader
from gatectl.graph.nodes import graph_of
from gatectl.graph.texts import as_json, dot, mermaid
from gatectl.graph.tree import page
from gatectl.session import Place, options
from gatectl.unseen import note


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "json"]),
    default="tree",
    show_default=True,
    help="tree: for this terminal; mermaid: for Markdown; dot: for Graphviz; json: the same as "
    "--json.",
)
@click.option("--no-state", is_flag=True, help="Leave out how each stands now: fewer calls.")
@options
def graph(place: Place, form: Literal["tree", "mermaid", "dot", "json"], *, no_state: bool) -> None:
    """Which pipelines wait for which: what must finish first stands on top.

    Each pipeline is shown with how it stands now. One that waits for several stands below each of them. Pipelines that wait for each
    other and names that are nobody's are pointed out.

    \b
    Examples: gatectl graph
              gatectl graph --format dot --no-state | dot -Tsvg > pipelines.svg
    """
    place.json = place.json or form == "json"
    account, now = AccountReader(place.client), datetime.now(UTC)
    with place.progress("reading pipelines") as progress:
        everything = account.read_pipelines(progress)
        seen = _structure(everything, place.region) if no_state else account.read_view(now)
    note(place, list_unseen_pipelines(everything))
    drawn = graph_of(seen, place.region, everything, None if no_state else now)
    if place.json:
        place.show("", as_json(drawn, place.region, place.links))
    elif form == "mermaid":
        click.echo(mermaid(drawn))
    elif form == "dot":
        click.echo(dot(drawn))
    else:
        place.unfold()
        place.console.print(page(drawn) if drawn.nodes else Text(_nothing(place)))


def _structure(everything: dict[str, Pipeline], region: str) -> AccountView:
    """What is gated, and what is waited for, without their states."""
    gated = {name for name, pipeline in everything.items() if pipeline.gates}
    wanted = gated | {
        one.name for name in gated for one in everything[name].depends_on if is_local(one, region)
    }
    return AccountView(
        {name: pipeline for name, pipeline in everything.items() if name in wanted}, (), ()
    )


def _nothing(place: Place) -> str:
    return f"No pipeline in {place.region} has a gate. gatectl attach gives one to a pipeline."
