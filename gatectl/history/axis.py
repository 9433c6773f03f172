"""Time as columns of characters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.text import Text

_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160, 40320)
"""How far apart ticks may be."""
_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
"""A Monday: ticks of weeks fall on Mondays."""


@dataclass(frozen=True)
class Axis:
    """From `begin` to `end` (aware UTC) in `columns` characters."""

    begin: datetime
    end: datetime
    columns: int

    @property
    def step(self) -> timedelta:
        """What one column stands for: some time, even where there is none to show."""
        return max((self.end - self.begin) / self.columns, timedelta(milliseconds=1))

    def column(self, moment: datetime) -> int:
        """The column that shows `moment`; the nearest one where it lies outside."""
        return max(0, min(self.columns - 1, (moment - self.begin) // self.step))

    def ticks(self) -> Text:
        """A line of round times, each at its column: dates where they are days apart."""
        minutes = next(
            (one for one in _MINUTES if timedelta(minutes=one) >= self.step * 12), _MINUTES[-1]
        )
        apart = timedelta(minutes=minutes)
        form = (
            "%m-%d"
            if minutes >= 1440
            else "%H:%M"
            if self.end - self.begin < timedelta(days=1)
            else "%m-%d %H:%M"
        )
        line = ""
        tick = _EPOCH - (_EPOCH - self.begin) // apart * apart
        while tick < self.end:
            label = f"│{tick:{form}}"
            if self.column(tick) + len(label) <= self.columns:
                line = line.ljust(self.column(tick)) + label
            tick += apart
        return Text(line, style="dim")
