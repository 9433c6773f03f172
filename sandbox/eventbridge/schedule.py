"""When a rule's schedule fires: cron(...) and rate(...) as EventBridge reads them (guide:
eb-scheduled-rule-pattern).

cronsim finds the times. This module adds what AWS reads in its own way: the year as a sixth field,
weekdays 1-7 = SUN-SAT, "?" in exactly one of the two day fields, the weekday nearest to a day (3W),
and which expressions are refused.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIRST_YEAR, LAST_YEAR = 1970, 2199
SATURDAY = 7
ONE_SECOND = timedelta(seconds=1)


class ScheduleError(ValueError):
    """An expression that AWS refuses."""

    def __init__(self) -> None:
        # AWS's own words, whatever is wrong.
        super().__init__("Parameter ScheduleExpression is not valid.")


@dataclass(frozen=True)
class Cron:
    """A cron expression. The text fields are in cronsim's syntax; it has none for the others."""

    minutes: str
    hours: str
    days: str
    nearest_to_day: int | None
    """The W of "3W": the weekday nearest to this day of the month."""
    months: tuple[int, ...]
    weekdays: str
    years: tuple[int, ...]

    def find_next_time(self, moment: datetime) -> datetime | None:
        return (
            self._next_listed(moment)
            if self.nearest_to_day is None
            else self._next_nearest(moment, self.nearest_to_day)
        )

    def _next_listed(self, moment: datetime) -> datetime | None:
        months = ",".join(map(str, self.months))
        expression = f"{self.minutes} {self.hours} {self.days} {months} {self.weekdays}"
        while (time := _find_next(expression, moment)) is not None:
            if time.year in self.years:
                return time
            later_years = [year for year in self.years if year > time.year]
            if not later_years:
                return None
            moment = datetime(later_years[0], 1, 1, tzinfo=UTC) - ONE_SECOND
        return None

    def _next_nearest(self, moment: datetime, day: int) -> datetime | None:
        for year in (year for year in self.years if year >= moment.year):
            for month in self.months:
                date = _find_nearest_weekday(year, month, day)
                if date is None or date + timedelta(days=1) <= moment:
                    continue
                expression = f"{self.minutes} {self.hours} {date.day} {month} *"
                time = _find_next(expression, max(moment, date - ONE_SECOND))
                if time is not None and time < date + timedelta(days=1):
                    return time
        return None


@dataclass(frozen=True)
class Rate:
    period: timedelta

    def find_next_time(self, moment: datetime, since: datetime) -> datetime | None:
        periods_so_far = max((moment - since) // self.period, 0)
        try:
            return since + self.period * (periods_so_far + 1)
        except OverflowError:  # a period of thousands of years is accepted, and never ends
            return None


def find_next_time(
    expression: str, moment: datetime, since: datetime | None = None
) -> datetime | None:
    """The first time of `expression` after `moment`; None if there is none before the year 2200.

    `moment`: aware UTC. `since` (aware UTC, default `moment`) is when a rate began to count, which
    is when the rule was made (guide). ScheduleError if AWS refuses the expression.
    """
    schedule = parse_schedule(expression)
    return (
        schedule.find_next_time(moment, since or moment)
        if isinstance(schedule, Rate)
        else schedule.find_next_time(moment)
    )


@lru_cache(maxsize=1024)
def parse_schedule(expression: str) -> Cron | Rate:
    """The schedule that `expression` describes. ScheduleError if AWS refuses it."""
    if rate := re.fullmatch(r"rate\(([0-9]+) (minute|hour|day)(s?)\)", expression):
        return _parse_rate(int(rate[1]), rate[2], plural=bool(rate[3]))
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        return _parse_cron(cron[1].upper().split())
    raise ScheduleError


def _parse_rate(number: int, unit: str, *, plural: bool) -> Rate:
    # "if the value is equal to 1, then the unit must be singular. If the value is greater than 1,
    # the unit must be plural" (guide).
    if number < 1 or plural != (number > 1):
        raise ScheduleError
    try:
        return Rate(number * timedelta(**{f"{unit}s": 1}))
    except OverflowError:
        return Rate(timedelta.max)


def _parse_cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise ScheduleError
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ScheduleError
    nearest = re.fullmatch(r"([0-9]{1,2})W", days)
    return Cron(
        minutes=_join_numbers(_parse_values(minutes, 0, 59)),
        hours=_join_numbers(_parse_values(hours, 0, 23)),
        days="*" if nearest else _parse_days(days),
        nearest_to_day=_parse_number(nearest[1], 1, 31) if nearest else None,
        months=_parse_values(months, 1, 12, MONTHS),
        weekdays=_parse_weekdays(weekdays),
        years=_parse_values(years, FIRST_YEAR, LAST_YEAR),
    )


def _parse_days(field: str) -> str:
    if field == "?":
        return "*"
    # LW, the month's last weekday, is not an example of the guide, but both letters are
    # wildcards of this field.
    return field if field in {"L", "LW"} else _join_numbers(_parse_values(field, 1, 31))


def _parse_weekdays(field: str) -> str:
    """For cronsim, which counts from 0 = SUN. AWS's table has no "/" for this field, and one "#"
    only, not a list (guide).
    """
    if field == "?":
        return "*"
    if field == "L":  # "the last day of the month or week"
        return str(SATURDAY - 1)
    if last := re.fullmatch(r"(\w+)L", field):
        return f"{_parse_number(last[1], 1, 7, WEEKDAYS) - 1}L"
    if nth := re.fullmatch(r"(\w+)#([1-5])", field):
        return f"{_parse_number(nth[1], 1, 7, WEEKDAYS) - 1}#{nth[2]}"
    if "/" in field:
        raise ScheduleError
    return _join_numbers(tuple(day - 1 for day in _parse_values(field, 1, 7, WEEKDAYS)))


def _parse_values(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    """The numbers that a field of lists, ranges and steps stands for, in order."""
    numbers: set[int] = set()
    for item in field.split(","):
        parts = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/([0-9]+))?", item)
        if parts is None:
            raise ScheduleError
        start, end, step = parts.groups()
        if start == "*":
            if end or field != item:
                raise ScheduleError
            first, last = low, high
        else:
            first = _parse_number(start, low, high, names)
            last = _parse_number(end, low, high, names) if end else high if step else first
        if first > last or not 1 <= int(step or 1) <= high:
            raise ScheduleError
        numbers.update(range(first, last + 1, int(step or 1)))
    return tuple(sorted(numbers))


def _parse_number(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> int:
    number = (
        names.index(text) + 1
        if text in names
        else int(text)
        if re.fullmatch(r"[0-9]{1,4}", text)
        else -1
    )
    if not low <= number <= high:
        raise ScheduleError
    return number


def _join_numbers(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))


def _find_next(cronsim_expression: str, moment: datetime) -> datetime | None:
    try:
        return next(CronSim(cronsim_expression, moment), None)
    except CronSimError:
        # All fields are in range, so it is a day that none of the months has, such as 30 FEB.
        return None


def _find_nearest_weekday(year: int, month: int, day: int) -> datetime | None:
    """The start of the weekday nearest to a day, in the same month; None if the month has no such
    day.
    """
    if day > calendar.monthrange(year, month)[1]:
        return None
    date = datetime(year, month, day, tzinfo=UTC)
    steps = {calendar.SATURDAY: (-1, 2), calendar.SUNDAY: (1, -2)}.get(date.weekday(), (0,))
    return next(
        near for near in (date + timedelta(days=step) for step in steps) if near.month == month
    )
