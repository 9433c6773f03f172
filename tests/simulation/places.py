"""Where pipelines are: at home (the gate's account and region) or elsewhere; their names."""

from __future__ import annotations

from collections.abc import Iterator

from moto.codepipeline.models import codepipeline_backends

from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.codepipeline.pipeline import Pipeline

Place = tuple[str, str]
"""An account and a region."""

HOME: Place = (ACCOUNT, REGION)
OTHERS = "210987654321"
"""Another account."""
ELSEWHERE: tuple[Place, ...] = ((ACCOUNT, "us-east-1"), (OTHERS, REGION), (OTHERS, "us-east-1"))


def arn(place: Place, name: str) -> str:
    account, region = place
    return f"arn:aws:codepipeline:{region}:{account}:{name}"


def named(place: Place, name: str) -> str:
    """How the simulation names a pipeline: by its name, or by its ARN if it is elsewhere."""
    return name if place == HOME else arn(place, name)


def name_pipeline(pipeline: Pipeline) -> str:
    return named((pipeline.account_id, pipeline.region), pipeline.name)


def as_named(entry: str) -> str:
    """The simulation's name for an entry of `depends_on`: at home, an ARN is as good as a name."""
    return entry.removeprefix(arn(HOME, ""))


def backend(place: Place) -> CodePipelineBackend:
    codepipeline = codepipeline_backends[place[0]][place[1]]
    assert isinstance(codepipeline, CodePipelineBackend)
    return codepipeline


def all_pipelines() -> Iterator[Pipeline]:
    for place in (HOME, *ELSEWHERE):
        yield from backend(place).pipelines.values()
