"""docs/costs.md and the README's table of modes state the costs that benchmarks.costs counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.costs import (
    MAX_METRICS,
    METRIC_DOLLARS,
    OPEN_GATE,
    calculate_dollars,
    count_hold_usage,
    main,
)

ROOT = Path(__file__).parents[2]
PAGE, README = (ROOT / "docs/costs.md").read_text(), (ROOT / "README.md").read_text()


def read_dollars(label: str) -> float:
    """The dollars in a row of the table."""
    row = re.search(rf"^\| {re.escape(label)} \| ([0-9.]+) ?", PAGE, flags=re.MULTILINE)
    assert row, label
    return float(row[1])


@pytest.mark.parametrize("minutes", [12, 60])
@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_a_hold_by_a_rule_costs_the_same_for_any_duration(mode: str, minutes: int) -> None:
    dollars = calculate_dollars(count_hold_usage(minutes, mode))
    assert dollars == pytest.approx(read_dollars(f"a hold, `{mode}`"), abs=0.0002)


def test_a_hold_in_the_mode_wait_costs_by_the_minute() -> None:
    short, long = (calculate_dollars(count_hold_usage(minutes, "wait")) for minutes in (12, 60))
    assert (long - short) / 48 == pytest.approx(read_dollars("a hold, `wait`"), abs=0.0002)


def test_the_page_states_the_costs_of_an_open_gate_and_of_the_metrics() -> None:
    dollars = calculate_dollars(OPEN_GATE)
    assert dollars == pytest.approx(read_dollars("a run that the gate lets pass"), abs=0.0001)
    metrics = read_dollars("metrics, for all pipelines together")
    assert metrics == pytest.approx(MAX_METRICS * METRIC_DOLLARS)


def test_the_readme_states_the_costs_of_a_hold_in_each_mode() -> None:
    (row,) = re.findall(r"^\| Cost of a hold \(V2\) \|(.*)\|$", README, flags=re.MULTILINE)
    holds = [read_dollars(f"a hold, `{mode}`") for mode in ("restart", "retry", "wait")]
    assert [float(price) for price in re.findall(r"\$([0-9.]+)", row)] == holds


def test_options_are_explained_in_sentences() -> None:
    shown = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())
    assert "How long a hold lasts, in minutes." in shown
    assert CliRunner().invoke(main, ["--pipelines", "0"]).exit_code == 2
