"""The sandbox reaches into moto, whose version is pinned for that. Each name that it patches or
relies on exists there.
"""

from __future__ import annotations

import pkgutil

import pytest

from sandbox import awslambda, cloudformation, codepipeline, eventbridge, iam, throttle

PACKAGES = (awslambda, cloudformation, codepipeline, eventbridge, iam, throttle)


@pytest.mark.parametrize("name", [name for package in PACKAGES for name in package.PATCHED])
def test_what_is_patched_exists(name: str) -> None:
    assert pkgutil.resolve_name(name) is not None
