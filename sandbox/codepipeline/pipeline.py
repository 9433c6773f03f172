"""A pipeline that runs: its stages with their locks and queues, its executions, and what is
remembered about them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from moto.codepipeline.models import CodePipeline

from sandbox.clock import PlannedCall, utcnow
from sandbox.codepipeline.exceptions import StageNotFoundException
from sandbox.codepipeline.execution import (
    ActionExecution,
    ActionJob,
    Declaration,
    PipelineExecution,
    RevisionHistory,
    RuleExecution,
)
from sandbox.past import Past
from sandbox.world import current_world

OutcomeHook = Callable[[PipelineExecution, str, str], tuple[float, str]]
"""Decides how an action goes that is neither Lambda nor approval: takes the execution, the stage's
name and the action's name, returns the seconds it takes and "Succeeded" or "Failed".
"""


class PipelineOwner(Protocol):
    """What a pipeline needs to know of the backend that has it."""

    account_id: str
    region_name: str
    outcome: OutcomeHook | None
    revisions: RevisionHistory


@dataclass
class Transition:
    """The way into a stage (model: TransitionState)."""

    enabled: bool = True
    reason: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


@dataclass(eq=False)
class Stage:
    """A stage of the pipeline. `occupant` holds its lock (none has it in PARALLEL mode), `waiting`
    are those that wait to enter it, in order.
    """

    declaration: Declaration
    transition: Transition = field(default_factory=Transition)
    occupant: PipelineExecution | None = None
    waiting: list[PipelineExecution] = field(default_factory=list)
    latest: PipelineExecution | None = None
    """The last one that entered."""
    latest_actions: dict[str, ActionExecution] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.declaration["name"])


def find_type(pipeline: Declaration) -> str:
    """V1 or V2. "Including V2 parameters, such as triggers on Git tags, in the pipeline JSON" makes
    a V2 pipeline of one that does not name its type (model: PipelineDeclaration). AWS does not list
    these parameters.
    """
    has_parameters = bool(pipeline.get("triggers") or pipeline.get("variables"))
    return str(pipeline.get("pipelineType") or ("V2" if has_parameters else "V1"))


class Pipeline(CodePipeline):
    """moto's pipeline (declaration, tags, dates) that can run. moto's own `executions` stays
    empty.
    """

    def __init__(self, backend: PipelineOwner, declaration: Declaration) -> None:
        super().__init__(backend.account_id, backend.region_name, declaration)
        self.backend = backend
        self.account_id = backend.account_id
        self.region = backend.region_name
        self.stages: list[Stage] = []
        self.history: list[PipelineExecution] = []
        self.by_id: dict[str, PipelineExecution] = {}
        self.running: dict[str, PipelineExecution] = {}
        self.actions: list[ActionExecution] = []
        self.rules: list[RuleExecution] = []
        self.tokens: dict[str, PipelineExecution] = {}
        """By clientRequestToken."""
        self.approvals: dict[str, ActionExecution] = {}
        """By approval token."""
        self.jobs: dict[str, ActionJob] = {}
        self.past: Past[dict[str, Any] | None] = Past(None)
        """The states that GetPipelineState showed, if `Dials.answer_age` is set."""
        self.deleted = False
        self.rebuild_stages()

    def add_default_values(self, pipeline: dict[str, Any]) -> dict[str, Any]:
        """moto's defaults, and the two that GetPipeline shows (model: ExecutionMode; find_type)."""
        pipeline.setdefault("executionMode", "SUPERSEDED")
        pipeline["pipelineType"] = find_type(pipeline)
        return super().add_default_values(pipeline)

    def rebuild_stages(self) -> None:
        """Follow the declaration. A stage that keeps its name keeps its transition and its latest
        runs.
        """
        former_stages = {stage.name: stage for stage in self.stages}
        self.stages = []
        # A copy: the caller of the in-process API may change the declaration that it passed, and a
        # running execution must not notice.
        for declaration in copy.deepcopy(self.pipeline["stages"]):
            stage = former_stages.get(declaration["name"], Stage(declaration))
            stage.declaration = declaration
            self.stages.append(stage)

    @property
    def name(self) -> str:
        return str(self.pipeline["name"])

    @property
    def mode(self) -> str:
        return str(self.pipeline["executionMode"])

    @property
    def version(self) -> int:
        return int(self.pipeline["version"])

    @property
    def arn(self) -> str:
        return self._arn

    def stage(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise StageNotFoundException(
            f"Pipeline '{self.name}' does not have a stage with name '{name}'"
        )

    def call_later(self, seconds: float, callback: Callable[[], None], label: str) -> PlannedCall:
        """Plan `callback` in `seconds`. It runs under the world's lock, unless the pipeline is
        deleted by then.
        """
        world = current_world()

        def run() -> None:
            with world.lock:
                if not self.deleted:
                    callback()

        return world.clock.call_at(
            utcnow() + timedelta(seconds=seconds), run, f"{self.name}: {label}"
        )
