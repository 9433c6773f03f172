"""The decisions, as pure functions of plain data: no AWS, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from chalicelib.pipelines.execution import PARALLEL, Attempt, Execution, Revision

if TYPE_CHECKING:
    pass


class Fate(Enum):
    """What became of a held execution."""

    HELD = "still held"
    UNDECIDED = "still in progress: wait for the result of its gate action"
    OVER = "over"


@dataclass(frozen=True)
class HoldFate:
    fate: Fate
    reason: str = ""


def find_fate(held: str, executions: Sequence[Execution]) -> HoldFate:
    """What became of execution `held`, by its pipeline's `executions` (newest first; they reach
    back to it, or hold all there are).

    HELD here means that it failed and is its pipeline's newest; whether the gate failed it,
    `passed_the_gate` tells.
    """
    own = next((execution for execution in executions if execution.id == held), None)
    newest = executions[0] if executions else None
    if (
        own and own.running
    ):  # also where there is a newer one: its gate may have to hold it again, or look for a person's mark in its rule
        return HoldFate(Fate.UNDECIDED)
    if (
        newest and newest.id != held and (own or newest).mode != PARALLEL
    ):  # there they are independent (guide: execution-modes)
        return HoldFate(Fate.OVER, f"a newer execution exists: {newest.id} is {newest.status}")
    if own is None:
        return HoldFate(Fate.OVER, f"its pipeline knows no execution {held} any more")
    if own.status != "Failed":
        return HoldFate(Fate.OVER, f"execution {held} is {own.status}")
    return HoldFate(Fate.HELD)


def find_closed_gate(attempts: Sequence[Attempt], gate_function: str) -> Attempt | None:
    """The gate's attempt that failed an execution: the last one of an action, or of a stage
    condition, that did not pass.

    A condition that somebody overrode did pass: actions of its stage came after it (guide:
    stage-conditions, "Overriding").
    """
    for last in _gates(attempts, gate_function):
        overridden = last.condition and any(
            other.stage == last.stage and not other.condition and other.started > last.started
            for other in attempts
        )
        if last.status == "Failed" and not overridden:
            return last
    return None


def has_passed_gate(attempts: Sequence[Attempt], gate_function: str) -> bool:
    """Whether an execution that failed did so after the gate had let it pass.

    Where the attempts show no gate at all, the benefit of the doubt goes to the hold: better a
    start too many than none.
    """
    return (
        bool(_gates(attempts, gate_function)) and find_closed_gate(attempts, gate_function) is None
    )


def is_gate_in_progress(attempts: Sequence[Attempt], gate_function: str) -> bool:
    """Whether no gate has closed, but one is being asked: somebody has retried the stage of an
    execution that was seen to have failed.
    """
    return find_closed_gate(attempts, gate_function) is None and any(
        last.status == "InProgress" for last in _gates(attempts, gate_function)
    )


def _gates(attempts: Sequence[Attempt], gate_function: str) -> list[Attempt]:
    last: dict[tuple[str, str, bool], Attempt] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.started):
        if gate_function in attempt.function.split(":"):  # a name, an ARN, either with an alias
            last[attempt.stage, attempt.action, attempt.condition] = attempt
    return list(last.values())


def find_restart(
    held: str, executions: Sequence[Execution], retry_function: str
) -> Execution | None:
    """In PARALLEL mode, the execution with which `held` was started again already, where that is
    beyond doubt.

    That is one which is newer, was started by the retry function (practice: a function's session is
    named after it), and took the same revisions. Where yet another execution took them, it could be
    that one's restart: then None, and the caller starts with a token that AWS knows already if it
    was this one's.
    """
    own = find_execution(held, executions)
    if own.mode != PARALLEL:
        return None
    alike = [execution for execution in executions if execution.revisions == own.revisions]
    restarts = [
        e for e in alike if e.started > own.started and e.started_by.endswith(f"/{retry_function}")
    ]
    twins = [e for e in alike if e.id != held and e not in restarts]
    return restarts[-1] if restarts and not twins else None


def choose_revisions(
    own: Execution, asked: str | None, attempts: Sequence[Attempt]
) -> tuple[Revision, ...]:
    """Those that the held execution `own` took, if `asked` is "held" or, in PARALLEL mode, nothing
    is asked; else none, and CodePipeline takes the latest, as it does at every start.
    """
    if asked == "latest" or (asked is None and own.mode != PARALLEL):
        return ()
    providers = {attempt.action: attempt.provider for attempt in attempts}
    return tuple(
        Revision(action, providers.get(action, ""), revision)
        for action, revision in own.revisions.items()
    )


def find_execution(id_: str, executions: Sequence[Execution]) -> Execution:
    """The execution `id_`, which is among them."""
    return next(execution for execution in executions if execution.id == id_)
