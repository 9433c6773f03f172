"""Run the simulation: one seed with its story, or many on all cores."""

from __future__ import annotations

import itertools
import logging
import sys

import click

from tests.simulation.planted_bugs import BUGS
from tests.simulation.run import simulate
from tests.simulation.soak import soak
from tests.simulation.story import format_result


@click.command()
@click.option("--seed", type=int, help="Play the run of this seed and print its story.")
@click.option("--soak", "forever", is_flag=True, help="Play runs until Ctrl-C.")
@click.option("--runs", type=int, help="Play this many runs.")
@click.option("--minutes", type=float, help="Play runs for this many minutes.")
@click.option("--bug", help="Plant this bug, and print the first seed that shows it.")
@click.option("--first", default=0, show_default=True, help="The first seed of many.")
def main(
    seed: int | None,
    forever: bool,
    runs: int | None,
    minutes: float | None,
    bug: str | None,
    first: int,
) -> None:
    """Play histories and check the gate's promises. Exit status 1 if one is broken."""
    logging.disable(logging.CRITICAL)  # the sandbox's own warnings: faults are intended here
    if bug is not None:
        planted = next((one for one in BUGS if one.name == bug), None)
        if planted is None:
            raise click.BadParameter(
                f"There is no {bug}. There are {', '.join(one.name for one in BUGS)}.",
                param_hint="--bug",
            )
        click.echo(f"{next(number for number in itertools.count(first) if planted.shows(number))}")
        return
    if seed is not None:
        result = simulate(seed)
        click.echo(format_result(result))
        sys.exit(bool(result.broken))
    if not (forever or runs or minutes):
        raise click.UsageError(
            "Choose one of --seed N, --runs N, --minutes M, --soak and --bug NAME."
        )
    sys.exit(soak(first, runs, minutes))


if __name__ == "__main__":
    main()
