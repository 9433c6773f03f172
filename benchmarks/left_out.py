"""What was tried and left out of the cold start, beside what is deployed. `python -m
benchmarks.left_out`
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median

import boto3
import click
from rich.console import Console
from rich.table import Table

from benchmarks.cold_start import Start, start
from benchmarks.deployment import unpacked
from benchmarks.slow_aws import FULL_PAGE, slow_aws

BUNDLED = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3")
LOOP = """        more: dict[str, Any] = {}
        try:
            while True:"""
PAGINATOR = """        more: dict[str, Any] = {}
        try:
            self._client.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
            while True:"""


def through_app(_: Path) -> str:
    """Lambda loads app.py, as Chalice has it by default, and Chalice with it."""
    return "app.gate"


def with_boto3(folder: Path) -> str:
    (folder / "with_boto3.py").write_text(
        "import boto3\nfrom chalicelib.gate_function import gate\n"
    )
    return "with_boto3.gate"


def bundled(folder: Path) -> str:
    """boto3 in the zip, which has no compiled modules."""
    packages = Path(boto3.__file__).parents[1]
    for name in BUNDLED:
        shutil.copytree(
            packages / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return ""


def late_client(folder: Path) -> str:
    """The client is made when the first event comes."""
    _change(folder / "chalicelib/runtime.py", "    _ = aws.codepipeline", "    pass")
    return ""


def paginator(folder: Path) -> str:
    _change(folder / "chalicelib/aws/codepipeline.py", LOOP, PAGINATOR)
    return ""


VARIANTS: dict[str, Callable[[Path], str]] = {
    "as it is deployed": lambda _: "",
    "loaded through app.py, with Chalice": through_app,
    "boto3 instead of botocore": with_boto3,
    "boto3 bundled in the zip": bundled,
    "the client made at the first event": late_client,
    "botocore's paginator": paginator,
}
"""Each changes a copy of the unpacked zip, and returns another handler, or "" for its own."""


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    if old not in text:
        raise RuntimeError(f"{file.name} is not what this variant was written for")
    file.write_text(text.replace(old, new))


@click.command()
@click.option("--turns", default=15, show_default=True)
def main(turns: int) -> None:
    """Print the medians of so many turns, after one that is not counted."""
    with (
        unpacked(os.environ) as (task, handler),
        slow_aws(0, FULL_PAGE) as url,
        Console(stderr=True).status("measuring"),
    ):
        folders = {
            name: shutil.copytree(task, task.parent / str(number))
            for number, name in enumerate(VARIANTS)
        }
        handlers = {name: change(folders[name]) or handler for name, change in VARIANTS.items()}
        seen: dict[str, list[Start]] = {name: [] for name in VARIANTS}
        for _ in range(1 + turns):
            for name in VARIANTS:
                seen[name].append(start(folders[name], handlers[name], url))
    table = Table(title="Cold start, in ms", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "to the answer", "from the event on"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, starts in seen.items():
        table.add_row(
            name,
            *(
                f"{median(each):.0f}"
                for each in zip(
                    *((one.answered, one.after_event) for one in starts[1:]), strict=True
                )
            ),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
