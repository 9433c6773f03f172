"""A pipeline that is waited for, as AWS answered, and why it keeps a gate closed: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import PARALLEL, Execution

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.state import PipelineState
    from chalicelib.pipelines.wait_cycles import Cycle


@dataclass(frozen=True)
class Upstream:
    """`executions`: newest first. `state` was asked for only where it matters. `hold`: the gate
    holds its newest execution, so it will run again. `cycle`: it waits, itself or through others,
    for the pipeline that asks. `gone`: there is no such pipeline.
    """

    dependency: Dependency
    executions: tuple[Execution, ...] = ()
    state: PipelineState | None = None
    hold: Hold | None = None
    cycle: Cycle | None = None
    unanswered: str | None = None
    missing: bool = False

    @property
    def label(self) -> str:
        return self.dependency.label

    @property
    def running(self) -> tuple[Execution, ...]:
        return tuple(execution for execution in self.executions if execution.running)

    @property
    def blocking(self) -> tuple[Execution, ...]:
        """The running executions that count: not those past the one stage that is waited for, nor,
        if asked so, parked ones.
        """
        return tuple(
            execution
            for execution in self.running
            if not self.is_past(execution)
            and not (self.dependency.parked == "pass" and self._parked(execution))
        )

    @property
    def foreseeable(self) -> bool:
        """Whether past executions tell how long those that count still take: not how long one stage
        does, nor a person.
        """
        return self.dependency.stage is None and not any(
            self._parked(execution) for execution in self.blocking
        )

    @property
    def newest_finished(self) -> Execution | None:
        """The one whose result stands: superseded and cancelled ones are left aside."""
        return next((execution for execution in self.executions if execution.finished), None)

    @property
    def last_execution_id(self) -> str | None:
        """The id of the execution that left what was waited for as it is: the last one in its one
        stage, or the newest that finished.
        """
        if self.dependency.stage and self.state:
            stage = self.state.stage(self.dependency.stage)
            return stage.execution if stage else None
        return self.newest_finished.id if self.newest_finished else None

    @property
    def succeeded(self) -> bool:
        """What is waited for has succeeded: the stage as its latest execution left it, or the
        newest finished execution.
        """
        if self.dependency.stage:
            stage = self.state.stage(self.dependency.stage) if self.state else None
            return stage is not None and stage.status == "Succeeded"
        return self.newest_finished is not None and self.newest_finished.status == "Succeeded"

    @property
    def possibly_held(self) -> Execution | None:
        """The execution whose hold would make this upstream run again: its newest, if that failed.

        In PARALLEL mode, where a newer one ends no hold, the newest that failed.
        """
        if not self.executions or self.blocking:
            return None
        failed = next(
            (execution for execution in self.executions if execution.status == "Failed"), None
        )
        return (
            failed if failed and (failed is self.executions[0] or failed.mode == PARALLEL) else None
        )

    @property
    def idle(self) -> bool:
        """Known to be idle: not while AWS does not answer, nor while the gate holds it (unless it
        waits for the one that asks).
        """
        return (
            self.unanswered is None
            and not self.blocking
            and not self._stage_is_busy
            and not (self.hold and not self.cycle)
        )

    @property
    def satisfied(self) -> bool:
        """As idle, or as successful, as it has to be."""
        return self.idle and (self.dependency.require == "idle" or self.succeeded)

    @property
    def deadlocked(self) -> bool:
        """It can never be satisfied: what it waits for is the one that asks, which cannot go on
        before.
        """
        return not self.satisfied and self.cycle is not None and self.cycle.deadlock

    def is_past(self, execution: Execution) -> bool:
        """Whether it is through with the one stage that is waited for."""
        return bool(
            self.dependency.stage
            and self.state
            and self.state.is_past(execution.id, self.dependency.stage)
        )

    def _parked(self, execution: Execution) -> bool:
        return self.state is not None and self.state.parked(execution.id) is not None

    @property
    def _stage_is_busy(self) -> bool:
        """As the state shows it, which was read after the executions."""
        stage = (
            self.state.stage(self.dependency.stage)
            if self.state and self.dependency.stage
            else None
        )
        if stage is None or not stage.busy:
            return False
        return not (
            self.dependency.parked == "pass"
            and stage.execution
            and self.state
            and self.state.parked(stage.execution)
        )


def find_unsatisfied(upstreams: Sequence[Upstream]) -> tuple[Upstream, ...]:
    """The upstreams that keep the gate closed, those of which AWS does not tell among them. None:
    the gate is open.
    """
    return tuple(upstream for upstream in upstreams if not upstream.satisfied)


def find_deadlock(waiting: Sequence[Upstream]) -> Cycle | None:
    """The cycle of pipelines that would wait for each other for ever, if there is one."""
    return next((upstream.cycle for upstream in waiting if upstream.deadlocked), None)
