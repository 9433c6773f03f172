"""docs/sandbox.md: its Python blocks run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.support.scene import Scene

TEST, PROGRAM = re.findall(
    r"^```python\n(.*?)^```",
    (Path(__file__).parents[2] / "docs/sandbox.md").read_text(),
    flags=re.MULTILINE | re.DOTALL,
)


def test_the_test_to_copy_passes(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "copied.py"
    file.write_text(TEST)
    runpy.run_path(str(file))["test_k8s_is_held_while_infra_runs"](scene)


def test_the_program_to_copy_prints_the_lines_to_paste(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "copied.py"
    file.write_text(PROGRAM.replace("4710", "0"))
    monkeypatch.setattr("builtins.input", print)
    runpy.run_path(str(file))
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in capsys.readouterr().out
