"""Does a hold still stand? The one answer, from whatever evidence a caller has. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.deployment import name_gate_function, name_retry_function
from chalicelib.holds.continuation import is_restart
from chalicelib.holds.verdict import Verdict
from chalicelib.pipelines.execution import PARALLEL, Attempt, Execution
from chalicelib.pipelines.state import PipelineState


class Standing(Enum):
    """Whether a hold stands. `HELD`: the retry will start the execution or retry its stage.

    `MOVED_ON`: the execution is in progress again, because its stage was retried. Its gate may hold
    it again, so the rule stays. `ENDED`: nothing is waiting. `UNKNOWN`: the evidence is not
    enough.
    """

    HELD = "held"
    MOVED_ON = "moved on"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class HoldFate:
    """`reason`: why the hold does not stand, or why its fate is unknown. `replaced_by`: the id of
    the execution that took the held one's place, if one did.
    """

    standing: Standing
    reason: str = ""
    replaced_by: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What a caller knows about the held `execution` and its `pipeline`. None means: not read.

    `deployed_as`: the Chalice stage of the gate that holds it. `restart`: the execution that the
    retry function has started in its place, as the rule says. `recent`: it was held only a moment
    ago, so AWS may not list it yet. `pipeline_exists` is False only if AWS said so. `executions`:
    newest first. `reaches_back`: they reach back to the held one, or are all there are. `attempts`:
    those of the execution's actions; those of stage conditions are included only if no action shows
    the gate that failed. `state` counts only if `attempts` is None. `gates`: the stage and name of
    each gate in the structure; `condition_gates`: those of them that are conditions.
    """

    pipeline: str
    execution: str
    deployed_as: str
    restart: str | None = None
    recent: bool = False
    pipeline_exists: bool = True
    executions: Sequence[Execution] | None = None
    reaches_back: bool = True
    attempts: Sequence[Attempt] | None = None
    state: PipelineState | None = None
    gates: Collection[tuple[str, str]] = ()
    condition_gates: Collection[tuple[str, str]] = ()

    @property
    def gate_function(self) -> str:
        return name_gate_function(self.deployed_as)

    @property
    def retry_function(self) -> str:
        return name_retry_function(self.deployed_as)


HELD = HoldFate(Standing.HELD)
MOVED_ON = "the held execution has moved on"


def find_fate(evidence: Evidence) -> HoldFate:
    """Return what became of a held execution, as far as the evidence tells."""
    if not evidence.pipeline_exists:
        return HoldFate(Standing.ENDED, f"the pipeline {evidence.pipeline} no longer exists")
    if evidence.executions is None:
        return HoldFate(
            Standing.UNKNOWN, f"the executions of {evidence.pipeline} could not be read"
        )
    held_id = evidence.execution
    held = next((execution for execution in evidence.executions if execution.id == held_id), None)
    newest = _find_newest(held, evidence)
    if held and held.running:
        # Even if there is a newer one: its gate may have to hold it again, or to see a release.
        return HoldFate(Standing.MOVED_ON, "the held execution is still in progress")
    if held is None and evidence.recent:
        return HoldFate(Standing.MOVED_ON, f"AWS does not list execution {held_id} yet")
    if evidence.restart:
        reason = f"execution {held_id} was started again, as {evidence.restart}"
        return HoldFate(Standing.ENDED, reason, replaced_by=evidence.restart)
    # In PARALLEL mode executions are independent of each other (guide: execution-modes).
    if newest and newest.id != held_id and (held or newest).mode != PARALLEL:
        reason = f"a newer execution exists: {newest.id} is {newest.status}"
        return HoldFate(Standing.ENDED, reason, replaced_by=newest.id)
    if held is None:
        if not evidence.reaches_back:
            return HoldFate(
                Standing.UNKNOWN, f"execution {held_id} is older than the executions that were read"
            )
        return HoldFate(Standing.ENDED, f"its pipeline no longer has an execution {held_id}")
    if held.status != "Failed":
        return HoldFate(Standing.ENDED, f"execution {held_id} is {held.status}")
    return _find_fate_at_gate(evidence)


def _find_newest(held: Execution | None, evidence: Evidence) -> Execution | None:
    """Return the newest execution, leaving out restarts of which no source could take a revision:
    after those, the retry function retries the held stage.
    """
    return next(
        (
            execution
            for execution in evidence.executions or ()
            if execution.status != "Failed"
            or execution.revisions
            or not (held and held.revisions)
            or not is_restart(execution.origin, evidence.retry_function)
        ),
        None,
    )


