"""Copies of this project: what Chalice writes when it deploys must not stay in the real one."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOYED = ("app.py", "chalicelib", ".chalice", "requirements.txt")
NOT_COPIED = shutil.ignore_patterns("deployed", "deployments", "venv", "__pycache__")


def copy_project(folder: Path, *others: str) -> Path:
    """Copy what `chalice deploy` needs, and `others` of the project, into `folder`."""
    for name in (*DEPLOYED, *others):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_COPIED)
        else:
            shutil.copy(source, target)
    return folder
