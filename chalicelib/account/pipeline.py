"""A pipeline of the account, and the whole account as one look showed it. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from chalicelib.account.gates import Gate, find_gates
from chalicelib.account.waits import HoldRule, Wait
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Attempt, Execution
from chalicelib.pipelines.state import PipelineState


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of this region and account.

    `executions`: the newest hundred at most, newest first. `state`: read only where an execution
    waits or may wait. `role`: the ARN of the role that CodePipeline acts with. `stages`: their
    names. `declared`: its whole structure, and `edited`: when that was (aware UTC). `hidden`: the
    last attempt of each gate, for executions that run but are not shown in `state`. `unseen`: why
    AWS does not let it be read; then nothing but its name is known. "" otherwise.
    """

    name: str
    mode: str = "SUPERSEDED"
    gates: tuple[Gate, ...] = ()
    executions: tuple[Execution, ...] = ()
    state: PipelineState | None = None
    role: str = ""
    stages: tuple[str, ...] = ()
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False)
    edited: datetime | None = None
    hidden: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    unseen: str = ""

    @classmethod
    def parse(cls, declared: Mapping[str, Any]) -> Self:
        """Read a structure (model: PipelineDeclaration)."""
        return cls(
            declared["name"],
            declared.get("executionMode", "SUPERSEDED"),
            find_gates(declared),
            role=declared["roleArn"],
            stages=tuple(stage["name"] for stage in declared["stages"]),
            declared=declared,
        )

    @property
    def depends_on(self) -> tuple[Dependency, ...]:
        """What its gates wait for."""
        parameters = [gate.parameters for gate in self.gates if gate.parameters]
        return tuple(entry for action in parameters for entry in action.depends_on)

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The pipelines that its gates wait for, each once, as they name them: a name, or an ARN of
        one elsewhere.
        """
        return tuple(dict.fromkeys(entry.pipeline for entry in self.depends_on))

    def edited_since(self, execution: str) -> bool:
        """Whether it was edited after that execution began, as far as is known: then AWS retries
        none of its stages (guide: actions-retry).
        """
        began = next((run.started for run in self.executions if run.id == execution), None)
        return began is not None and self.edited is not None and self.edited > began

    @property
    def running(self) -> bool:
        return any(execution.running for execution in self.executions)


@dataclass(frozen=True)
class AccountView:
    """The gated pipelines, those that they wait for and those that are held, by name; who waits;
    and the gate's rules. `unseen`: what of the account could not be read, and why. `attempts_read`:
    for how many executions single attempts had to be read.
    """

    pipelines: Mapping[str, Pipeline]
    waits: tuple[Wait, ...]
    rules: tuple[HoldRule, ...]
    unseen: Mapping[str, str] = field(default_factory=dict)
    attempts_read: int = 0

    def find_mark(self, wait: Wait) -> Hold | None:
        """Return the hold with which a person released or canceled this wait, if one did."""
        for hold in (rule.hold for rule in self.rules if rule.hold):
            if (hold.pipeline, hold.execution) != (wait.pipeline, wait.execution):
                continue
            if hold.released_by or hold.cancels_wait(wait.since or hold.since):
                return hold
        return None


def list_unseen_pipelines(pipelines: Mapping[str, Pipeline]) -> dict[str, str]:
    """Return the pipelines that may not be read, by name, and why."""
    return {name: pipeline.unseen for name, pipeline in pipelines.items() if pipeline.unseen}
