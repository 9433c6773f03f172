"""The table of `make bench`: what is reached, what is missed, and what the exit status says of
it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from benchmarks import __main__ as bench
from benchmarks.figures import Figure, Pair, Part, Row
from benchmarks.table import table

PERFORMANCE = (Path(__file__).parents[2] / "docs/performance.md").read_text()
SPEED, CALLS = Row("speed", "ms", ratio_at_most=1.1), Row("calls", at_most=40)


def run(monkeypatch: pytest.MonkeyPatch, *pairs: Pair, words: tuple[str, ...] = ()) -> Result:
    part = Part("part", "A part", (SPEED, CALLS), lambda _: pairs)
    monkeypatch.setattr(bench, "PARTS", {"part": part})
    return CliRunner().invoke(bench.main, words)


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (Figure(SPEED, 11, 10), True),
        (Figure(SPEED, 12, 10), False),
        (Figure(CALLS, 40, 1), True),
        (Figure(CALLS, 41, 1000), False),
        (Figure(Row("only told"), 1, 1), None),
    ],
)
def test_what_is_reached(figure: Figure, reached: bool | None) -> None:
    assert figure.reached is reached


def test_a_missed_target_is_said_and_ends_in_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = run(monkeypatch, (105, 100), (40, None)), run(monkeypatch, (105, 100), (41, None))
    assert (good.exit_code, "MISSED" in good.stdout) == (0, False)
    assert (bad.exit_code, "MISSED" in bad.stdout) == (1, True)
    assert "105 ms 100 ms" in good.stdout
    assert "1.05    1.1x" in good.stdout


def test_the_figures_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    speed, calls = json.loads(run(monkeypatch, (105, 100), (41, None), words=("--json",)).stdout)
    assert (speed["part"], speed["what"], speed["ours"], speed["other"], speed["ratio"]) == (
        "part",
        "speed",
        105,
        100,
        1.05,
    )
    assert (speed["reached"], calls["reached"], calls["other"]) == (True, False, None)


def test_it_fits_a_terminal_of_80_columns() -> None:
    results = {
        part: [Figure(row, 1234, 1234) for row in part.rows] for part in bench.PARTS.values()
    }
    console = Console(width=80)
    with console.capture() as printed:
        console.print(table(results))
    assert "…" not in printed.get()
    assert all(row.what in printed.get() for part in bench.PARTS.values() for row in part.rows)


@pytest.mark.parametrize("part", bench.PARTS.values(), ids=lambda part: part.name)
def test_the_document_has_each_row_that_is_printed(part: Part) -> None:
    printed = PERFORMANCE.split("```text\n")[1].split("```")[0].splitlines()
    under = printed[printed.index(part.title) + 1 :][: len(part.rows)]
    for line, row in zip(under, part.rows, strict=True):
        assert line.startswith(f"  {row.what}  ")
