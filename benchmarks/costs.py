"""What a gate costs in a month, on paper: what the sandbox counts, times AWS's prices. `python -m
benchmarks.costs`
"""

from __future__ import annotations

from dataclasses import dataclass

import click
from rich.console import Console
from rich.table import Table

from benchmarks.designs import OURS, play

# US dollars, us-east-1, as AWS's price pages had them in 2026, without the free tiers.
ACTION_MINUTE = (
    0.002  # CodePipeline, V2: "rounded up to the nearest minute"; V1 costs nothing by the action
)
REQUEST, GB_SECOND = 0.20e-6, 0.0000166667  # Lambda
LOGS_GB = 0.50  # CloudWatch Logs, taken in
METRIC = 0.30  # CloudWatch, a month

GB = 0.25
"""lambda_memory_size in .chalice/config.json."""
SECONDS = 1.0
"""An invocation, cold, with time to spare: an assumption (docs/performance.md has what was
measured).
"""
LINE_BYTES = 1500
"""What an invocation logs, with Lambda's own lines: an assumption."""
METRICS = 15
"""At most: docs/events.md."""
OPEN = (1, 1)
"""Invocations and action minutes of an open gate."""
UNGATED = 2
"""Action minutes of one run of the sandbox's pipeline without its gate: a source and a deploy, of a
minute at most.
"""


@dataclass(frozen=True)
class Hold:
    """What a hold takes beyond an open gate."""

    invocations: int
    action_minutes: int


def held(minutes: float, mode: str) -> Hold:
    """A hold of so long in a gate's mode, counted in the sandbox."""
    story = play(OURS, 60 * minutes, hold=mode)
    return Hold(story.invocations.total() - OPEN[0], story.action_minutes - UNGATED - OPEN[1])


def each(invocations: float, action_minutes: float) -> float:
    """US dollars for one open gate or one hold; only the metrics cost the same however many there
    are.
    """
    return action_minutes * ACTION_MINUTE + sum(_small_change(invocations).values())


def month(executions: float, holds: float, hold: Hold) -> dict[str, float]:
    """US dollars, by what they are for."""
    return {
        "action minutes of open gates (V2)": executions * OPEN[1] * ACTION_MINUTE,
        "action minutes of holds (V2)": holds * hold.action_minutes * ACTION_MINUTE,
        **_small_change(executions * OPEN[0] + holds * hold.invocations),
        "metrics": METRICS * METRIC,
    }


def _small_change(invocations: float) -> dict[str, float]:
    return {
        "Lambda": invocations * (REQUEST + GB * SECONDS * GB_SECOND),
        "logs": invocations * LINE_BYTES / 1e9 * LOGS_GB,
    }


@click.command()
@click.option(
    "--pipelines",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    help="How many pipelines have a gate.",
)
@click.option(
    "--runs",
    default=10,
    show_default=True,
    type=click.IntRange(0),
    help="How often each of them runs in a day.",
)
@click.option(
    "--days",
    default=22,
    show_default=True,
    type=click.IntRange(0),
    help="On how many days of a month they run.",
)
@click.option(
    "--held",
    "share",
    default=20,
    show_default=True,
    type=click.IntRange(0, 100),
    help="How many runs of a hundred are held.",
)
@click.option(
    "--minutes",
    default=12,
    show_default=True,
    type=click.IntRange(1),
    help="How long a hold lasts, in minutes.",
)
def main(pipelines: int, runs: int, days: int, share: int, minutes: int) -> None:
    """Print what gates cost in a month, in US dollars, for each way to hold."""
    executions = pipelines * runs * days
    holds = executions * share / 100
    modes = {mode: held(minutes, mode) for mode in ("restart", "retry", "wait")}
    bills = {mode: month(executions, holds, hold) for mode, hold in modes.items()}
    table = Table(box=None, pad_edge=False)
    for heading in ("", *modes):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row(f"Counted: what a hold of {minutes} minutes takes")
    table.add_row("  invocations", *(str(hold.invocations) for hold in modes.values()))
    table.add_row("  action minutes", *(str(hold.action_minutes) for hold in modes.values()))
    table.add_row("US dollars, each time")
    table.add_row("  an open gate (V2)", *(f"{each(*OPEN):.4f}" for _ in modes))
    table.add_row(
        "  such a hold (V2)",
        *(f"{each(hold.invocations, hold.action_minutes):.4f}" for hold in modes.values()),
    )
    table.add_row("US dollars a month")
    for line in bills["restart"]:
        table.add_row(f"  {line}", *(f"{bill[line]:.2f}" for bill in bills.values()))
    table.add_row("  in all", *(f"{sum(bill.values()):.2f}" for bill in bills.values()))
    table.add_row(
        "  a pipeline", *(f"{sum(bill.values()) / pipelines:.2f}" for bill in bills.values())
    )
    console = Console(highlight=False)
    console.print(
        f"{executions:,} runs of {pipelines:,} pipelines a month, {holds:,.0f} of them held for "
        f"{minutes} minutes\n",
        soft_wrap=True,
    )
    console.print(table)


if __name__ == "__main__":
    main()
