"""What `gatectl explain` has read about a pipeline, as plain data. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.account.attempts import find_last_gate_attempts
from chalicelib.account.console import ConsoleLinks
from chalicelib.account.gates import FUNCTION, Gate
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.holds.fate import HoldFate, Standing
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import PARALLEL, Attempt, Execution
from chalicelib.pipelines.state import PipelineState
from chalicelib.pipelines.upstream import Upstream
from gatectl.doctor.evidence import GateFunction
from gatectl.wording import format_duration

MAY_STAND = (Standing.HELD, Standing.UNKNOWN)
"""A hold whose fate is unknown counts as held, because its rule exists."""


@dataclass(frozen=True)
class UpstreamChain:
    """An upstream as it is now. `waits`: "held" if a rule holds it, "in place" if it waits in the
    mode wait, otherwise "" (public values). `chains`: what it is waiting for.
    """

    upstream: Upstream
    waits: str = ""
    chains: tuple[UpstreamChain, ...] = ()

    @property
    def name(self) -> str:
        return self.upstream.dependency.name

    @property
    def label(self) -> str:
        return self.upstream.label


def find_blocking(chains: Sequence[UpstreamChain]) -> list[UpstreamChain]:
    """Return those that keep the pipeline waiting. The retry function ignores deleted upstreams."""
    upstreams = [(chain, chain.upstream) for chain in chains]
    return [chain for chain, each in upstreams if not each.satisfied and not each.missing]


@dataclass(frozen=True)
class RetryLog:
    """What the retry function has logged, oldest first: `records` of one hold, and the `errors` of
    all. `unread`: why it could not be read. `missing`: no log exists, so it has never run.
    """

    records: tuple[tuple[datetime, dict[str, Any]], ...] = ()
    errors: tuple[tuple[datetime, str], ...] = ()
    unread: str = ""
    missing: bool = False


@dataclass(frozen=True)
class RetryTarget:
    """The retry function of a rule; None if missing. `unseen`: why it was not read completely."""

    function: GateFunction | None = None
    unseen: str = ""


@dataclass(frozen=True)
class ExecutionStory:
    """One execution. `attempts`: oldest first. `rule`: of its hold. `upstreams`: what it is
    waiting for. `former_upstreams`: what it was waiting for until its wait ended and nothing was
    started, or what its gates have checked before a person kept it. `target`: the retry function
    that has to end its hold. `first`: the hold of another pipeline that goes before its own.
    """

    execution: Execution
    attempts: tuple[Attempt, ...] = ()
    rule: HoldRule | None = None
    upstreams: tuple[UpstreamChain, ...] = ()
    former_upstreams: tuple[UpstreamChain, ...] = ()
    log: RetryLog | None = None
    target: RetryTarget | None = None
    first: Hold | None = None

    @property
    def hold(self) -> Hold | None:
        return self.rule.hold if self.rule else None

    @property
    def blocking(self) -> list[UpstreamChain]:
        return find_blocking(self.upstreams)

    @property
    def waiting_for(self) -> list[Upstream]:
        return [chain.upstream for chain in self.blocking]

    @property
    def gates(self) -> list[Attempt]:
        """The last attempt of each of its gates."""
        return find_last_gate_attempts(self.attempts)

    @property
    def open_gate(self) -> Attempt | None:
        """The gate that is in progress."""
        return next((gate for gate in self.gates if gate.status == "InProgress"), None)

    @property
    def end_of_upstreams(self) -> datetime | None:
        """When the last upstream ended, as far as is known."""
        executions = [run for chain in self.upstreams for run in chain.upstream.executions]
        return max((execution.updated for execution in executions), default=None)


@dataclass(frozen=True)
class HeldDependent:
    """A pipeline of this region and account that has been held for another one since then."""

    name: str
    since: datetime


@dataclass(frozen=True)
class ExplainEvidence:
    """`pipeline`: with its recent executions and its state. `edited`: when its structure was last
    edited. `rules`: those named after its executions. `fates`: what became of their holds, by the
    rule's name. `stories`: the executions to explain. `omitted_count`: how many more are waiting or
    running. `dependents`: the pipelines that are held for this one, if it has no gate itself.
    """

    now: datetime
    region: str
    partition: str
    account: str
    links: ConsoleLinks
    pipeline: Pipeline
    edited: datetime | None
    rules: tuple[HoldRule, ...]
    fates: Mapping[str, HoldFate] = field(default_factory=dict)
    stories: tuple[ExecutionStory, ...] = ()
    omitted_count: int = 0
    dependents: tuple[HeldDependent, ...] = ()

    @property
    def name(self) -> str:
        return self.pipeline.name

    @property
    def state(self) -> PipelineState:
        return self.pipeline.state or PipelineState(())

    def format_wait(self, since: datetime) -> str:
        """ "since 12:03 UTC (7 min)"."""
        return f"since {format_time(since, self.now)} ({format_duration(self.now - since)})"

    def is_held(self, story: ExecutionStory) -> bool:
        """Whether the retry function will still continue the execution, as far as is known."""
        return story.hold is not None and self.fates[story.hold.rule].standing in MAY_STAND

    def find_newer(self, execution: Execution) -> Execution | None:
        """Return the newest execution if it replaces this one (guide: execution-modes)."""
        newest = self.pipeline.executions[0]
        return None if newest.id == execution.id or execution.mode == PARALLEL else newest

    def is_edited_since(self, execution: Execution) -> bool:
        """If so, AWS does not retry its stages (guide: actions-retry)."""
        return self.edited is not None and self.edited > execution.started

    def find_gate(self, attempt: Attempt) -> Gate | None:
        """Return the gate of this attempt as it is now."""
        gates = {(gate.stage, gate.action): gate for gate in self.pipeline.gates}
        return gates.get((attempt.stage, attempt.action))

    def list_dependencies(self, attempt: Attempt) -> tuple[Dependency, ...]:
        """Return what the gate of this attempt now has to wait for."""
        gate = self.find_gate(attempt)
        return gate.parameters.depends_on if gate and gate.parameters else ()


def read_deployment_stage(attempt: Attempt) -> str:
    """Return the Chalice stage of the function that a gate's attempt invoked."""
    named = FUNCTION.fullmatch(attempt.function)
    return named["stage"] if named else ""
