"""What `chalice package` makes of the project, for benchmarks that measure what is deployed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGED_PATHS = ("app.py", "requirements.txt", "chalicelib", ".chalice")
IGNORED_PATHS = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")


@contextmanager
def unpack_deployment(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """The deployment zip, unpacked as Lambda unpacks it, and the handler of the function `gate`.

    Chalice works in a copy of the project, which is gone after the block.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-gate-bench-") as name:
        folder = Path(name)
        _copy_project(folder)
        _run_chalice(
            ["package", "--stage", "dev", "packaged"],
            folder,
            {**environment, "AWS_DEFAULT_REGION": "eu-central-1"},
        )
        template = json.loads((folder / "packaged/sam.json").read_text())
        handlers = [
            resource["Properties"]["Handler"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Serverless::Function"
        ]
        (handler,) = [name for name in handlers if name.endswith(".gate")]
        zipfile.ZipFile(folder / "packaged/deployment.zip").extractall(folder / "task")
        yield folder / "task", handler


def deploy(environment: Mapping[str, str]) -> None:
    """Deploy the functions to the AWS that `environment` leads to, as stage dev."""
    with tempfile.TemporaryDirectory(prefix="pipeline-gate-bench-") as name:
        _copy_project(Path(name))
        _run_chalice(["deploy", "--stage", "dev"], Path(name), environment)


def _copy_project(folder: Path) -> None:
    for path in PACKAGED_PATHS:
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, ignore=IGNORED_PATHS)
        else:
            shutil.copy(ROOT / path, folder / path)


def _run_chalice(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Raises RuntimeError with chalice's output if it fails."""
    chalice = str(Path(sys.executable).with_name("chalice"))
    run = subprocess.run(
        [chalice, *arguments],
        cwd=folder,
        # chalice would pack what it compiles on the way; a clean checkout has nothing compiled.
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"chalice {arguments[0]} failed:\n{run.stdout}{run.stderr}")
