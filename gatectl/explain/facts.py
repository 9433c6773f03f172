"""What explain knows of a pipeline, as plain data. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.account.attempts import find_last_gate_attempts
from chalicelib.account.gates import FUNCTION, Gate
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.holds.fate import HoldFate
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.execution import PARALLEL, Attempt, Execution
from chalicelib.pipelines.state import PipelineState
from chalicelib.pipelines.upstream import Upstream
from gatectl.doctor.evidence import GateFunction
from gatectl.explain.waiters import Waiter


@dataclass(frozen=True)
class Behind:
    """An upstream as it is now. `waits`: how it waits itself ("" where it does not): "held" by a
    rule or "in place"; `behind`: for whom.
    """

    upstream: Upstream
    waits: str = ""
    behind: tuple[Behind, ...] = ()

    @property
    def name(self) -> str:
        return self.upstream.dependency.name


def keeping(looked: Sequence[Behind]) -> list[Behind]:
    """Those that keep somebody waiting. One that is gone keeps nobody: the retry leaves it
    aside.
    """
    return [one for one in looked if not one.upstream.satisfied and not one.upstream.missing]


@dataclass(frozen=True)
class Log:
    """What the retry has logged: `records` of one hold, and the `errors` of any, each with its
    time; the oldest first.

    `unread`: why it could not be read. `silent`: there is no log, so the retry has never run.
    """

    records: tuple[tuple[datetime, dict[str, Any]], ...] = ()
    errors: tuple[tuple[datetime, str], ...] = ()
    unread: str = ""
    silent: bool = False


@dataclass(frozen=True)
class Target:
    """The retry that a hold's rule is to invoke. `function`: None where it is not there. `unseen`:
    why that is not known, or not all.
    """

    function: GateFunction | None = None
    unseen: str = ""


@dataclass(frozen=True)
class Story:
    """One execution. `attempts`: the oldest first. `rule`: that of its hold. `looked`: all that it
    waits for, where it waits; `left`: all that it does not wait for any more, where nothing holds
    it. `target`: what is to end its hold.
    """

    execution: Execution
    attempts: tuple[Attempt, ...] = ()
    rule: HoldRule | None = None
    looked: tuple[Behind, ...] = ()
    log: Log | None = None
    left: tuple[Behind, ...] = ()
    target: Target | None = None

    @property
    def hold(self) -> Hold | None:
        return self.rule.hold if self.rule else None

    @property
    def keeping(self) -> list[Behind]:
        return keeping(self.looked)

    @property
    def waiting(self) -> list[Upstream]:
        return [one.upstream for one in self.keeping]

    @property
    def gates(self) -> list[Attempt]:
        """The last attempt of each of its gates."""
        return find_last_gate_attempts(self.attempts)

    @property
    def asking(self) -> Attempt | None:
        """The gate that is in progress."""
        return next((one for one in self.gates if one.status == "InProgress"), None)

    @property
    def ended(self) -> datetime | None:
        """When the last of what it waited for ended, as far as that is known."""
        return max(
            (execution.updated for one in self.looked for execution in one.upstream.executions),
            default=None,
        )


@dataclass(frozen=True)
class Facts:
    """`pipeline` with all of its executions that count, and where they stand. `edited`: when its
    structure was. `rules`: those that are named after its executions. `stories`: the executions to
    tell of, `more`: how many others there would be to tell of. `waiters`: who is held for it, where
    it has no gate itself.
    """

    now: datetime
    region: str
    partition: str
    account: str
    pipeline: Pipeline
    edited: datetime | None
    rules: tuple[HoldRule, ...]
    fates: Mapping[str, HoldFate] = field(default_factory=dict)
    stories: tuple[Story, ...] = ()
    more: int = 0
    waiters: tuple[Waiter, ...] = ()

    @property
    def name(self) -> str:
        return self.pipeline.name

    @property
    def state(self) -> PipelineState:
        return self.pipeline.state or PipelineState(())

    def newer(self, execution: Execution) -> Execution | None:
        """The newest execution, where that one ends the other's hold: not in PARALLEL mode (guide:
        execution-modes).
        """
        newest = self.pipeline.executions[0]
        return None if newest.id == execution.id or execution.mode == PARALLEL else newest

    def edited_since(self, execution: Execution) -> bool:
        """Then AWS retries none of its stages (guide: actions-retry)."""
        return self.edited is not None and self.edited > execution.started

    def gate_of(self, attempt: Attempt) -> Gate | None:
        """As it is declared now."""
        return next(
            (
                one
                for one in self.pipeline.gates
                if (one.stage, one.action) == (attempt.stage, attempt.action)
            ),
            None,
        )


def deployed_as(attempt: Attempt) -> str:
    """The Chalice stage of the function that a gate's attempt invoked."""
    named = FUNCTION.fullmatch(attempt.function)
    return named["stage"] if named else ""
