"""From the start of a process to the job's answer, run by Lambda's own runtime client, beside
handlers that do less.

As in Lambda, the zip's modules are compiled at each start, for its folder is read-only and comes
without compiled ones; boto3's are compiled already, for they come with the runtime (practice). AWS
answers at once, with a full page of executions: nothing hides the difference. All take turns, so
that what else the machine does meets all alike.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import botocore

from benchmarks.deployment import unpacked
from benchmarks.figures import Pair, Part, Row, Tell
from benchmarks.lambda_process import LambdaProcess, job
from benchmarks.slow_aws import FULL_PAGE, slow_aws

HANDLERS = Path(__file__).parent / "handlers"
TURNS = 31


@dataclass(frozen=True)
class Start:
    """Milliseconds from the process's start to the answer, and those of them that came after the
    event: Lambda's invocation.
    """

    answered: float
    after_event: float


def start(folder: Path, handler: str, url: str) -> Start:
    with LambdaProcess(folder, handler, url) as process:
        before, after = process.ready() * 1000, process.answer(job(["infra"])) * 1000
        return Start(before + after, after)


def python_alone() -> Start:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return Start((time.perf_counter() - began) * 1000, 0)


def measure(tell: Tell, turns: int = TURNS) -> Sequence[Pair]:
    """The medians of so many turns, after one that is not counted."""
    if not Path(importlib.util.cache_from_source(botocore.__file__)).exists():
        raise RuntimeError(
            "botocore is not compiled here, as it is in Lambda: python -m compileall does that"
        )
    with unpacked(os.environ) as (task, handler), slow_aws(0, FULL_PAGE) as url:
        others = shutil.copytree(
            HANDLERS, task.parent / "handlers", ignore=shutil.ignore_patterns("__pycache__")
        )
        starts: list[Callable[[], Start]] = [
            partial(start, task, handler, url),
            *(
                partial(start, others, f"{name}.gate", url)
                for name in ("bare_boto3", "bare_botocore", "empty")
            ),
            python_alone,
        ]
        seen: list[list[Start]] = [[] for _ in starts]
        for turn in range(1 + turns):
            tell(f"turn {turn} of {turns}")
            for place in range(len(starts)):
                number = (turn + place) % len(
                    starts
                )  # each begins a turn in turn, so none always comes after the same one
                seen[number].append(starts[number]())
    ours, *others_ = (median(one.answered for one in column[1:]) for column in seen)
    after, bare, *_ = (median(one.after_event for one in column[1:]) for column in seen)
    return [*((ours, other) for other in others_), (after, bare)]


PART = Part(
    "cold-start",
    "Cold start to the answer, beside",
    (
        Row("a bare boto3 handler", "ms", ratio_at_most=1.1),
        Row("the same with botocore alone", "ms"),
        Row("an empty handler", "ms"),
        Row("python -c pass", "ms"),
        Row("the bare handler, from the event on", "ms"),
    ),
    measure,
)