def _find_fate_at_gate(evidence: Evidence) -> HoldFate:
    """What became of an execution that failed: was it the gate that failed it?"""
    if evidence.attempts is None:
        return _find_fate_by_state(evidence)
    gates = find_last_attempts(evidence.attempts, evidence.gate_function)
    closed = find_closed_gates(evidence.attempts, evidence.gate_function)
    if any(attempt.verdict is not Verdict.CANCELED for attempt in closed):
        return HELD
    if any(attempt.status == "InProgress" for attempt in gates):
        return HoldFate(Standing.MOVED_ON, MOVED_ON)
    if closed:
        return _end_by_cancellation(evidence)
    if gates:
        return _end_by_passing(evidence)
    # No gate at all. Another failed action shows that the gate did not fail this execution. Without
    # one, the list may be too old to show the gate: better a start too many than none.
    failed = next((attempt for attempt in evidence.attempts if attempt.status == "Failed"), None)
    if failed is None:
        return HELD
    reason = (
        f"execution {evidence.execution} failed at {failed.action} in its stage {failed.stage}, "
        "and has no gate of this deployment"
    )
    return HoldFate(Standing.ENDED, reason)


def _find_fate_by_state(evidence: Evidence) -> HoldFate:
    """The same by the pipeline's state, which shows only the latest execution of each stage."""
    stages = evidence.state.stages if evidence.state else ()
    shown = {
        (stage.name, action.name): action
        for stage in stages
        if stage.execution == evidence.execution
        for action in stage.actions
        if (stage.name, action.name) in evidence.gates
    }
    failed = {gate: action for gate, action in shown.items() if action.status == "Failed"}
    canceled = {gate for gate, action in failed.items() if action.verdict is Verdict.CANCELED}
    if failed.keys() - canceled - {*evidence.condition_gates}:
        return HELD
    statuses = {action.status for action in shown.values()}
    if "InProgress" in statuses:
        return HoldFate(Standing.MOVED_ON, MOVED_ON)
    if canceled and failed.keys() == canceled:
        return _end_by_cancellation(evidence)
    if statuses == {"Succeeded"}:
        return _end_by_passing(evidence)
    # A failed condition may have been overridden, which only the attempts tell.
    return HoldFate(
        Standing.UNKNOWN, f"the gate's attempts in {evidence.execution} could not be read"
    )


def _end_by_cancellation(evidence: Evidence) -> HoldFate:
    return HoldFate(Standing.ENDED, f"the wait of execution {evidence.execution} was canceled")


def _end_by_passing(evidence: Evidence) -> HoldFate:
    return HoldFate(Standing.ENDED, describe_later_pass(evidence.execution))


def describe_later_pass(execution: str) -> str:
    """Return why the hold of an execution ended that its gate let pass after all."""
    return f"execution {execution} passed the gate in a later attempt"


def find_closed_gate(attempts: Sequence[Attempt], gate_function: str) -> Attempt | None:
    """Return the gate's attempt that failed an execution: the last one of an action, or of a stage
    condition, that did not pass.

    A condition that was overridden did pass: actions of its stage came after it (guide:
    stage-conditions, "Overriding").
    """
    return next(iter(find_closed_gates(attempts, gate_function)), None)


def find_closed_gates(attempts: Sequence[Attempt], gate_function: str) -> list[Attempt]:
    """Return such an attempt of each gate."""
    closed = []
    for last in find_last_attempts(attempts, gate_function):
        overridden = last.condition and any(
            attempt.stage == last.stage and not attempt.condition and attempt.started > last.started
            for attempt in attempts
        )
        if last.status == "Failed" and not overridden:
            closed.append(last)
    return closed


def find_last_attempts(attempts: Sequence[Attempt], gate_function: str) -> list[Attempt]:
    """Return the last attempt of each gate of that function."""
    last: dict[tuple[str, str, bool], Attempt] = {}
    # Newest first, as AWS lists those that began in the same moment.
    for attempt in sorted(attempts, key=lambda attempt: attempt.started, reverse=True):
        # An action names its function by name or ARN, either with an alias.
        if gate_function in attempt.function.split(":"):
            last.setdefault((attempt.stage, attempt.action, attempt.condition), attempt)
    return list(last.values())


def find_predecessor(restart: str, executions: Sequence[Execution]) -> Execution | None:
    """Return the execution in whose place `restart` was started: the newest older one that failed,
    in PARALLEL mode of the same revisions. AWS may not list `restart` yet.

    `executions`: of its pipeline, newest first.
    """
    ids = [execution.id for execution in executions]
    older, revisions = executions, None
    if restart in ids:
        place = ids.index(restart)
        older, revisions = executions[place + 1 :], executions[place].revisions
    return next(
        (
            execution
            for execution in older
            if execution.status == "Failed"
            and (execution.mode != PARALLEL or execution.revisions == revisions)
        ),
        None,
    )


def find_execution(id_: str, executions: Sequence[Execution]) -> Execution:
    """Return the execution `id_`, which is among them."""
    return next(execution for execution in executions if execution.id == id_)
