"""docs/tutorial.md from its first step to its last, as somebody types it: a real sandbox, a real shell, real time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from sandbox.server import SandboxServer
from tests.docs.page import as_told, blocks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"


def test_every_step_shows_what_the_tutorial_says(clone: Path, server: SandboxServer) -> None:
    environment = {**server.environment(), "COLUMNS": "100", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    session = boto3.Session("sandbox", "sandbox", region_name=environment["AWS_DEFAULT_REGION"])
    codepipeline, events = session.client("codepipeline", endpoint_url=server.url), session.client("events", endpoint_url=server.url)
    happens: dict[str, Callable[[], object]] = {
        "k8s has run": lambda: _statuses(codepipeline, "k8s") == ["Succeeded"],
        "infra has run": lambda: _statuses(codepipeline, "infra")[0] == "Succeeded",
        "k8s is held": lambda: _statuses(codepipeline, "k8s")[0] == "Failed",
        "nobody is held": lambda: not events.list_rules()["Rules"],
    }
    for block in blocks(PAGE):
        if block.until:
            _wait_until(happens[block.until])
        for typed in block.typed:
            said = subprocess.run(["/bin/sh", "-c", typed.command], cwd=clone, env=environment, capture_output=True, text=True, check=False)
            assert said.returncode == 0, said.stderr
            assert as_told(typed.shows, said.stdout), f"tutorial.md, line {typed.line + 1}: $ {typed.command}\n{said.stdout}"


def _statuses(codepipeline: Any, pipeline: str) -> list[str]:
    """Newest first."""
    executions = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    return [execution["status"] for execution in executions]


def _wait_until(happens: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
