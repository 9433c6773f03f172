"""The world that the story's tests play in: both functions under Chalice's test client, AWS in this
process, driven time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from botocore.loaders import create_loader

import app
from chalicelib import runtime
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials
from tests.support.calls import Calls
from tests.support.scene import Scene


@cache
def executor() -> ChaliceExecutor:
    return ChaliceExecutor(app, Path(__file__).parents[1])


@pytest.fixture(scope="session", autouse=True)
def service_models_read_once() -> Iterator[None]:
    """Each command and each function of the tests has a session of its own, and each would read
    botocore's service models anew.
    """
    with patch("botocore.session.create_loader", cache(create_loader)):
        yield


@pytest.fixture
def world() -> Iterator[DrivenWorld]:
    vars(runtime.aws).pop("_other_accounts", None)  # its sessions are another world's
    with in_process(executor(), dials=Dials(start_on_create=False)) as world:
        yield world


@pytest.fixture
def scene(world: DrivenWorld) -> Scene:
    return Scene(world)


@pytest.fixture
def calls() -> Iterator[Calls]:
    with Calls(runtime.aws) as calls:
        yield calls
