"""All benchmarks in one run and one table: `make bench`, or `python -m benchmarks`."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from benchmarks import cold_start, hold_of_an_hour, many_upstreams, release_of_many, turns
from benchmarks.figures import measure_part
from benchmarks.table import as_json, make_table

PARTS = {
    module.PART.name: module.PART
    for module in (cold_start, hold_of_an_hour, many_upstreams, release_of_many, turns)
}


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(PARTS)),
    help="Measure only this part. Can be repeated.",
)
@click.option("--json", "prints_json", is_flag=True, help="Print the figures as JSON.")
def main(only: tuple[str, ...], prints_json: bool) -> None:
    """Measure, and print each figure next to its target. Exit status 1 if a target is missed.

    It takes five to eight minutes on two slow cores, most of it in real time for the turns. Leave
    the machine idle meanwhile: other work distorts the milliseconds.
    """
    results = {}
    with Console(stderr=True).status("") as status:
        for part in [PARTS[name] for name in only or PARTS]:

            def show_progress(step: str, title: str = part.title) -> None:
                status.update(f"{title}: {step}")

            results[part] = measure_part(part, show_progress)
    if prints_json:
        print(json.dumps(as_json(results), indent=2))
    else:
        Console().print(make_table(results))
    sys.exit(any(figure.is_reached is False for figures in results.values() for figure in figures))


if __name__ == "__main__":
    main()
