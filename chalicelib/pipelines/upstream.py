"""An upstream as AWS described it, and whether it keeps a gate closed. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import PARALLEL, Execution

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.state import PipelineState, StageState
    from chalicelib.pipelines.wait_cycles import Cycle


@dataclass(frozen=True)
class Upstream:
    """A pipeline that another one waits for.

    `executions`: newest first.
    `state`: None if it was not needed, so it was not read.
    `hold`: the hold of its newest execution, after which it will run again.
    `cycle`: the chain of waits, if it waits, directly or not, for the pipeline that waits for it.
    `unanswered`: why AWS did not describe it; None if AWS did.
    `missing`: whether no pipeline has this name.
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
        """The running executions that keep the gate closed.

        Executions that are past the dependency's stage do not, nor do parked ones if the dependency
        says `parked`: `pass`.
        """
        return tuple(
            execution
            for execution in self.running
            if not self.is_past(execution)
            and not (self.dependency.parked == "pass" and self._is_parked(execution.id))
        )

    @property
    def foreseeable(self) -> bool:
        """Whether the end of the blocking executions can be estimated from past executions.

        It cannot if only one stage counts, or if a person has to act.
        """
        return self.dependency.stage is None and not any(
            self._is_parked(execution.id) for execution in self.blocking
        )

    @property
    def newest_finished(self) -> Execution | None:
        """The newest execution that has a result. Superseded and cancelled ones have none."""
        return next((execution for execution in self.executions if execution.finished), None)

    @property
    def last_execution_id(self) -> str | None:
        """The id of the execution that decides whether the upstream has succeeded.

        It is the last one in the dependency's stage, or else the newest that finished.
        """
        if self.dependency.stage and self.state:
            return self._stage.execution if self._stage else None
        return self.newest_finished.id if self.newest_finished else None

    @property
    def succeeded(self) -> bool:
        """Whether the last execution has succeeded in the dependency's stage, or as a whole."""
        if self.dependency.stage:
            return self._stage is not None and self._stage.status == "Succeeded"
        return self.newest_finished is not None and self.newest_finished.status == "Succeeded"

    @property
    def possibly_held(self) -> Execution | None:
        """The failed execution that the gate may hold, so that this upstream will run again.

        It is the newest execution, if that failed. In PARALLEL mode, in which a newer execution
        does not end a hold, it is the newest one that failed.
        """
        if not self.executions or self.blocking:
            return None
        failures = (execution for execution in self.executions if execution.status == "Failed")
        failed = next(failures, None)
        if failed and (failed is self.executions[0] or failed.mode == PARALLEL):
            return failed
        return None

    @property
    def idle(self) -> bool:
        """Whether the upstream is known to be idle.

        It is not if AWS did not answer, or if the gate holds it, because it will run again. But if
        it waits for the pipeline that waits for it, one of them has to go first, so it is.
        """
        return (
            self.unanswered is None
            and not self.blocking
            and not self._stage_is_busy
            and not (self.hold and not self.cycle)
        )

    @property
    def satisfied(self) -> bool:
        """Whether the upstream is as the dependency requires: idle, or idle after a success."""
        return self.idle and (self.dependency.require == "idle" or self.succeeded)

    @property
    def deadlocked(self) -> bool:
        """Whether it can never be satisfied, because all pipelines of its cycle keep waiting."""
        return not self.satisfied and self.cycle is not None and self.cycle.deadlock

    def is_past(self, execution: Execution) -> bool:
        """Return whether an execution has finished the one stage that counts."""
        return bool(
            self.dependency.stage
            and self.state
            and self.state.is_past(execution.id, self.dependency.stage)
        )

    @property
    def _stage(self) -> StageState | None:
        """The one stage that counts; None if all do, or if the state was not read."""
        if self.state is None or self.dependency.stage is None:
            return None
        return self.state.find_stage(self.dependency.stage)

    def _is_parked(self, execution: str) -> bool:
        return self.state is not None and self.state.find_parked(execution) is not None

    @property
    def _stage_is_busy(self) -> bool:
        """Whether the one stage that counts is in use. The state is read after the executions."""
        stage = self._stage
        if stage is None or not stage.busy:
            return False
        if self.dependency.parked == "wait" or stage.execution is None:
            return True
        return not self._is_parked(stage.execution)


def find_unsatisfied(upstreams: Sequence[Upstream]) -> tuple[Upstream, ...]:
    """Return the upstreams that keep the gate closed, including those that AWS did not describe.

    If there are none, the gate is open.
    """
    return tuple(upstream for upstream in upstreams if not upstream.satisfied)


def find_deadlock(waiting: Sequence[Upstream]) -> Cycle | None:
    """Return a cycle of pipelines that would wait for each other forever; None if there is none."""
    return next((upstream.cycle for upstream in waiting if upstream.deadlocked), None)
