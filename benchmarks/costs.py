"""What a gate costs in a month: what the sandbox counts, times AWS's prices. `python -m
benchmarks.costs`
"""

from __future__ import annotations

from dataclasses import dataclass

import click
from rich.console import Console
from rich.table import Table

from benchmarks.designs import OURS, play_hold

# US dollars, us-east-1, as AWS's price pages had them in 2026, without the free tiers.
ACTION_MINUTE_DOLLARS = 0.002
"""CodePipeline, V2: "rounded up to the nearest minute". V1 does not charge for actions."""
LAMBDA_REQUEST_DOLLARS = 0.20e-6
LAMBDA_GB_SECOND_DOLLARS = 0.0000166667
LOG_GB_DOLLARS = 0.50
"""CloudWatch Logs, ingestion."""
METRIC_DOLLARS = 0.30
"""CloudWatch, per month."""

MEMORY_GB = 0.25
"""lambda_memory_size in .chalice/config.json."""
INVOCATION_SECONDS = 1.0
"""How long an invocation takes. An assumption on the safe side: docs/performance.md has what was
measured.
"""
INVOCATION_LOG_BYTES = 1500
"""What an invocation logs, with Lambda's own lines: an assumption."""
MAX_METRICS = 22
"""Thirteen of the gate and seven of the retry function (docs/events.md)."""
UNGATED_ACTION_MINUTES = 2
"""Of one run of the sandbox's pipeline without its gate: a source and a deploy, each of a minute at
most.
"""


@dataclass(frozen=True)
class Usage:
    """What AWS charges for."""

    invocations: int
    action_minutes: int


OPEN_GATE = Usage(invocations=1, action_minutes=1)


def count_hold_usage(minutes: float, mode: str) -> Usage:
    """What a hold uses in addition to an open gate, counted in the sandbox."""
    counts = play_hold(OURS, 60 * minutes, mode=mode)
    return Usage(
        invocations=counts.invocations.total() - OPEN_GATE.invocations,
        action_minutes=counts.action_minutes - UNGATED_ACTION_MINUTES - OPEN_GATE.action_minutes,
    )


def calculate_dollars(usage: Usage) -> float:
    """US dollars for one open gate or one hold, without the metrics: their price does not depend on
    how many there are.
    """
    return usage.action_minutes * ACTION_MINUTE_DOLLARS + sum(
        _price_invocations(usage.invocations).values()
    )


def calculate_month(executions: float, holds: float, hold: Usage) -> dict[str, float]:
    """US dollars per month, by what they pay for."""
    invocations = executions * OPEN_GATE.invocations + holds * hold.invocations
    return {
        "action minutes of open gates (V2)": executions
        * OPEN_GATE.action_minutes
        * ACTION_MINUTE_DOLLARS,
        "action minutes of holds (V2)": holds * hold.action_minutes * ACTION_MINUTE_DOLLARS,
        **_price_invocations(invocations),
        "metrics": MAX_METRICS * METRIC_DOLLARS,
    }


def _price_invocations(invocations: float) -> dict[str, float]:
    gb_seconds = MEMORY_GB * INVOCATION_SECONDS
    return {
        "Lambda": invocations * (LAMBDA_REQUEST_DOLLARS + gb_seconds * LAMBDA_GB_SECOND_DOLLARS),
        "logs": invocations * INVOCATION_LOG_BYTES / 1e9 * LOG_GB_DOLLARS,
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
    "held_percent",
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
def main(pipelines: int, runs: int, days: int, held_percent: int, minutes: int) -> None:
    """Print what gates cost in a month, in US dollars, for each way to hold."""
    executions = pipelines * runs * days
    holds = executions * held_percent / 100
    usages = {mode: count_hold_usage(minutes, mode) for mode in ("restart", "retry", "wait")}
    bills = {mode: calculate_month(executions, holds, usage) for mode, usage in usages.items()}
    table = Table(box=None, pad_edge=False)
    for heading in ("", *usages):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row(f"Counted: what a hold of {minutes} minutes takes")
    table.add_row("  invocations", *(str(usage.invocations) for usage in usages.values()))
    table.add_row("  action minutes", *(str(usage.action_minutes) for usage in usages.values()))
    table.add_row("US dollars, each time")
    table.add_row("  an open gate (V2)", *(f"{calculate_dollars(OPEN_GATE):.4f}" for _ in usages))
    table.add_row(
        "  such a hold (V2)",
        *(f"{calculate_dollars(usage):.4f}" for usage in usages.values()),
    )
    table.add_row("US dollars a month")
    for item in bills["restart"]:
        table.add_row(f"  {item}", *(f"{bill[item]:.2f}" for bill in bills.values()))
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
