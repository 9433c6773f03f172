"""A pipeline whose gate action claims to belong to another pipeline, and the people behind it."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.cast import UPSTREAMS, Cast, configure, deadline, declaration
from tests.simulation.people import People
from tests.simulation.record import RUNNING

CLAIMANT = "evil"


def add_claimant(random: Random, plain: Cast) -> Cast:
    """Until its gate is edited, the further pipeline waits honestly."""
    execution = "#{codepipeline.PipelineExecutionId}"
    gate = configure({"depends_on": ["infra"], "pipeline": CLAIMANT, "execution": execution})
    declarations = {**plain.declarations, CLAIMANT: declaration(random, CLAIMANT, [gate])}
    return Cast(declarations, plain.dependents)


def plan(random: Random, people: People, cast: Cast, minutes: float) -> None:
    """A few times, an upstream starts, and soon after it the pipeline with a claim."""
    upstreams = [name for name in UPSTREAMS if name in cast.declarations]
    for _ in range(4):
        when, upstream = random.uniform(0.5, minutes), random.choice(upstreams)
        people.at(when - 0.2, partial(people.start_one, upstream))
        people.at(when, partial(_claim, random, people, upstream))


def _claim(random: Random, people: People, upstream: str) -> None:
    if victim := _choose_victim(random, people, upstream):
        people.claim(CLAIMANT, victim, _draw_claim(random, victim, upstream))


def _choose_victim(random: Random, people: People, upstream: str) -> PipelineExecution | None:
    """An execution that failed, was held or is running."""
    executions = [
        execution
        for name, pipeline in people.backend.pipelines.items()
        if name not in (CLAIMANT, upstream)
        for execution in pipeline.history[-3:]
    ]
    failed = [one for one in executions if one.status == "Failed"]
    running = [one for one in executions if one.status in RUNNING]
    choices = [some for some in (failed, failed, running) if some]
    return random.choice(random.choice(choices)) if choices else None


def _draw_claim(random: Random, victim: PipelineExecution, upstream: str) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "depends_on": [upstream],
        "execution": victim.id,
        "hold": random.choice(("restart", "retry", "wait")),
        "retry_minutes": 1,
        **deadline(random, 0.5, (1, 3)),
    }
    if random.random() < 0.85:
        keys["pipeline"] = victim.pipeline_name
    if random.random() < 0.3:
        keys["revisions"] = "held"
    return keys
