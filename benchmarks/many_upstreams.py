"""A gate with 50 upstreams, beside one with a single upstream. Each AWS call takes 20 ms.

Cold: from the start of a new process to its first answer. Warm: a further invocation of the same
process. Each upstream's history fills a page, unless the label says otherwise.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.deployment import unpack_deployment
from benchmarks.figures import Pair, Part, Quantity, ShowProgress
from benchmarks.lambda_process import LambdaProcess, make_job
from benchmarks.slow_aws import FULL_PAGE, slow_aws

CALL_SECONDS = 0.020
SHORT_PAGE = 10
"""Executions of a pipeline that seldom runs: its answer is read quickly."""
MAX_UPSTREAMS = 50
TURNS = 9
WARM_INVOCATIONS = 5


def time_invocations(
    task: Path, handler: str, url: str, upstreams: int, warm: int = WARM_INVOCATIONS
) -> tuple[float, list[float]]:
    """Milliseconds of a cold start, and of `warm` further invocations of the same process."""
    event = make_job([f"u{number}" for number in range(upstreams)])
    with LambdaProcess(task, handler, url) as process:
        cold = process.wait_until_ready() + process.answer(event)
        return cold * 1000, [process.answer(event) * 1000 for _ in range(warm)]


def measure(show_progress: ShowProgress) -> Sequence[Pair]:
    """The medians of the processes' cold starts, and of all their further invocations."""
    cold: dict[tuple[int, int], list[float]] = defaultdict(list)
    warm: dict[tuple[int, int], list[float]] = defaultdict(list)
    with (
        unpack_deployment(os.environ) as (task, handler),
        slow_aws(CALL_SECONDS, FULL_PAGE) as full_url,
        slow_aws(CALL_SECONDS, SHORT_PAGE) as short_url,
    ):
        for turn in range(1, 1 + TURNS):
            show_progress(f"turn {turn} of {TURNS}")
            for executions, url in ((FULL_PAGE, full_url), (SHORT_PAGE, short_url)):
                for upstreams in (1, MAX_UPSTREAMS):
                    first, further = time_invocations(task, handler, url, upstreams)
                    cold[executions, upstreams].append(first)
                    warm[executions, upstreams] += further
    return [
        (median(times[executions, MAX_UPSTREAMS]), median(times[executions, 1]))
        for times, executions in ((cold, FULL_PAGE), (warm, FULL_PAGE), (warm, SHORT_PAGE))
    ]


PART = Part(
    name="upstreams",
    title="A gate's answer, beside one upstream's",
    quantities=(
        Quantity(f"{MAX_UPSTREAMS} upstreams, cold start", "ms", ratio_at_most=3),
        Quantity(f"{MAX_UPSTREAMS} upstreams, warm", "ms"),
        Quantity(
            f"{MAX_UPSTREAMS} upstreams that ran {SHORT_PAGE} times, warm", "ms", ratio_at_most=3
        ),
    ),
    measure=measure,
)
