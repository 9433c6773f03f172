"""All benchmarks in one run and one table: `make bench`, or `python -m benchmarks`."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from benchmarks import (
    cold_start,
    hold_of_an_hour,
    many_upstreams,
    release_of_many,
    restart,
    restart_in_processes,
)
from benchmarks.figures import figures
from benchmarks.table import as_json, table

PARTS = {
    module.PART.name: module.PART
    for module in (
        cold_start,
        hold_of_an_hour,
        restart,
        restart_in_processes,
        many_upstreams,
        release_of_many,
    )
}


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(PARTS)),
    help="This part alone; may be given more than once.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print the figures as JSON.")
def main(only: tuple[str, ...], wants_json: bool) -> None:
    """Measure, and print what came out beside what it has to reach. Exit status 1 where a target is
    missed.

    All of it takes two to three minutes on two slow cores. Leave the machine alone meanwhile.
    """
    results = {}
    with Console(stderr=True).status("") as status:
        for part in [PARTS[name] for name in only or PARTS]:

            def show(step: str, title: str = part.title) -> None:
                status.update(f"{title}: {step}")

            results[part] = figures(part, show)
    if wants_json:
        print(json.dumps(as_json(results), indent=2))
    else:
        Console().print(table(results))
    sys.exit(any(figure.reached is False for seen in results.values() for figure in seen))


if __name__ == "__main__":
    main()
