"""An account in which everything is in place, as `chalice deploy` and the README leave it; and the
AWS calls of a command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.reader import DoctorReader
from gatectl.session import Place
from sandbox.inprocess import in_process
from sandbox.world import Dials
from tests.conftest import executor
from tests.support.deployment import configure, hold
from tests.support.scene import Scene

Fail = Callable[..., None]


@pytest.fixture
def sound(scene: Scene) -> Scene:
    """The scene, with the settings and policies of .chalice/ at its functions."""
    configure("dev")
    return scene


@pytest.fixture(scope="session")
def evidence() -> DoctorEvidence:
    """What the doctor reads of such an account, in which k8s is held for infra."""
    with in_process(executor(), dials=Dials(start_on_create=False)) as world:
        configure("dev")
        hold(Scene(world))
        return DoctorReader(Place(None, None, json=False)).read_evidence()


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The AWS calls that are made from now on."""
    made: list[str] = []
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def make_api_call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        made.append(operation)
        return real(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    return made


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Let an operation fail with an exception, or an error code of AWS's, before it takes effect or
    `after`.
    """

    def fail(operation: str, error: BaseException | str, *, after: bool = False) -> None:
        real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
        if isinstance(error, str):
            answer: Any = {"Error": {"Code": error, "Message": "not authorized"}}
            error = ClientError(answer, operation)

        def make_api_call(client: Any, name: str, arguments: dict[str, Any]) -> Any:
            if name != operation:
                return real(client, name, arguments)
            if after:
                real(client, name, arguments)
            raise error

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)

    return fail
