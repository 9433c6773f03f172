"""The pages about deploying name the version of Chalice that this project is tested with."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/upgrade.md")


def test_the_chalice_to_install_is_the_one_of_the_tests() -> None:
    (pin,) = re.findall(r"(?m)^chalice==.+$", (ROOT / "requirements-dev.txt").read_text())
    for page in PAGES:
        (install,) = re.findall(r"(?m)^pip install .*chalice.*$", (ROOT / page).read_text())
        assert pin in install.split(), page
