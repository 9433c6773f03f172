"""A pipeline as it stands: its stages with their locks and queues, its executions, and what is
remembered for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.codepipeline.models import CodePipeline

from sandbox.clock import Call, utcnow
from sandbox.codepipeline.exceptions import StageNotFoundException
from sandbox.codepipeline.execution import (
    ActionExecution,
    Declaration,
    PipelineExecution,
    Revision,
    RuleExecution,
)
from sandbox.world import current

if TYPE_CHECKING:
    from sandbox.codepipeline.jobs import Job
    from sandbox.codepipeline.models import CodePipelineBackend

Outcome = Callable[[PipelineExecution, str, str], tuple[float, str]]
"""How an action (execution, stage name, action name) goes that is neither Lambda nor approval:
seconds, "Succeeded" or "Failed".
"""


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
    stand before it in order.
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


class Pipeline(CodePipeline):
    """moto's pipeline (declaration, tags, dates) that can run. moto's own `executions` stays
    empty.
    """

    def __init__(self, backend: CodePipelineBackend, declaration: Declaration) -> None:
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
        self.jobs: dict[str, Job] = {}
        self.revisions: dict[str, Revision] = {}
        """The newest revision of each source, by action name."""
        self.deleted = False
        self.rebuild_stages()

    def add_default_values(self, pipeline: dict[str, Any]) -> dict[str, Any]:
        """moto's defaults, and the two that GetPipeline shows (model: ExecutionMode; guide:
        pipeline-types).
        """
        pipeline.setdefault("executionMode", "SUPERSEDED")
        pipeline.setdefault("pipelineType", "V1")
        return super().add_default_values(pipeline)

    def rebuild_stages(self) -> None:
        """Follow the declaration; a stage that keeps its name keeps its transition and what was
        last seen in it.
        """
        known = {stage.name: stage for stage in self.stages}
        self.stages = []
        # A running execution goes on with its own copy: the caller of the in-process API may change
        # what it passed.
        for declaration in copy.deepcopy(self.pipeline["stages"]):
            stage = known.get(declaration["name"], Stage(declaration))
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

    def later(self, seconds: float, what: Callable[[], None], label: str) -> Call:
        """Plan `what` in `seconds`; it then runs under the world's lock, and not at all if the
        pipeline is gone.
        """
        world = current()

        def run() -> None:
            with world.lock:
                if not self.deleted:
                    what()

        return world.clock.call_at(
            utcnow() + timedelta(seconds=seconds), run, f"{self.name}: {label}"
        )
