"""docs/tutorial.md from its first step to its last, in a real sandbox and a real shell. Only
infra's work takes as long as the steps before its end, not 20 seconds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from sandbox.server import SandboxServer
from tests.docs.page import as_told, blocks
from tests.support.waiting import wait_until
from tests.support.work import DrivenWork

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"


def test_every_step_shows_what_the_tutorial_says(clone: Path, server: SandboxServer) -> None:
    environment = {
        **server.environment(),
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    session = boto3.Session("sandbox", "sandbox", region_name=environment["AWS_DEFAULT_REGION"])
    codepipeline, events = (
        session.client("codepipeline", endpoint_url=server.url),
        session.client("events", endpoint_url=server.url),
    )
    work = DrivenWork("infra")
    happens: dict[str, Callable[[], object]] = {
        "k8s has run": lambda: _statuses(codepipeline, "k8s")[0] == "Succeeded",
        "infra has run": lambda: _statuses(codepipeline, "infra")[0] == "Succeeded",
        "k8s is held": lambda: _statuses(codepipeline, "k8s")[0] == "Failed",
        "nothing is held": lambda: not events.list_rules()["Rules"],
    }
    for block in blocks(PAGE):
        if block.until in ("infra has run", "nothing is held"):
            work.end_work("infra")
        if block.until:
            wait_until(happens[block.until])
        for typed in block.typed:
            said = subprocess.run(
                ["/bin/sh", "-c", typed.command],
                cwd=clone,
                env=environment,
                input=typed.answers,
                capture_output=True,
                text=True,
                check=False,
            )
            assert said.returncode == 0, said.stderr
            shown = _echoed(said.stdout, typed.answers)
            assert as_told(_join_columns(typed.shows), _join_columns(shown)), (
                f"tutorial.md, line {typed.line + 1}: $ {typed.command}\n{shown}"
            )


def _join_columns(table: str) -> str:
    """The same with one space between columns: in real time their widths vary ("under 1 s")."""
    return re.sub(r" {2,}", " ", table)


def _echoed(shown: str, answers: str) -> str:
    """`shown` as a terminal shows it, with each answer after its question."""
    for answer in answers.splitlines():
        shown = re.sub(r"(\[y/N\]: )(?!\w\n)", rf"\g<1>{answer}\n", shown, count=1)
    return shown


def _statuses(codepipeline: Any, pipeline: str) -> list[str]:
    """Newest first."""
    executions = codepipeline.list_pipeline_executions(pipelineName=pipeline)[
        "pipelineExecutionSummaries"
    ]
    return [execution["status"] for execution in executions]
