"""The environment of the documents' commands: a clone of this repository, and the sandbox as a
server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.server import SandboxServer
from tests.support.project import copy_project


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of this repository that the commands use. `chalice deploy` writes its notes
    there.
    """
    return copy_project(tmp_path, "examples/infra.json", "examples/k8s.json")


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server
