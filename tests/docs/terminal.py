"""The terminal in which the documents' commands run: gatectl and the AWS CLI, in this process with
the scene's AWS, and Python.
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
    """What each command of a block shows, in order."""
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
        # The AWS CLI sets this when it is imported, and the scene has removed every AWS_ variable.
        data = {"AWS_DATA_PATH": str(Path(awscli.__file__).with_name("data"))}
        with patch.dict(os.environ, data), contextlib.redirect_stdout(io.StringIO()) as out:
            create_clidriver().main(words)
        shown = out.getvalue()
    elif program == ".venv/bin/python":  # needs no AWS, so it runs in a process of its own
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
        raise ValueError(f"line {typed.line + 1}: no test can run {program}")
    scene.wait(seconds=5)  # a person reads while the pipelines continue
    return shown
