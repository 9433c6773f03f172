"""The pages about deploying: the version of Chalice that they name, and one stage per region."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sandbox.server import SandboxServer
from tests.support.clients import server_client

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = ("README.md", "docs/upgrade.md")
(IN_TWO_REGIONS,) = re.findall(
    r"```sh\n(AWS_DEFAULT_REGION=.*?)```", (ROOT / "docs/deploy.md").read_text(), re.DOTALL
)


def test_the_chalice_to_install_is_the_one_of_the_tests() -> None:
    (pin,) = re.findall(r"(?m)^chalice==.+$", (ROOT / "requirements-dev.txt").read_text())
    for page in PAGES:
        (install,) = re.findall(r"(?m)^pip install .*chalice.*$", (ROOT / page).read_text())
        assert pin in install.split(), page


def test_a_region_with_a_stage_of_its_own_leaves_the_other_its_roles(
    clone: Path, server: SandboxServer
) -> None:
    def run(commands: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", commands],
            cwd=clone,
            env={**server.environment(), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run(IN_TWO_REGIONS)
    run("AWS_DEFAULT_REGION=us-east-1 chalice delete --stage prod-use1")
    roles = server_client(server, "iam").list_roles()["Roles"]
    names = sorted(role["RoleName"] for role in roles if "prod" in role["RoleName"])
    assert names == ["pipeline-gate-prod-euw1-gate", "pipeline-gate-prod-euw1-retry"]
