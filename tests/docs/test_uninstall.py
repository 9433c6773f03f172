"""docs/uninstall.md shows what Chalice and `gatectl doctor` print, in a real sandbox."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt

from sandbox.server import SandboxServer

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PRINTED = [
    token.content
    for token in MarkdownIt().parse((ROOT / "docs/uninstall.md").read_text())
    if token.type == "fence" and not token.info
]
"""The blocks without a language: what Chalice deletes, and what doctor then says."""


def test_delete_prints_what_it_deletes_and_only_where_the_notes_of_the_deployment_are(
    clone: Path, server: SandboxServer
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / words[0], *words[1:]],
            cwd=clone,
            env=server.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    deletes, doctor_says = PRINTED
    run("chalice", "deploy", "--stage", "prod")
    shutil.rmtree(clone / ".chalice/deployed")  # as in a colleague's clone
    nothing = run("chalice", "delete", "--stage", "prod")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert run("gatectl", "doctor").returncode == 0, "all is still there"
    run("chalice", "deploy", "--stage", "prod")
    assert run("chalice", "delete", "--stage", "prod").stdout == deletes
    doctor = run("gatectl", "doctor")
    assert (doctor.returncode, doctor.stdout.startswith(doctor_says)) == (0, True), doctor.stdout
