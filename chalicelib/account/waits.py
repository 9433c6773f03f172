"""Who waits now: holds by a rule, and actions that are kept in progress."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.account.gates import Gate
from chalicelib.holds import rule
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import HoldMode

_SCHEDULE = re.compile(r"cron\((?P<first>\d+)(?:/(?P<every>\d+))? \* \* \* \? \*\)")
"""As hold.schedule writes it."""


@dataclass(frozen=True)
class Wait:
    """An execution that waits for others.

    `mode`: that of its `rule`, or of an action that stays in progress (`rule` None). `depends_on`: labels for people.
    `since` and `next_check` (None in place: CodePipeline asks when it likes) are aware UTC; so are
    `give_up`, the deadline, and `gives_up`, when it is seen: by a rule at its first look after
    that. `reason`: what the console shows at the gate action; "" where it shows nothing of it.
    `gates`: those that keep their actions in progress, of a wait in place.
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


@dataclass(frozen=True)
class HoldRule:
    """A rule of the gate's, as EventBridge keeps it. `hold`: None where its target is missing
    (`has_target`) or not the gate's own. `targets`: whom it invokes, ARNs by the targets' ids.

    `made`: the minute (aware UTC) in which it was made; None where its description does not tell.
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
        return rule.read_date(self.description)

    def next_check(self, now: datetime) -> datetime | None:
        """The schedule's first time after `now` (aware UTC); None where it is no schedule of the
        gate's.
        """
        schedule = _SCHEDULE.fullmatch(self.schedule)
        if not schedule:
            return None
        first, every = int(schedule["first"]), int(schedule["every"] or 60)
        minute = now.replace(second=0, microsecond=0)
        return minute + timedelta(minutes=(first - minute.minute - 1) % every + 1)

    def _first_look(self, at: datetime | None, now: datetime) -> datetime | None:
        """The first of its looks after `now` that is not before `at`."""
        first = self.next_check(now)
        second = self.next_check(first) if first else None
        if at is None or first is None or second is None:
            return at
        return rule.find_first_look(at, first, (second - first) // timedelta(minutes=1))

    def wait(self, now: datetime, reason: str = "") -> Wait | None:
        """The wait that this rule keeps, if it keeps one."""
        if self.hold is None:
            return None
        hold = self.hold
        return Wait(
            pipeline=hold.pipeline,
            execution=hold.execution,
            mode=hold.mode,
            depends_on=tuple(one.label for one in hold.depends_on),
            since=hold.since,
            rule=self.name,
            next_check=self.next_check(now),
            give_up=hold.give_up,
            gives_up=self._first_look(hold.give_up, now),
            reason=reason,
        )
