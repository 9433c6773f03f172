"""Who waits now: holds by a rule, and actions that are kept in progress."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.account.gates import Gate
from chalicelib.holds.fate import HELD, HoldFate, Standing
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import HoldMode
from chalicelib.holds.rule import find_first_look, read_date

_SCHEDULE = re.compile(r"cron\((?P<first>\d+)(?:/(?P<every>\d+))? \* \* \* \? \*\)")
"""As hold.schedule writes it."""


@dataclass(frozen=True)
class Wait:
    """An execution that waits for others.

    `mode`: that of its `rule`, or of an action that stays in progress (`rule` None). `depends_on`: labels for people.
    `since` and `next_check` (None in place: CodePipeline asks when it likes) are aware UTC; so are
    `give_up`, the deadline, and `gives_up`, when it is seen: by a rule at its first look after
    that. `reason`: what the console shows at the gate action; "" where it shows nothing of it.
    `gates`: those that keep their actions in progress, of a wait in place. `fate`: whether it still
    stands; a rule outlives a wait that was made needless, until the upstreams have ended.
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
    fate: HoldFate = HELD

    @property
    def may_stand(self) -> bool:
        """Whether somebody waits, as far as is known."""
        return self.fate.standing in (Standing.HELD, Standing.UNKNOWN)


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
        return read_date(self.description)

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
        """Return the first of its looks after `now` that is not before `moment`."""
        first = self.next_check(now)
        second = self.next_check(first) if first else None
        if moment is None or first is None or second is None:
            return moment
        return find_first_look(moment, first, (second - first) // timedelta(minutes=1))
