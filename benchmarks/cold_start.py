"""From the start of a process to the job's answer, beside a bare boto3 handler.

Lambda's own runtime client runs both. As in Lambda, the zip's modules are compiled at each start,
because its folder is read-only and comes without compiled ones; boto3's are compiled already,
because they come with the runtime (practice). AWS answers at once, with a full page of executions,
so nothing hides the difference. The two take turns, so that load on the machine slows both.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import botocore

from benchmarks.deployment import unpack_deployment
from benchmarks.figures import Pair, Part, Quantity, ShowProgress
from benchmarks.lambda_process import LambdaProcess, make_job
from benchmarks.slow_aws import FULL_PAGE, slow_aws

HANDLERS = Path(__file__).parent / "handlers"
TURNS = 31


@dataclass(frozen=True)
class ColdStart:
    """Milliseconds from the process's start to the answer, and how many of them came after the
    event: the part that is Lambda's invocation.
    """

    to_answer: float
    after_event: float


def start_process(folder: Path, handler: str, url: str) -> ColdStart:
    """Start a handler in a new process, with AWS at `url`, and let it answer one job."""
    with LambdaProcess(folder, handler, url) as process:
        to_event = process.wait_until_ready() * 1000
        after_event = process.answer(make_job(["infra"])) * 1000
        return ColdStart(to_answer=to_event + after_event, after_event=after_event)


def measure(show_progress: ShowProgress, turns: int = TURNS) -> Sequence[Pair]:
    """The medians of `turns` turns, after one that is not counted."""
    if not Path(importlib.util.cache_from_source(botocore.__file__)).exists():
        raise RuntimeError(
            "botocore is not compiled here, as it is in Lambda: python -m compileall does that"
        )
    with unpack_deployment(os.environ) as (task, handler), slow_aws(0, FULL_PAGE) as url:
        bare = shutil.copytree(
            HANDLERS, task.parent / "handlers", ignore=shutil.ignore_patterns("__pycache__")
        )
        pairs: list[tuple[ColdStart, ColdStart]] = []
        for turn in range(1 + turns):
            show_progress(f"turn {turn} of {turns}")
            pairs.append(
                (
                    start_process(task, handler, url),
                    start_process(bare, "bare_boto3.gate", url),
                )
            )
    ours, bare_starts = zip(*pairs[1:], strict=True)
    return [
        (
            median(start.to_answer for start in ours),
            median(start.to_answer for start in bare_starts),
        ),
        (
            median(start.after_event for start in ours),
            median(start.after_event for start in bare_starts),
        ),
    ]


PART = Part(
    name="cold-start",
    title="Cold start to the answer, beside",
    quantities=(
        Quantity("a bare boto3 handler", "ms", ratio_at_most=1.1),
        Quantity("the bare handler, from the event on", "ms"),
    ),
    measure=measure,
)
