"""What is measured in processes: the code of the zip, compiled anew each time, and handlers that
answer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cold_start import HANDLERS, start
from benchmarks.deployment import unpacked
from benchmarks.many_upstreams import invocations
from benchmarks.slow_aws import slow_aws


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[Path, str]]:
    with unpacked(os.environ) as deployed:
        yield deployed


def test_the_functions_of_the_zip_answer_and_leave_nothing_compiled(
    deployed: tuple[Path, str],
) -> None:
    """Cold and warm: each of their calls takes its time, which is in what is measured."""
    task, handler = deployed
    with slow_aws(0.1) as url:
        cold, (warm,) = invocations(task, handler, url, upstreams=2, warm=1)
    assert min(cold, warm) >= 200
    assert not list(task.rglob("__pycache__"))


def test_it_is_the_code_of_the_zip_that_runs(deployed: tuple[Path, str], tmp_path: Path) -> None:
    task, handler = shutil.copytree(deployed[0], tmp_path / "task"), deployed[1]
    (task / "chalicelib/gate.py").write_text("raise ZeroDivisionError")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        start(task, handler, "http://127.0.0.1:1")


@pytest.mark.parametrize(("name", "calls"), [("bare_boto3", 2), ("bare_botocore", 2), ("empty", 0)])
def test_what_it_is_compared_with_makes_so_many_calls(
    name: str, calls: int, tmp_path: Path
) -> None:
    folder = shutil.copytree(
        HANDLERS, tmp_path / "handlers", ignore=shutil.ignore_patterns("__pycache__")
    )
    with slow_aws(0.1, executions=100) as url:
        took = start(folder, f"{name}.gate", url)
    assert took.answered > took.after_event >= calls * 100
