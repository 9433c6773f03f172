"""Run the simulation: one seed with its story, or many on all cores."""

from __future__ import annotations

import logging
import sys

import click

from tests.simulation.run import simulate
from tests.simulation.soak import soak
from tests.simulation.story import told


@click.command()
@click.option("--seed", type=int, help="Play the run of this seed and print its story.")
@click.option("--soak", "forever", is_flag=True, help="Play runs until told to stop (Ctrl-C).")
@click.option("--runs", type=int, help="Play so many runs.")
@click.option("--minutes", type=float, help="Play runs for so long.")
@click.option("--first", default=0, show_default=True, help="The first seed of many.")
def main(seed: int | None, forever: bool, runs: int | None, minutes: float | None, first: int) -> None:
    """Play histories of pipelines, people and faults, and check the gate's promises. Exit status 1 where one is broken."""
    logging.disable(logging.CRITICAL)  # the sandbox's own warnings: here, faults are the point
    if seed is not None:
        result = simulate(seed)
        click.echo(told(result))
        sys.exit(bool(result.broken))
    if not (forever or runs or minutes):
        raise click.UsageError("say which: --seed N, --runs N, --minutes M or --soak")
    sys.exit(soak(first, runs, minutes))


if __name__ == "__main__":
    main()
