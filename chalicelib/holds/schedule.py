"""The schedule of a hold's rule: when the retry checks the hold, whatever events arrive."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

_EXPRESSION = re.compile(r"cron\((?P<first>\d{1,2})(?:/(?P<every>\d{1,2}))? \* \* \* \? \*\)")


@dataclass(frozen=True)
class Schedule:
    """Fires in the minute `first_minute` of each hour, and every `every_minutes` after that.

    That is a divisor of 60, so that the distance is the same across the hour.
    """

    first_minute: int
    every_minutes: int

    @classmethod
    def begin(cls, now: datetime, every_minutes: int) -> Self:
        """Return the schedule that fires first `every_minutes` after the minute of `now`."""
        return cls(now.minute % every_minutes, every_minutes)

    @classmethod
    def parse(cls, expression: object) -> Self | None:
        """Read a schedule expression of a rule; None if the gate did not write it."""
        fields = _EXPRESSION.fullmatch(expression) if isinstance(expression, str) else None
        if fields is None:
            return None
        first, every = int(fields["first"]), int(fields["every"] or 60)
        return cls(first, every) if first < 60 and every and 60 % every == 0 else None

    @property
    def expression(self) -> str:
        """The cron expression: minute, hour, day of month, month, day of week and year, in UTC
        (guide: eb-scheduled-rule-pattern).
        """
        every = "" if self.every_minutes == 60 else f"/{self.every_minutes}"
        return f"cron({self.first_minute}{every} * * * ? *)"

    def fires_in_minute_of(self, moment: datetime) -> bool:
        return (moment.minute - self.first_minute) % self.every_minutes == 0

    def find_next(self, moment: datetime) -> datetime:
        """Return when it fires first after the minute of `moment` (aware UTC)."""
        minute = moment.replace(second=0, microsecond=0)
        distance = (self.first_minute - minute.minute - 1) % self.every_minutes + 1
        return minute + timedelta(minutes=distance)

    def find_check_after(self, deadline: datetime, now: datetime) -> datetime:
        """Return the first firing after `now` that is not before `deadline`: when that takes effect
        (aware UTC).
        """
        first, interval = self.find_next(now), timedelta(minutes=self.every_minutes)
        return first + math.ceil(max(timedelta(), deadline - first) / interval) * interval
