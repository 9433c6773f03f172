"""The table of `make bench` and its exit status: which targets are met, and which are missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from benchmarks import __main__ as bench
from benchmarks.figures import Figure, Pair, Part, Quantity
from benchmarks.table import make_table

PERFORMANCE = (Path(__file__).parents[2] / "docs/performance.md").read_text()
SPEED = Quantity("speed", "ms", ratio_at_most=1.1)
CALLS = Quantity("calls", at_most=40)


def run(monkeypatch: pytest.MonkeyPatch, *pairs: Pair, options: tuple[str, ...] = ()) -> Result:
    part = Part(name="part", title="A part", quantities=(SPEED, CALLS), measure=lambda _: pairs)
    monkeypatch.setattr(bench, "PARTS", {"part": part})
    return CliRunner().invoke(bench.main, options)


@pytest.mark.parametrize(
    ("figure", "is_reached"),
    [
        (Figure(SPEED, 11, 10), True),
        (Figure(SPEED, 12, 10), False),
        (Figure(CALLS, 40, 1), True),
        (Figure(CALLS, 41, 1000), False),
        (Figure(Quantity("without a target"), 1, 1), None),
    ],
)
def test_which_targets_are_met(figure: Figure, is_reached: bool | None) -> None:
    assert figure.is_reached is is_reached


def test_a_missed_target_is_marked_and_sets_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = run(monkeypatch, (105, 100), (40, None)), run(monkeypatch, (105, 100), (41, None))
    assert (good.exit_code, "MISSED" in good.stdout) == (0, False)
    assert (bad.exit_code, "MISSED" in bad.stdout) == (1, True)
    assert "105 ms 100 ms" in good.stdout
    assert "1.05    1.1x" in good.stdout


def test_the_figures_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    speed, calls = json.loads(run(monkeypatch, (105, 100), (41, None), options=("--json",)).stdout)
    assert (speed["part"], speed["what"]) == ("part", "speed")
    assert (speed["ours"], speed["other"], speed["ratio"]) == (105, 100, 1.05)
    assert (speed["reached"], calls["reached"], calls["other"]) == (True, False, None)


def test_it_fits_a_terminal_of_80_columns() -> None:
    results = {
        part: [Figure(quantity, 1234, 1234) for quantity in part.quantities]
        for part in bench.PARTS.values()
    }
    console = Console(width=80)
    with console.capture() as capture:
        console.print(make_table(results))
    printed = capture.get()
    assert "…" not in printed
    for part in results:
        assert all(quantity.label in printed for quantity in part.quantities)


@pytest.mark.parametrize("part", bench.PARTS.values(), ids=lambda part: part.name)
def test_the_document_has_each_row_that_is_printed(part: Part) -> None:
    printed = PERFORMANCE.split("```text\n")[1].split("```")[0].splitlines()
    rows = printed[printed.index(part.title) + 1 :][: len(part.quantities)]
    for row, quantity in zip(rows, part.quantities, strict=True):
        assert row.startswith(f"  {quantity.label}  ")
