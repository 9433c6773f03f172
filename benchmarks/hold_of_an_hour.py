"""What a hold of 60 minutes costs, beside the article's plain design, on driven time."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.designs import ARTICLE, OURS, Story, play
from benchmarks.figures import Pair, Part, Row, Tell

SECONDS = 3600


def measure(tell: Tell) -> Sequence[Pair]:
    tell("60 minutes, both designs")
    return list(zip(_counted(play(OURS, SECONDS)), _counted(play(ARTICLE, SECONDS)), strict=True))


def _counted(story: Story) -> tuple[int, int, int, int]:
    return (
        story.calls.total(),
        story.invocations.total(),
        len(story.statuses),
        story.statuses.count("Failed"),
    )


PART = Part(
    "hold",
    "60 minutes held, beside the article's",
    (
        Row("AWS calls", at_most=40),
        Row("Lambda invocations"),
        Row("executions of the waiting pipeline", at_most=2),
        Row("of them failed"),
    ),
    measure,
)
