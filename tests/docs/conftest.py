"""What the pages' real commands run in: a clone of this repository, and the sandbox as a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.server import SandboxServer

ROOT = Path(__file__).parents[2]
OF_A_CLONE = (
    "app.py",
    "chalicelib",
    ".chalice",
    "requirements.txt",
    "examples/infra.json",
    "examples/k8s.json",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of this repository the commands use: `chalice deploy` leaves its notes there."""
    for name in OF_A_CLONE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                tmp_path / name,
                ignore=shutil.ignore_patterns("deployed", "deployments", "__pycache__"),
            )
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server
