"""What `chalice` makes of the project: for benchmarks that measure what is really deployed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
OF_CHALICE = ("app.py", "requirements.txt", "chalicelib", ".chalice")
NOT_DEPLOYED = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")


@contextmanager
def project() -> Iterator[Path]:
    """A copy of the project, for what Chalice leaves behind in it."""
    with tempfile.TemporaryDirectory(prefix="pipeline-gate-bench-") as folder:
        for name in OF_CHALICE:
            source, target = ROOT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=NOT_DEPLOYED)
            else:
                shutil.copy(source, target)
        yield Path(folder)


def chalice(folder: Path, environment: Mapping[str, str], *words: str) -> None:
    """Run a command of Chalice's in `folder`. RuntimeError with its output where it fails."""
    command = [str(Path(sys.executable).with_name("chalice")), *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"chalice {' '.join(words)} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def unpacked(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """The deployment zip, unpacked as Lambda unpacks it, and the handler of the function `gate`."""
    with project() as folder:
        chalice(
            folder,
            {**environment, "AWS_DEFAULT_REGION": "eu-central-1"},
            "package",
            "--stage",
            "dev",
            "packaged",
        )
        template = json.loads((folder / "packaged/sam.json").read_text())
        functions = [
            one["Properties"]
            for one in template["Resources"].values()
            if one["Type"] == "AWS::Serverless::Function"
        ]
        (handler,) = [one["Handler"] for one in functions if one["Handler"].endswith(".gate")]
        zipfile.ZipFile(folder / "packaged/deployment.zip").extractall(folder / "task")
        yield folder / "task", handler
