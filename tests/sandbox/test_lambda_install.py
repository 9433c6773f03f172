"""install() and what it needs of moto."""

from __future__ import annotations

import pytest
from moto.awslambda.models import LambdaFunction
from moto.awslambda.policy import Policy

from sandbox import awslambda
from sandbox.install import install_services


def test_moto_is_itself_again_afterwards() -> None:
    before = (LambdaFunction.invoke, Policy.add_statement)
    with install_services():
        assert (LambdaFunction.invoke, Policy.add_statement) != before
    assert (LambdaFunction.invoke, Policy.add_statement) == before


def test_a_moto_without_a_patched_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(LambdaFunction, "invoke")
    with pytest.raises(AttributeError, match="invoke"), awslambda.install():
        pass
