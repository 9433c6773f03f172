"""Each module and package of sandbox/ can be the first one that is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

IMPORT_EACH_FIRST = """
import importlib, pkgutil, sys
import sandbox
for module in pkgutil.iter_modules(sandbox.__path__, "sandbox."):
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    importlib.import_module(module.name)
"""


def test_each_module_can_be_imported_first() -> None:
    """In one process, so that moto is imported only once. A module inside a package need not be
    tried: Python always imports its package first.
    """
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH_FIRST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
