"""The sandbox reaches into moto, whose version is pinned for that. Each name that it patches or
relies on exists there.
"""

from __future__ import annotations

import pkgutil

import pytest
from moto.awslambda.models import LambdaFunction
from moto.awslambda.policy import Policy

from sandbox import awslambda, cloudformation, codepipeline, eventbridge, iam, server, throttle
from sandbox.install import install_services

PACKAGES = (awslambda, cloudformation, codepipeline, eventbridge, iam, server, throttle)


@pytest.mark.parametrize("name", [name for package in PACKAGES for name in package.PATCHED])
def test_what_is_patched_exists(name: str) -> None:
    assert pkgutil.resolve_name(name) is not None


def test_moto_is_itself_again_afterwards() -> None:
    before = (LambdaFunction.invoke, Policy.add_statement)
    with install_services():
        assert (LambdaFunction.invoke, Policy.add_statement) != before
    assert (LambdaFunction.invoke, Policy.add_statement) == before


def test_a_moto_without_a_patched_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(LambdaFunction, "invoke")
    with pytest.raises(AttributeError, match="invoke"), awslambda.install():
        pass
