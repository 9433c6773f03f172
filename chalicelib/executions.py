"""Executions of a pipeline, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

RUNNING = frozenset({"InProgress", "Stopping"})
"""A stopping execution still works on its running actions (model: PipelineExecutionStatus)."""

PARALLEL = "PARALLEL"


@dataclass(frozen=True)
class Execution:
    """One execution, as ListPipelineExecutions tells of it. Times are aware UTC.

    `revisions` maps a source action's name to the revision it took; `started_by` is the trigger's detail, for a
    StartPipelineExecution the caller's ARN (model: ExecutionTrigger).
    """

    id: str
    status: str
    started: datetime
    updated: datetime
    mode: str = "SUPERSEDED"
    revisions: Mapping[str, str] = field(default_factory=dict)
    started_by: str = ""

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    @property
    def short_id(self) -> str:
        """The first eight characters, as the console shows it."""
        return self.id[:8]


@dataclass(frozen=True)
class Attempt:
    """One attempt of one action in an execution (ListActionExecutions). `function` is the Lambda function it invokes, if any."""

    stage: str
    action: str
    status: str
    started: datetime
    provider: str
    function: str = ""


@dataclass(frozen=True)
class Revision:
    """What a source action took: `id` is a commit, an image's digest or an object's version, as `provider` names them."""

    action: str
    provider: str
    id: str


@dataclass(frozen=True)
class Upstream:
    """A pipeline that is waited for, as AWS answered: its executions, newest first; or why AWS did not answer."""

    name: str
    executions: tuple[Execution, ...] = ()
    unanswered: str | None = None

    @property
    def running(self) -> tuple[Execution, ...]:
        return tuple(execution for execution in self.executions if execution.running)

    @property
    def idle(self) -> bool:
        """Known to be idle: not while AWS does not answer."""
        return self.unanswered is None and not self.running
