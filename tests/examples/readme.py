"""The commands of examples/README.md, which the tests run."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CONNECTION = (
    "arn:aws:codeconnections:eu-central-1:123456789012:"
    "connection/11111111-2222-3333-4444-555555555555"
)
"""As in the README. Nothing reads it."""


def commands(section: str) -> list[list[str]]:
    """The words of each command in a section's first block."""
    text = (EXAMPLES / "README.md").read_text().partition(f"\n## {section}\n")[2]
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block, f"the section {section} has no commands"
    return [shlex.split(line) for line in block[1].replace("\\\n", " ").splitlines()]


def run(*command: str, **options: Any) -> None:
    """Run a command, which has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
