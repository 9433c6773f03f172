"""Every outcome of the two functions: its word in the log, what it counts, and what it announces.

The end of a wait is counted once, by whatever ends it. So, over both functions:
Held = Released + LetGo + GaveUp + Canceled + Dropped + the deadlocks that ended a hold
     + the holds that stand.
Waiting is the time that one of those has waited so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class OutcomeRow:
    """`word`: the log's `decision`. `metrics`: each counts 1. `states`: one event each.
    `ends_hold`: a hold that was counted as Held ends with it. `keeps_hold`: the hold stands after
    it, so that the metric Waiting reports how long it has waited.
    """

    word: str
    metrics: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    ends_hold: bool = False
    keeps_hold: bool = False


class Outcome(Enum):
    """What was decided. A word may stand for an outcome of each function."""

    # The gate holds
    HELD = OutcomeRow("held", ("Held",), ("HELD",), keeps_hold=True)
    KEPT_OPEN = OutcomeRow("kept open", ("Held",), ("HELD",), keeps_hold=True)
    STILL_HELD = OutcomeRow("still held", keeps_hold=True)
    # The gate lets pass
    PASSED = OutcomeRow("passed", ("Passed",), ("PASSED",))
    BYPASSED = OutcomeRow("bypassed", ("Bypassed",), ("PASSED",))
    OBSERVED = OutcomeRow("observed", ("Observed",), ("PASSED",))
    # The gate ends a wait whose action stayed in progress
    WAIT_RELEASED = OutcomeRow(
        "released", ("Released", "Passed"), ("RELEASED", "PASSED"), ends_hold=True
    )
    WAIT_LET_GO = OutcomeRow("let go", ("LetGo", "Passed"), ("RELEASED", "PASSED"), ends_hold=True)
    WAIT_CONTINUED = OutcomeRow(
        "gave up", ("GaveUp", "Passed"), ("GAVE_UP", "PASSED"), ends_hold=True
    )
    WAIT_DEADLOCKED = OutcomeRow("deadlock", ("Deadlocks",), ("DEADLOCKED",), ends_hold=True)
    # The gate fails the action without a hold
    PAST_DEADLINE = OutcomeRow("past deadline")
    REFUSED = OutcomeRow("refused", ("Refused",))
    UNANSWERED = OutcomeRow("unanswered")
    # The retry leaves the hold as it is
    WAITING = OutcomeRow("waiting", keeps_hold=True)
    # The retry ends the hold
    STARTED = OutcomeRow("started", ("Released",), ("RELEASED",), ends_hold=True)
    RETRIED = OutcomeRow("retried", ("Released",), ("RELEASED",), ends_hold=True)
    LET_GO = OutcomeRow("let go", ("LetGo",), ("RELEASED",), ends_hold=True)
    # Of either function
    GAVE_UP = OutcomeRow("gave up", ("GaveUp",), ("GAVE_UP",), ends_hold=True)
    CANCELED = OutcomeRow("canceled", ("Canceled",), ("CANCELED",), ends_hold=True)
    DEADLOCK = OutcomeRow("deadlock", ("Deadlocks",), ("DEADLOCKED",), keeps_hold=True)
    DROPPED = OutcomeRow("dropped", ("Dropped",), ("DROPPED",), ends_hold=True)
    DEFECT = OutcomeRow("defect", ("Defects",))
    NOT_ANNOUNCED = OutcomeRow("not announced")
    # The retry tidies up: the hold had ended before
    OVER = OutcomeRow("over")
    SWEPT = OutcomeRow("swept")
    NOT_SWEPT = OutcomeRow("not swept")

    @property
    def word(self) -> str:
        return self.value.word

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.value.metrics

    @property
    def states(self) -> tuple[str, ...]:
        return self.value.states

    @property
    def ends_hold(self) -> bool:
        return self.value.ends_hold

    @property
    def keeps_hold(self) -> bool:
        return self.value.keeps_hold


OPENING_WORDS = frozenset(
    outcome.word for outcome in (Outcome.PASSED, Outcome.BYPASSED, Outcome.OBSERVED)
)
"""The words with which a gate lets the first job of an action or condition pass."""
