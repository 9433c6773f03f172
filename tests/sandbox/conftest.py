"""The world of the tests of CodePipeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.codepipeline_world import CodePipelineWorld, codepipeline_world


@pytest.fixture
def aws() -> Iterator[CodePipelineWorld]:
    with codepipeline_world() as aws:
        yield aws
