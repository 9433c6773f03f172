"""When a rule's schedule fires: cron(...) and rate(...) as EventBridge reads them (guide:
eb-scheduled-rule-pattern).

cronsim finds the times. Here stands what AWS reads in its own way: the year as a sixth field,
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
JUST_BEFORE = timedelta(seconds=1)


class ScheduleError(ValueError):
    """An expression that AWS refuses."""

    def __init__(self) -> None:
        super().__init__(
            "Parameter ScheduleExpression is not valid."
        )  # AWS's own words, whatever is wrong


@dataclass(frozen=True)
class Cron:
    """A cron expression in cronsim's terms; the fields are text for cronsim, save where it has
    none.
    """

    minutes: str
    hours: str
    days: str
    nearest_to_day: int | None
    """The W of "3W": the weekday nearest to this day of the month."""
    months: tuple[int, ...]
    weekdays: str
    years: tuple[int, ...]

    def next_after(self, moment: datetime) -> datetime | None:
        return (
            self._next_listed(moment)
            if self.nearest_to_day is None
            else self._next_nearest(moment, self.nearest_to_day)
        )

    def _next_listed(self, moment: datetime) -> datetime | None:
        months = ",".join(map(str, self.months))
        while (
            found := _next(
                f"{self.minutes} {self.hours} {self.days} {months} {self.weekdays}", moment
            )
        ) is not None:
            if found.year in self.years:
                return found
            later_years = [year for year in self.years if year > found.year]
            if not later_years:
                return None
            moment = datetime(later_years[0], 1, 1, tzinfo=UTC) - JUST_BEFORE
        return None

    def _next_nearest(self, moment: datetime, day: int) -> datetime | None:
        for year in (year for year in self.years if year >= moment.year):
            for month in self.months:
                date = _nearest_weekday(year, month, day)
                if date is None or date + timedelta(days=1) <= moment:
                    continue
                found = _next(
                    f"{self.minutes} {self.hours} {date.day} {month} *",
                    max(moment, date - JUST_BEFORE),
                )
                if found is not None and found < date + timedelta(days=1):
                    return found
        return None


@dataclass(frozen=True)
class Rate:
    period: timedelta

    def next_after(self, moment: datetime, since: datetime) -> datetime | None:
        periods_so_far = max((moment - since) // self.period, 0)
        try:
            return since + self.period * (periods_so_far + 1)
        except OverflowError:  # a period of thousands of years is accepted, and never over
            return None


def next_after(expression: str, moment: datetime, since: datetime | None = None) -> datetime | None:
    """The first time of `expression` that is later than `moment`; None where there is none before
    the year 2200.

    `moment`: aware UTC. `since` (aware UTC, default `moment`) is when a rate began to count: it
    does so when the rule is made (guide). ScheduleError where AWS refuses the expression.
    """
    schedule = parse(expression)
    return (
        schedule.next_after(moment, since or moment)
        if isinstance(schedule, Rate)
        else schedule.next_after(moment)
    )


@lru_cache(maxsize=1024)
def parse(expression: str) -> Cron | Rate:
    """What `expression` means; ScheduleError where AWS refuses it."""
    if rate := re.fullmatch(r"rate\(([0-9]+) (minute|hour|day)(s?)\)", expression):
        return _rate(int(rate[1]), rate[2], plural=bool(rate[3]))
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        return _cron(cron[1].upper().split())
    raise ScheduleError


def _rate(number: int, unit: str, *, plural: bool) -> Rate:
    # "if the value is equal to 1, then the unit must be singular. If the value is greater than 1,
    # the unit must be plural" (guide).
    if number < 1 or plural != (number > 1):
        raise ScheduleError
    try:
        return Rate(
            number
            * {
                "minute": timedelta(minutes=1),
                "hour": timedelta(hours=1),
                "day": timedelta(days=1),
            }[unit]
        )
    except OverflowError:
        return Rate(timedelta.max)


def _cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise ScheduleError
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ScheduleError
    nearest = re.fullmatch(r"([0-9]{1,2})W", days)
    return Cron(
        minutes=_text(_values(minutes, 0, 59)),
        hours=_text(_values(hours, 0, 23)),
        days="*" if nearest else _days(days),
        nearest_to_day=_number(nearest[1], 1, 31) if nearest else None,
        months=_values(months, 1, 12, MONTHS),
        weekdays=_weekdays(weekdays),
        years=_values(years, FIRST_YEAR, LAST_YEAR),
    )


def _days(field: str) -> str:
    if field == "?":
        return "*"
    # LW, the month's last weekday, is no example of the guide, but both its letters are wildcards
    # of this field.
    return field if field in {"L", "LW"} else _text(_values(field, 1, 31))


def _weekdays(field: str) -> str:
    """For cronsim, which counts from 0 = SUN. AWS's table has no "/" for this field, and one "#"
    only, not a list (guide).
    """
    if field == "?":
        return "*"
    if field == "L":  # "the last day of the month or week"
        return str(SATURDAY - 1)
    if last := re.fullmatch(r"(\w+)L", field):
        return f"{_number(last[1], 1, 7, WEEKDAYS) - 1}L"
    if nth := re.fullmatch(r"(\w+)#([1-5])", field):
        return f"{_number(nth[1], 1, 7, WEEKDAYS) - 1}#{nth[2]}"
    if "/" in field:
        raise ScheduleError
    return _text(tuple(day - 1 for day in _values(field, 1, 7, WEEKDAYS)))


def _values(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    """The numbers that a field of lists, ranges and steps stands for, in order."""
    found: set[int] = set()
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
            first = _number(start, low, high, names)
            last = _number(end, low, high, names) if end else high if step else first
        if first > last or not 1 <= int(step or 1) <= high:
            raise ScheduleError
        found.update(range(first, last + 1, int(step or 1)))
    return tuple(sorted(found))


def _number(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> int:
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


def _text(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))


def _next(cronsim_expression: str, moment: datetime) -> datetime | None:
    try:
        return next(CronSim(cronsim_expression, moment), None)
    except (
        CronSimError
    ):  # of fields that are in range this is left: a day that none of the months has, 30 FEB
        return None


def _nearest_weekday(year: int, month: int, day: int) -> datetime | None:
    """The start of the weekday nearest to a day, never in another month; None where the month has
    no such day.
    """
    if day > calendar.monthrange(year, month)[1]:
        return None
    date = datetime(year, month, day, tzinfo=UTC)
    steps = {calendar.SATURDAY: (-1, 2), calendar.SUNDAY: (1, -2)}.get(date.weekday(), (0,))
    return next(
        near for near in (date + timedelta(days=step) for step in steps) if near.month == month
    )
