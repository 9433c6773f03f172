"""The records of a pipeline's history: an execution, its passage through a stage, the stage's entry
condition, one run of an action or rule, a job.

Plain data. flow.py changes stages, actions.py changes actions, and shapes.py shows both as the API
does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from moto.moto_api._internal import mock_random

from sandbox.clock import PlannedCall, utcnow
from sandbox.past import Past

Declaration = dict[str, Any]
"""A pipeline, stage or action as its owner declared it (model: PipelineDeclaration,
StageDeclaration, ActionDeclaration).
"""

ExecutionStatus = Literal[
    "InProgress", "Stopping", "Stopped", "Succeeded", "Superseded", "Failed", "Cancelled"
]
StageStatus = Literal[
    "InProgress", "Stopping", "Stopped", "Succeeded", "Failed", "Cancelled", "Skipped"
]
ActionStatus = Literal["InProgress", "Succeeded", "Failed", "Abandoned"]
ConditionStatus = Literal[
    "InProgress", "Failed", "Succeeded", "Cancelled", "Abandoned", "Overridden"
]


def new_id() -> str:
    """A fresh id, from moto's random source, which a test can seed."""
    return str(mock_random.uuid4())


@dataclass(frozen=True)
class SourceRevision:
    """The version of a source that an execution works on, and since when the source has it.

    A commit has a message, and the branch or tag by which it came, if that is known. A version of
    an S3 object has the object's key.
    """

    id: str
    created: datetime
    message: str | None = None
    branch: str | None = None
    tag: str | None = None
    key: str | None = None


@dataclass
class RevisionHistory:
    """What has been pushed to the sources. A source's origin is its repository, bucket or registry;
    its place is the branch or object there from which it takes the newest revision.
    """

    by_id: dict[tuple[str, str], SourceRevision] = field(default_factory=dict)
    """Every revision, by origin and id."""
    newest: dict[str, SourceRevision] = field(default_factory=dict)
    """By place."""

    def record(self, origin: str, place: str | None, revision: SourceRevision) -> None:
        """Add a revision. It becomes the newest of the place, if there is one."""
        self.by_id[origin, revision.id] = revision
        if place is not None:
            self.newest[place] = revision


@dataclass(frozen=True)
class SourceRevisionOverride:
    """What StartPipelineExecution asks for one source action (model: SourceRevisionOverride)."""

    action: str
    type: str
    value: str


@dataclass(eq=False)
class PipelineExecution:
    """One execution. `number` counts a pipeline's executions: the higher, the newer."""

    pipeline_name: str
    pipeline_version: int
    number: int
    mode: str
    trigger_type: str
    trigger_detail: str
    variables: dict[str, str]
    overrides: list[SourceRevisionOverride]
    triggered_revisions: dict[str, SourceRevision] = field(default_factory=dict)
    """The commit that a trigger's filter fetches, by source action (guide: pipelines-filter)."""
    id: str = field(default_factory=new_id)
    status: ExecutionStatus = "InProgress"
    status_summary: str | None = None
    started: datetime = field(default_factory=utcnow)
    updated: datetime = field(default_factory=utcnow)
    attempt: int = 1
    stop_reason: str | None = None
    stages: dict[str, StageExecution] = field(default_factory=dict)
    actions: list[ActionExecution] = field(default_factory=list)
    """Every run of an action, the oldest first; a retried action is there twice."""
    revisions: dict[str, SourceRevision] = field(default_factory=dict)
    """By source action, once that has succeeded."""
    rules: list[RuleExecution] = field(default_factory=list)
    """Every run of a rule, the oldest first."""
    rollback_target: PipelineExecution | None = None
    """For a stage rollback: the execution with the revisions and variables to use (guide:
    stage-rollback).
    """
    past: Past[dict[str, Any] | None] = field(default_factory=lambda: Past(None))
    """How the lists showed it (PipelineExecutionSummary), if `Dials.answer_age` is set."""

    @property
    def type(self) -> Literal["STANDARD", "ROLLBACK"]:
        return "STANDARD" if self.rollback_target is None else "ROLLBACK"

    @property
    def runs(self) -> bool:
        return self.status in ("InProgress", "Stopping")


@dataclass(eq=False)
class StageExecution:
    """An execution's passage through one stage. `actions` holds the newest run of each action by
    name.

    `entry` is the newest check of the stage's entry condition, or None if there was none.
    """

    execution: PipelineExecution
    declaration: Declaration
    status: StageStatus = "InProgress"
    actions: dict[str, ActionExecution] = field(default_factory=dict)
    entry: ConditionExecution | None = None
    retries: int = 0
    """Manual ones."""
    auto_retries: int = 0
    retried_automatically: bool = False
    """Whether the latest retry was."""
    retried: datetime | None = None

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def running(self) -> list[ActionExecution]:
        """The actions and rules that run."""
        rules = () if self.entry is None else self.entry.rules.values()
        return [run for run in (*self.actions.values(), *rules) if run.status == "InProgress"]


@dataclass(eq=False)
class ActionExecution:
    """One run of an action. `on_end` is called once, when it succeeded or failed (not when it was
    abandoned).
    """

    kind: ClassVar[str] = "action"
    """Its name in messages."""

    stage: StageExecution
    declaration: Declaration
    on_end: Callable[[], None]
    id: str = field(default_factory=new_id)
    status: ActionStatus = "InProgress"
    started: datetime = field(default_factory=utcnow)
    updated: datetime = field(default_factory=utcnow)
    configuration: dict[str, str] = field(default_factory=dict)
    """The declared configuration with its variables resolved."""
    summary: str | None = None
    external_id: str | None = None
    percent: int | None = None
    error: tuple[str, str] | None = None
    """Code and message."""
    output_variables: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    """What PutApprovalResult has to name while an approval is open."""
    updated_by: str | None = None
    timers: list[PlannedCall] = field(default_factory=list)
    """Calls that are planned for this run; cancelled when it ends."""

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def execution(self) -> PipelineExecution:
        return self.stage.execution

    @property
    def type(self) -> dict[str, str]:
        """category, owner, provider and version."""
        kind: dict[str, str] = self.declaration["actionTypeId"]
        return kind


@dataclass(eq=False)
class RuleExecution(ActionExecution):
    """One run of a condition's rule: jobs, results and time-outs are those of an action (see
    conditions.py).
    """

    kind: ClassVar[str] = "rule"

    @property
    def type(self) -> dict[str, str]:
        kind: dict[str, str] = self.declaration["ruleTypeId"]
        return kind


@dataclass(eq=False)
class ActionJob:
    """A request to a Lambda function: the first one of its action or rule, or a further one after
    a continuation token.
    """

    action: ActionExecution
    continuation_token: str | None = None
    id: str = field(default_factory=new_id)
    answered: bool = False
    overdue: PlannedCall | None = None
    """The end of the wait for the reply."""


@dataclass(eq=False)
class ConditionExecution:
    """One check of a stage's entry condition. `result` is what a failed one leads to; `rules` holds
    the runs by name.
    """

    result: Literal["FAIL", "SKIP"]
    status: ConditionStatus = "InProgress"
    changed: datetime = field(default_factory=utcnow)
    rules: dict[str, RuleExecution] = field(default_factory=dict)

    @property
    def lets_in(self) -> bool:
        return self.status in ("Succeeded", "Overridden")

    def end(self, status: ConditionStatus) -> None:
        self.status, self.changed = status, utcnow()
