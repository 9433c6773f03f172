"""The world that the story's tests play in: both functions under Chalice's test client, AWS in this
process, driven time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import app
from chalicelib import runtime
from sandbox.account import ACCOUNT
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials
from tests.support.calls import Calls
from tests.support.cheap_calls import cheap_calls
from tests.support.runtime import start_runtime
from tests.support.scene import Scene

LONGEST = ("test_demo", "test_asked_for", "test_server", "test_tutorial", "test_deployed")
"""Modules whose tests take long and mostly wait for other processes."""

settings.register_profile(
    "tests", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with LONGEST: meanwhile the other workers keep the cores busy."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_collection_finish() -> None:
    """The garbage collector ignores the imported modules from now on. That saves about 5 % of
    all time.
    """
    gc.freeze()


@cache
def executor() -> ChaliceExecutor:
    return ChaliceExecutor(app, Path(__file__).parents[1], start_runtime=start_runtime)


@pytest.fixture(scope="session", autouse=True)
def _cheap_calls() -> Iterator[None]:
    with cheap_calls():
        yield


@pytest.fixture
def world() -> Iterator[DrivenWorld]:
    with in_process(executor(), dials=Dials(start_on_create=False)) as world:
        yield world


@pytest.fixture
def scene(world: DrivenWorld) -> Scene:
    return Scene(world)


@pytest.fixture
def calls() -> Iterator[Calls]:
    with Calls(runtime.aws) as calls:
        yield calls


@pytest.fixture
def sessions(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the retry function starts names its session, as on AWS (practice)."""
    real = runtime.aws.codepipeline.start_pipeline

    def start(pipeline: str, *arguments: Any) -> str:
        started = real(pipeline, *arguments)
        execution = scene._backend.pipelines[pipeline].by_id[started]
        execution.trigger_detail = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/pipeline-gate-dev-retry"
        return started

    monkeypatch.setattr(runtime.aws.codepipeline, "start_pipeline", start)
