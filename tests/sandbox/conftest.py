"""The worlds of the tests of CodePipeline and EventBridge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.codepipeline_world import CodePipelineWorld, codepipeline_world
from tests.sandbox.eventbridge_world import EventBridgeWorld, eventbridge_world


@pytest.fixture
def aws() -> Iterator[CodePipelineWorld]:
    with codepipeline_world() as aws:
        yield aws


@pytest.fixture
def bus() -> Iterator[EventBridgeWorld]:
    with eventbridge_world() as bus:
        yield bus
