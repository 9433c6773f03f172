"""An upstream as AWS described it, and whether it keeps a gate closed. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import CANCELLED, PARALLEL, RESTART_TIME, ROLLBACK, Execution

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.state import PipelineState, StageState
    from chalicelib.pipelines.wait_cycles import Cycle

LONGEST_MAKING = timedelta(minutes=1)
"""Usually, a gate fails its action within this time after it began to write the rule."""


@dataclass(frozen=True)
class Upstream:
    """A pipeline that another one waits for.

    `executions`: newest first.
    `state`: read after the executions; None if it was not needed, so it was not read.
    `hold`: the hold of its newest execution, after which it will run again.
    `cycle`: the chain of waits, if it waits, directly or not, for the pipeline that waits for it.
    `unanswered`: why AWS did not describe it; None if AWS did.
    `missing`: whether no pipeline has this name.
    `region_missing`: whether it is missing because its region is.
    `read_at`: when the executions were read (aware UTC). None: one that was just cancelled does not
    count as running.
    """

    dependency: Dependency
    executions: tuple[Execution, ...] = ()
    state: PipelineState | None = None
    hold: Hold | None = None
    cycle: Cycle | None = None
    unanswered: str | None = None
    missing: bool = False
    region_missing: bool = False
    read_at: datetime | None = None

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
        return tuple(execution for execution in self.running if self._counts(execution.id))

    @property
    def blocking_by_state(self) -> tuple[str, ...]:
        """The ids of further executions that keep the gate closed, because the state shows them as
        running.

        They began before the executions that were read, or their stage was retried since.
        """
        if self.state is None:
            return ()
        listed = {execution.id for execution in self.running}
        return tuple(
            id_ for id_ in self.state.list_running() if id_ not in listed and self._counts(id_)
        )

    @property
    def just_cancelled(self) -> Execution | None:
        """The execution that was cancelled less than RESTART_TIME ago, if none has begun since.

        The upstream counts as running, because what cancelled it usually starts it again. That
        execution runs each stage again, so it does not matter how far the cancelled one came.
        """
        if self.read_at is None:
            return None
        for execution in self.executions:
            if execution.status != CANCELLED or self.read_at - execution.updated >= RESTART_TIME:
                continue
            if not any(
                other.started >= execution.updated and other.status != CANCELLED
                for other in self.executions
            ):
                return execution
        return None

    @property
    def busy(self) -> bool:
        """Whether an execution keeps the gate closed."""
        return bool(self.blocking or self.blocking_by_state or self.just_cancelled)

    @property
    def foreseeable(self) -> bool:
        """Whether the end of the blocking executions can be estimated from past executions.

        It cannot if only one stage counts, if a person has to act, or if it is not known when one
        of them began.
        """
        return (
            self.dependency.stage is None
            and not self.blocking_by_state
            and not any(self._is_parked(execution.id) for execution in self.blocking)
        )

    @property
    def newest_finished(self) -> Execution | None:
        """The newest execution that has a result. Superseded ones have none.

        In PARALLEL mode, in which executions overtake each other, it is the one that ended last:
        the one that changed last, as AWS does not say when it ended (model: lastUpdateTime).
        """
        finished = [execution for execution in self.executions if execution.finished]
        if finished and self.executions[0].mode == PARALLEL:
            return max(finished, key=lambda execution: execution.updated)
        return finished[0] if finished else None

    @property
    def last_execution_id(self) -> str | None:
        """The id of the execution that decides whether the upstream has succeeded.

        It is the last one in the dependency's stage, or else the newest that finished.
        """
        if self.dependency.stage and self.state:
            return self._stage.execution if self._stage else None
        return self.newest_finished.id if self.newest_finished else None

    @property
    def last_execution(self) -> Execution | None:
        """The same execution, if it is among those that were read."""
        last = self.last_execution_id
        return next((execution for execution in self.executions if execution.id == last), None)

    @property
    def succeeded(self) -> bool:
        """Whether the last execution has succeeded in the dependency's stage, or as a whole.

        A rollback has not: what was pushed did not succeed.
        """
        if self.dependency.stage:
            return self._stage is not None and self._stage.succeeded
        return self.newest_finished is not None and self.newest_finished.succeeded

    @property
    def rolled_back(self) -> bool:
        """Whether a rollback has succeeded instead of what was pushed."""
        last = self._stage if self.dependency.stage else self.newest_finished
        return last is not None and last.status == "Succeeded" and last.kind == ROLLBACK

    @property
    def possibly_held(self) -> Execution | None:
        """The failed execution that the gate may hold, so that this upstream will run again.

        It is the newest execution, if that failed. In PARALLEL mode, in which a newer execution
        does not end a hold, it is the newest one that failed.
        """
        if not self.executions or self.busy:
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
        it waits for the pipeline that waits for it, one of them has to go first, so it is, unless
        it has continued already.
        """
        is_next = self.hold is not None and (self.cycle is None or self._has_continued)
        return self.unanswered is None and not self.busy and not is_next

    @property
    def _has_continued(self) -> bool:
        """Whether its hold has ended, although AWS does not list that it is in progress yet: its
        execution has not failed again since the gate failed it.
        """
        if self.hold is None or self.possibly_held is None:
            return False
        fails_by = self.hold.made and self.hold.made + LONGEST_MAKING
        is_retried = self.hold.end_reported and fails_by and self.possibly_held.updated <= fails_by
        return self.hold.restart is not None or bool(is_retried)

    @property
    def satisfied(self) -> bool:
        """Whether the upstream is as the dependency requires: idle, or idle after a success."""
        return self.idle and (self.dependency.require == "idle" or self.succeeded)

    @property
    def deadlocked(self) -> bool:
        """Whether it can never be satisfied, because each pipeline of its cycle requires the
        success of the next one.
        """
        requires_success = self.dependency.require == "succeeded" and not self.satisfied
        return requires_success and self.cycle is not None and self.cycle.deadlock

    def is_past(self, execution: Execution) -> bool:
        """Return whether an execution has finished the one stage that counts."""
        return self._is_past(execution.id)

    @property
    def _stage(self) -> StageState | None:
        """The one stage that counts; None if all do, or if the state was not read."""
        if self.state is None or self.dependency.stage is None:
            return None
        return self.state.find_stage(self.dependency.stage)

    def _is_parked(self, execution: str) -> bool:
        return self.state is not None and self.state.find_parked(execution) is not None

    def _is_past(self, execution: str) -> bool:
        stage = self.dependency.stage
        return bool(stage and self.state and self.state.is_past(execution, stage))

    def _counts(self, execution: str) -> bool:
        """Return whether a running execution keeps the gate closed."""
        may_be_parked = self.dependency.parked == "pass"
        return not self._is_past(execution) and not (may_be_parked and self._is_parked(execution))


def find_unsatisfied(upstreams: Sequence[Upstream]) -> tuple[Upstream, ...]:
    """Return the upstreams that keep the gate closed, including those that AWS did not describe.

    If there are none, the gate is open.
    """
    return tuple(upstream for upstream in upstreams if not upstream.satisfied)


def find_deadlock(waiting: Sequence[Upstream]) -> Cycle | None:
    """Return a cycle of pipelines that would wait for each other forever; None if there is none."""
    return next((upstream.cycle for upstream in waiting if upstream.deadlocked), None)
