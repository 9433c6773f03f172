"""docs/costs.md, and the README's sentence on costs: the figures for a quick reckoning are what is
reckoned now.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.costs import METRIC, METRICS, OPEN, each, held, main

ROOT = Path(__file__).parents[2]
PAGE, README = (ROOT / "docs/costs.md").read_text(), (ROOT / "README.md").read_text()


def told(what: str) -> float:
    """The dollars in a row of the table."""
    row = re.search(rf"^\| {re.escape(what)} \| ([0-9.]+) ?", PAGE, flags=re.MULTILINE)
    assert row, what
    return float(row[1])


@pytest.mark.parametrize("minutes", [12, 60])
@pytest.mark.parametrize("mode", ["restart", "retry"])
def test_a_hold_by_a_rule_costs_the_same_however_long(mode: str, minutes: int) -> None:
    hold = held(minutes, mode)
    assert each(hold.invocations, hold.action_minutes) == pytest.approx(
        told(f"a hold, `{mode}`"), abs=0.0002
    )


def test_a_wait_in_place_costs_by_the_minute() -> None:
    short, long = held(12, "wait"), held(60, "wait")
    more = each(long.invocations, long.action_minutes) - each(
        short.invocations, short.action_minutes
    )
    assert more / 48 == pytest.approx(told("a hold, `wait`"), abs=0.0002)


def test_an_open_gate_and_the_metrics_cost_what_is_told() -> None:
    assert each(*OPEN) == pytest.approx(told("a run that the gate lets pass"), abs=0.0001)
    assert told("metrics, for all pipelines together") == METRICS * METRIC
    assert f"{each(*OPEN):.3f} dollars" in README


def test_options_are_explained_in_sentences() -> None:
    shown = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())
    assert "How long a hold lasts, in minutes." in shown
    assert CliRunner().invoke(main, ["--pipelines", "0"]).exit_code == 2
