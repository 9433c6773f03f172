"""How soon after its upstream's end a held pipeline starts again, beside the article's plain
design, on driven time.

The upstream ends at several moments between two firings of the schedule. The functions take no time
here (restart_in_processes.py has what they take), EventBridge takes DELIVERY_SECONDS.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.designs import ARTICLE, OURS, play
from benchmarks.figures import Pair, Part, Row, Tell

HOLD_MINUTES = 12
PHASES = range(0, 300, 25)
"""Seconds: one turn of the schedule, which looks every five minutes."""


def measure(tell: Tell) -> Sequence[Pair]:
    took: list[tuple[float, float, float]] = []
    for phase in PHASES:
        tell(f"the upstream ends {HOLD_MINUTES} min {phase} s later, both designs")
        seconds = HOLD_MINUTES * 60 + phase
        stories = play(OURS, seconds), play(ARTICLE, seconds), play(OURS, seconds, events=False)
        took.append(tuple(story.restart_seconds for story in stories))  # type: ignore[arg-type]
    mine, others, without_event = zip(*took, strict=True)
    return [
        (median(mine), median(others)),
        (max(mine), max(others)),
        (max(without_event), max(others)),
    ]


PART = Part(
    "restart",
    "End to restart, beside the article's",
    (
        Row("median, wherever the schedule stands", "s", at_most=2),
        Row("longest", "s", at_most=2),
        Row("longest, where the event is lost", "s"),
    ),
    measure,
)
