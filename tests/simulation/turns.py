"""What a run's record is made of: the invocations of the two functions, and what they brought
about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline

Read = dict[str, dict[str, tuple[str, float]]]
"""What ListPipelineExecutions answered a turn: each pipeline's executions by id, with their status
and start time.
"""


@dataclass(frozen=True)
class Truth:
    """How a held execution really stood when an invocation of the retry began. `newer`: the
    executions that came after it.
    """

    status: str
    newer: tuple[str, ...]
    passed: bool
    """It had gate actions, and the last attempt of each of them passed."""


@dataclass(frozen=True)
class Stood:
    """How an execution really stood when a turn read its pipeline's state. `through`: the stages
    that it had behind it.
    """

    through: frozenset[str] = frozenset()
    parked: bool = False
    """A person held it up: an approval is all that its stage still waits for, or the way into the
    next one is closed.
    """
    over: bool = False
    """It did not run any more."""

    @classmethod
    def of(cls, pipeline: Pipeline, execution: PipelineExecution) -> Stood:
        names = [stage.name for stage in pipeline.stages]
        entered = [names.index(name) for name in execution.stages if name in names]
        through = {names[number] for number in range(max(entered, default=0))}
        through |= {
            stage.name
            for stage in execution.stages.values()
            if stage.status in ("Succeeded", "Skipped")
        }
        return cls(frozenset(through), _parked(pipeline, execution), over=not execution.runs)


def _parked(pipeline: Pipeline, execution: PipelineExecution) -> bool:
    for stage in pipeline.stages:
        if execution in stage.waiting:
            in_the_way = stage.occupant is not None and _only_approvals(stage.occupant, stage.name)
            return not stage.transition.enabled or in_the_way
    return any(
        _only_approvals(execution, name)
        for name, passage in execution.stages.items()
        if passage.status in ("InProgress", "Stopping")
    )


def _only_approvals(execution: PipelineExecution, stage: str) -> bool:
    running = execution.stages[stage].running
    return bool(running) and all(action.type["category"] == "Approval" for action in running)


@dataclass(eq=False)
class Turn:
    """One invocation of one of the two functions ("gate" or "retry").

    `hits` are the faults that struck it; one that was not struck has no excuse. `at_start` is the
    truth about the hold, for the retry.
    """

    function: str
    event: dict[str, Any]
    began: datetime
    at_start: Truth | None = None
    read: Read = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    """The pipelines whose list it read to the end, or back beyond 14 days."""
    stood: dict[str, dict[str, Stood]] = field(default_factory=dict)
    """By pipeline and execution, when the turn read the pipeline's state."""
    in_stage: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    """By pipeline and stage the execution that was in it last, and its status there, each time that
    the turn read the pipeline's state.
    """
    hits: list[str] = field(default_factory=list)
    ended: datetime | None = None
    error: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What it logged."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """What it put on the bus: entries of PutEvents that took effect."""
    not_retryable: str | None = None
    """How the held execution really stood when AWS refused to retry its stage."""

    @property
    def job(self) -> str | None:
        job = self.event.get("CodePipeline.job")
        return str(job["id"]) if job else None

    @property
    def over(self) -> datetime:
        """When it ended; when it began, if it still runs."""
        return self.ended or self.began

    @property
    def held(self) -> str:
        """The execution whose hold a retry looks at."""
        return str(self.event.get("rule", ""))[-36:]


@dataclass(frozen=True)
class Answer:
    """A job's result, as CodePipeline accepted it. `outputs`: the output variables of one that
    passed.
    """

    turn: Turn
    at: datetime
    success: bool
    text: str
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A job that was answered with a continuation token: its action stays in progress."""

    turn: Turn
    at: datetime
    job: str
    summary: str
    percent: int | None


@dataclass(frozen=True)
class Start:
    """A new execution that a turn of the retry started. `read` is a copy of what that turn had read
    until then.
    """

    turn: Turn
    at: datetime
    pipeline: str
    execution: PipelineExecution
    read: Read


@dataclass(frozen=True)
class Change:
    at: datetime
    pipeline: str
    execution: str
    state: str


@dataclass(frozen=True)
class Ruled:
    """The rule of a held execution got its target, with this Input, or lost it (None)."""

    held: str
    at: datetime
    hold: Mapping[str, Any] | None
    turn: Turn | None
    """None: a person did it."""
