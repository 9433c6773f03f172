"""What delivery knows of a rule, and from when on: a change of a rule takes effect
`Dials.rule_warmup` after the call that made it.

So a new rule does not match yet, a changed one still has its old pattern, schedule and targets, and
a deleted one still fires (model: PutRule, RemoveTargets, DeleteRule, DisableRule: "Allow a short
period of time for changes to take effect").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sandbox.eventbridge.pattern import Matcher
from sandbox.eventbridge.schedule import find_next_time


@dataclass(frozen=True)
class RuleDefinition:
    """A rule as one call left it. `matches` is None without an event pattern; `counting_since` is
    when its rate began to count.
    """

    name: str
    arn: str
    matches: Matcher | None
    schedule: str | None
    enabled: bool
    targets: tuple[dict[str, Any], ...]
    counting_since: datetime


class Firing(NamedTuple):
    when: datetime
    rule: RuleDefinition


@dataclass
class Timeline:
    """One rule's definitions, each with the time (aware UTC) from which it is in force; None: there
    is no such rule.
    """

    settled: datetime
    """When the schedule fired last, at first when the rule was made: up to and including this time
    no firing is due.
    """
    changes: list[tuple[datetime, RuleDefinition | None]] = field(default_factory=list)

    @property
    def latest(self) -> RuleDefinition | None:
        return self.changes[-1][1] if self.changes else None

    def change(self, definition: RuleDefinition | None, effective: datetime) -> None:
        self.changes.append((effective, definition))

    def at(self, moment: datetime) -> RuleDefinition | None:
        """The definition in force at `moment`."""
        return next(
            (definition for effective, definition in reversed(self.changes) if effective <= moment),
            None,
        )

    def is_over(self, moment: datetime) -> bool:
        """Whether the rule is deleted, and the deletion in force."""
        return self.latest is None and all(effective <= moment for effective, _ in self.changes)

    def next_firing(self) -> Firing | None:
        """The schedule's next firing after `settled`, as far as is known now; None if there is
        none.
        """
        starts = {effective for effective, _ in self.changes if effective > self.settled}
        for start in (self.settled, *sorted(starts)):
            definition = self.at(start)
            if definition is None or not definition.enabled or definition.schedule is None:
                continue
            after = (
                start if start == self.settled else start - timedelta.resolution
            )  # a change in force at 12:07 fires at 12:07
            when = find_next_time(definition.schedule, after, definition.counting_since)
            if when is not None and self.at(when) is definition:
                return Firing(when, definition)
        return None

    def settle(self, moment: datetime) -> None:
        """All firings up to `moment` are done: forget what was in force before it."""
        self.settled = moment
        for index in range(len(self.changes) - 1, 0, -1):
            if self.changes[index][0] <= moment:
                del self.changes[:index]
                return
