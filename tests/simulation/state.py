"""What GetPipelineState showed at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline
from tests.simulation.entries import Position

LATEST = 20
"""How many executions have their position noted: no older one is running, unless it is shown."""


@dataclass(frozen=True)
class ShownState:
    """`running`: the ids of the executions that it showed as running. `positions`: where executions
    were, by id. `stages`: each stage's last execution and its status there.
    """

    running: tuple[str, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict)
    stages: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def find(cls, pipeline: Pipeline) -> ShownState:
        shown = list(_find_shown(pipeline))
        executions = {*pipeline.history[-LATEST:], *pipeline.running.values(), *shown}
        return cls(
            running=tuple(execution.id for execution in shown),
            positions={one.id: Position.find(pipeline, one) for one in executions},
            stages={
                stage.name: (stage.latest.id, stage.latest.stages[stage.name].status)
                for stage in pipeline.stages
                if stage.latest is not None and stage.name in stage.latest.stages
            },
        )


def _find_shown(pipeline: Pipeline) -> Iterator[PipelineExecution]:
    """The running executions that a pipeline's state shows, in a stage or before one."""
    for stage in pipeline.stages:
        latest = [] if stage.latest is None else [stage.latest]
        yield from (one for one in (*latest, *stage.waiting) if one.runs)
