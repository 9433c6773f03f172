"""What a record is made of: the invocations of the two functions, and what they brought about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.codepipeline.execution import ActionJob, PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline

Executions = dict[str, tuple[str, float, float]]
"""By id: the status of an execution, and the times of its start and of its last change (epoch
seconds).
"""


@dataclass(eq=False)
class Reading:
    """A pipeline's list, as an invocation read it, page by page."""

    executions: Executions = field(default_factory=dict)
    complete: bool = False
    """It was read to the end, or back beyond 14 days."""
    has_all: bool = False
    """It was read to the end, or back beyond the longest approval."""


@dataclass(frozen=True)
class HeldState:
    """The real state of a held execution when an invocation of the retry function began."""

    status: str
    newer: tuple[str, ...]
    """The executions that came after it."""
    passed: bool
    """It had gate actions, and the last attempt of each of them passed."""


@dataclass(frozen=True)
class Position:
    """The real position of an execution when an invocation read its pipeline's state."""

    stages_behind: frozenset[str] = frozenset()
    parked: bool = False
    """Its stage waits for an approval only, or the transition into the next one is disabled."""
    over: bool = False
    """It was no longer running."""

    @classmethod
    def find(cls, pipeline: Pipeline, execution: PipelineExecution) -> Position:
        names = [stage.name for stage in pipeline.stages]
        entered = [names.index(name) for name in execution.stages if name in names]
        behind = {*names[: max(entered, default=0)]}
        behind |= {
            stage.name
            for stage in execution.stages.values()
            if stage.status in ("Succeeded", "Skipped")
        }
        return cls(frozenset(behind), _is_parked(pipeline, execution), over=not execution.runs)


def _is_parked(pipeline: Pipeline, execution: PipelineExecution) -> bool:
    for stage in pipeline.stages:
        if execution in stage.waiting:
            occupant = stage.occupant
            in_the_way = occupant is not None and _only_approvals_run(occupant, stage.name)
            return not stage.transition.enabled or in_the_way
    return any(
        _only_approvals_run(execution, name)
        for name, passage in execution.stages.items()
        if passage.status in ("InProgress", "Stopping")
    )


def _only_approvals_run(execution: PipelineExecution, stage: str) -> bool:
    running = execution.stages[stage].running
    return bool(running) and all(action.type["category"] == "Approval" for action in running)


@dataclass(eq=False)
class Invocation:
    """One invocation of the gate or the retry."""

    function: str
    """ "gate" or "retry"."""
    event: dict[str, Any]
    began: datetime
    job: ActionJob | None = None
    """The gate's."""
    at_start: HeldState | None = None
    """The retry's."""
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    """By pipeline."""
    positions: dict[str, dict[str, Position]] = field(default_factory=dict)
    """By pipeline and execution, when it read the pipeline's state: of those that it had listed as
    running, and those that the state shows in a stage or before one.
    """
    stage_reads: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    """By pipeline and stage the last execution in it and its status there, at each read."""
    faults: list[str] = field(default_factory=list)
    """What struck it: without a fault it has no excuse."""
    ended: datetime | None = None
    error: bool = False
    keeps_closed: bool = False
    """It ended in the error with which a gate keeps a stage closed on purpose."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What it logged."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """What it put on the bus: entries of PutEvents that took effect."""
    not_retryable: str | None = None
    """The real status of the held execution when AWS refused to retry its stage."""

    @property
    def end(self) -> datetime:
        """When it ended, or when it began if it is still running."""
        return self.ended or self.began

    def list_executions(self, pipeline: str) -> Executions:
        """A pipeline's executions as the invocation read them last."""
        return self.readings[pipeline][-1].executions if pipeline in self.readings else {}

    @property
    def held_id(self) -> str:
        """The execution whose hold the retry function checks."""
        return str(self.event.get("rule", ""))[-36:]

    @property
    def execution_id(self) -> str:
        """The execution that it is about."""
        return self.job.action.execution.id if self.job else self.held_id


@dataclass(frozen=True)
class Answer:
    """A job's result, as CodePipeline accepted it, with the output variables of one that passed."""

    invocation: Invocation
    at: datetime
    job: ActionJob
    success: bool
    text: str
    outputs: Mapping[str, str]

    @property
    def execution(self) -> PipelineExecution:
        return self.job.action.execution

    @property
    def readings(self) -> Mapping[str, Sequence[Reading]]:
        return self.invocation.readings

    @property
    def verdict(self) -> str:
        """The word at the end of a failed job's message; "" if there is none."""
        token = re.search(r" \[pipeline-gate/1 ([a-z -]+)\]$", self.text)
        return token[1] if token and not self.success else ""


@dataclass(frozen=True)
class KeptOpen:
    """A job that was answered with a continuation token: its action stays in progress."""

    invocation: Invocation
    at: datetime
    job: ActionJob
    summary: str
    percent: int | None

    @property
    def execution(self) -> PipelineExecution:
        return self.job.action.execution


@dataclass(frozen=True)
class Start:
    """An execution that the retry started, or whose stage it retried."""

    invocation: Invocation
    at: datetime
    execution: PipelineExecution
    readings: Mapping[str, Sequence[Reading]]
    """What that invocation had read until then, by pipeline."""

    @property
    def pipeline(self) -> str:
        return self.execution.pipeline_name


@dataclass(frozen=True)
class StateChange:
    at: datetime
    pipeline: str
    execution: str
    state: str


@dataclass(frozen=True)
class RuleChange:
    """The rule of a held execution got its target, with this Input, or lost it (None)."""

    held_id: str
    at: datetime
    hold: Mapping[str, Any] | None
    invocation: Invocation | None
    """None: a person did it."""
