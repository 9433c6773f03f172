"""The waits of an account: executions held by a rule, and actions kept in progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.account.gates import Gate
from chalicelib.holds.fate import HELD, HoldFate, Standing
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import HoldMode
from chalicelib.holds.rule import read_date
from chalicelib.holds.schedule import Schedule


@dataclass(frozen=True)
class Wait:
    """An execution that waits for other pipelines. Times are aware UTC.

    `mode`: the mode of its hold.
    `depends_on`: the labels of the upstreams.
    `rule`: the name of the rule that holds it; None if its action stays in progress.
    `next_check`: when the rule checks next. None without a rule, because CodePipeline decides then.
    `give_up`: the deadline, and `gives_up` when it takes effect: a rule's first check after it.
    `reason`: what the console shows at the gate action; "" if it shows nothing about the wait.
    `gates`: the gates that keep their actions in progress; empty if a rule holds the execution.
    `begins`: when each of these gates began to wait, by its stage and name, if its action tells.
    `fate`: whether the wait still stands. A rule can outlast its wait until the upstreams end.
    """

    pipeline: str
    execution: str
    mode: HoldMode
    depends_on: tuple[str, ...]
    since: datetime | None
    rule: str | None = None
    next_check: datetime | None = None
    give_up: datetime | None = None
    gives_up: datetime | None = None
    reason: str = ""
    gates: tuple[Gate, ...] = ()
    begins: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    fate: HoldFate = HELD

    @property
    def may_stand(self) -> bool:
        """Whether the execution still waits, or that is not known."""
        return self.fate.standing in (Standing.HELD, Standing.UNKNOWN)


@dataclass(frozen=True)
class HoldRule:
    """One of the gate's rules, as EventBridge stores it.

    `hold`: None if the rule has no target (`has_target`), or if the gate did not write it.
    `targets`: the ARNs that the rule invokes, by the targets' ids.
    """

    name: str
    schedule: str
    description: str
    has_target: bool
    hold: Hold | None
    enabled: bool = True
    targets: Mapping[str, str] = field(default_factory=dict)

    @property
    def made_at(self) -> datetime | None:
        """The minute in which it was made (aware UTC); None if its description does not say."""
        return read_date(self.description)

    def next_check(self, now: datetime) -> datetime | None:
        """Return when the rule fires next after `now` (aware UTC).

        None if the gate did not write the schedule.
        """
        schedule = Schedule.parse(self.schedule)
        return schedule.find_next(now) if schedule else None

    def build_wait(self, hold: Hold, now: datetime, fate: HoldFate, reason: str) -> Wait:
        """Return the wait that this rule keeps. `reason`: what the console shows at the gate."""
        return Wait(
            pipeline=hold.pipeline,
            execution=hold.execution,
            mode=hold.mode,
            depends_on=tuple(entry.label for entry in hold.depends_on),
            since=hold.since,
            rule=self.name,
            next_check=self.next_check(now),
            give_up=hold.give_up,
            gives_up=self.find_check_after(hold.give_up, now),
            reason=reason,
            fate=fate,
        )

    def find_check_after(self, moment: datetime | None, now: datetime) -> datetime | None:
        """Return the first check after `now` that is not before `moment`.

        If it is not known when the rule fires, return `moment`.
        """
        schedule = Schedule.parse(self.schedule)
        return schedule.find_check_after(moment, now) if schedule and moment else moment
