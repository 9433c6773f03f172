"""What a hold of 60 minutes costs, beside the article's plain design, on driven time."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.designs import ARTICLE, OURS, HoldCounts, play_hold
from benchmarks.figures import Pair, Part, Quantity, ShowProgress

HOLD_SECONDS = 3600


def measure(show_progress: ShowProgress) -> Sequence[Pair]:
    show_progress("60 minutes, both designs")
    ours, article = (_list_figures(play_hold(design, HOLD_SECONDS)) for design in (OURS, ARTICLE))
    return list(zip(ours, article, strict=True))


def _list_figures(counts: HoldCounts) -> tuple[int, int, int, int]:
    return (
        counts.calls.total(),
        counts.invocations.total(),
        len(counts.statuses),
        counts.statuses.count("Failed"),
    )


PART = Part(
    name="hold",
    title="60 minutes held, beside the article's",
    quantities=(
        Quantity("AWS calls", at_most=40),
        Quantity("Lambda invocations"),
        Quantity("executions of the waiting pipeline", at_most=2),
        Quantity("of them failed"),
    ),
    measure=measure,
)
