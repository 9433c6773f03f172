"""A gate with 1, 10 and 50 upstreams; each AWS call takes 20 ms, and each upstream's history fills
a page, unless the row says else.

Cold: from the start of a new process to its first answer. Warm: a further invocation of the same
one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.deployment import unpacked
from benchmarks.figures import Pair, Part, Row, Tell
from benchmarks.lambda_process import LambdaProcess, job
from benchmarks.slow_aws import FULL_PAGE, slow_aws

CALL_SECONDS = 0.020
FEW = 10
"""Executions of a pipeline that runs seldom: its answer is soon read."""
TURNS = 9
WARM = 5


def invocations(
    task: Path, handler: str, url: str, upstreams: int, warm: int = WARM
) -> tuple[float, list[float]]:
    """Milliseconds of a cold start, and of so many further invocations of the same process."""
    event = job([f"u{number}" for number in range(upstreams)])
    with LambdaProcess(task, handler, url) as process:
        cold = process.ready() + process.answer(event)
        return cold * 1000, [process.answer(event) * 1000 for _ in range(warm)]


def measure(tell: Tell) -> Sequence[Pair]:
    """The medians of so many processes' cold starts, and of all their further invocations."""
    cold: dict[tuple[int, int], list[float]] = defaultdict(list)
    warm: dict[tuple[int, int], list[float]] = defaultdict(list)
    with (
        unpacked(os.environ) as (task, handler),
        slow_aws(CALL_SECONDS, FULL_PAGE) as full,
        slow_aws(CALL_SECONDS, FEW) as short,
    ):
        for turn in range(1, 1 + TURNS):
            tell(f"turn {turn} of {TURNS}")
            for executions, url, upstreams in (
                (FULL_PAGE, full, (1, 10, 50)),
                (FEW, short, (1, 50)),
            ):
                for count in upstreams:
                    first, further = invocations(task, handler, url, count)
                    cold[executions, count].append(first)
                    warm[executions, count] += further
    rows = (
        (cold, FULL_PAGE, 10),
        (cold, FULL_PAGE, 50),
        (warm, FULL_PAGE, 10),
        (warm, FULL_PAGE, 50),
        (warm, FEW, 50),
    )
    return [
        (median(took[executions, count]), median(took[executions, 1]))
        for took, executions, count in rows
    ]


PART = Part(
    "upstreams",
    "A gate's answer, beside one upstream's",
    (
        Row("10 upstreams, cold start", "ms"),
        Row("50 upstreams, cold start", "ms", ratio_at_most=3),
        Row("10 upstreams, warm", "ms"),
        Row("50 upstreams, warm", "ms"),
        Row(f"50 upstreams that ran {FEW} times, warm", "ms", ratio_at_most=3),
    ),
    measure,
)
