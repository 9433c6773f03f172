"""A gate with 1, 10 and 50 upstreams, whose history fills a page each; each AWS call takes 20 ms.

Cold: from the start of a new process to its first answer. Warm: a further invocation of the same one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.deployment import unpacked
from benchmarks.figures import Pair, Part, Row, Tell
from benchmarks.lambda_process import LambdaProcess, job
from benchmarks.slow_aws import FULL_PAGE, slow_aws

CALL_SECONDS = 0.020
UPSTREAMS = (1, 10, 50)
TURNS = 11
WARM = 5


def invocations(task: Path, handler: str, url: str, upstreams: int, warm: int = WARM) -> tuple[float, list[float]]:
    """Milliseconds of a cold start, and of so many further invocations of the same process."""
    event = job([f"u{number}" for number in range(upstreams)])
    with LambdaProcess(task, handler, url) as process:
        cold = process.ready() + process.answer(event)
        return cold * 1000, [process.answer(event) * 1000 for _ in range(warm)]


def measure(tell: Tell) -> Sequence[Pair]:
    cold: dict[int, list[float]] = {upstreams: [] for upstreams in UPSTREAMS}
    warm: dict[int, list[float]] = {upstreams: [] for upstreams in UPSTREAMS}
    with unpacked(os.environ) as (task, handler), slow_aws(CALL_SECONDS, FULL_PAGE) as url:
        for turn in range(1, 1 + TURNS):
            tell(f"turn {turn} of {TURNS}")
            for upstreams in UPSTREAMS:
                first, further = invocations(task, handler, url, upstreams)
                cold[upstreams].append(first)
                warm[upstreams] += further
    return [(median(took[upstreams]), median(took[1])) for took in (cold, warm) for upstreams in UPSTREAMS[1:]]


PART = Part(
    "upstreams",
    "A gate's answer, beside one upstream's",
    (
        Row("10 upstreams, cold start", "ms"),
        Row("50 upstreams, cold start", "ms", ratio_at_most=3),
        Row("10 upstreams, warm", "ms"),
        Row("50 upstreams, warm", "ms"),
    ),
    measure,
)
