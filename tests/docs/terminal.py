"""The terminal that the documents' commands are typed in: gatectl and the AWS CLI, in this process
and in a scene's AWS; and Python.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import awscli
from awscli.clidriver import create_clidriver
from moto.moto_api._internal import mock_random

from tests.docs.page import Block, Typed
from tests.docs.scenes import SCENES
from tests.support.cli import run
from tests.support.scene import Scene

ROOT = Path(__file__).parents[2]
COLUMNS = 100


def play(block: Block, scene: Scene) -> list[str]:
    """What each of a block's commands shows, in order."""
    if block.scene is not None:
        mock_random.seed(1)  # so that ids are the same from run to run
        SCENES[block.scene](scene)
    scene.wait(minutes=block.wait)
    return [_shown(typed, scene) for typed in block.typed]


def _shown(typed: Typed, scene: Scene) -> str:
    program, *words = shlex.split(typed.command)
    if program == "gatectl":
        said = run(*words, typed=typed.answers, columns=COLUMNS)
        if said.err.startswith("Usage: "):
            raise ValueError(f"line {typed.line + 1}: there is no such command: {said.err}")
        shown = said.out + said.err
    elif program == "aws":
        # It sets this at its import; since then, the scene has taken every AWS_ variable away.
        data = {"AWS_DATA_PATH": str(Path(awscli.__file__).with_name("data"))}
        with patch.dict(os.environ, data), contextlib.redirect_stdout(io.StringIO()) as out:
            create_clidriver().main(words)
        shown = out.getvalue()
    elif (
        program == ".venv/bin/python"
    ):  # what looks at no AWS: in a process of its own, which has a world of its own
        environment = {**os.environ, "COLUMNS": str(COLUMNS)}
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        shown = done.stdout
    else:
        raise ValueError(f"line {typed.line + 1}: nobody here can run {program}")
    scene.wait(seconds=5)  # a person reads, and what was set going goes on
    return shown
