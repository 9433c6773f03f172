"""Which schedule expressions there are, and when they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.eventbridge.schedule import WEEKDAYS, ScheduleError, find_next_time

MONDAY_NOON = datetime(2026, 11, 23, 12, 2, 30, tzinfo=UTC)


def firings(expression: str) -> str:
    """The next three times after MONDAY_NOON."""
    times: list[datetime] = []
    while len(times) < 3 and (
        moment := find_next_time(expression, times[-1] if times else MONDAY_NOON, since=MONDAY_NOON)
    ):
        times.append(moment)
    return ", ".join(f"{moment:%a %y-%m-%d %H:%M}" for moment in times)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(2/5 * * * ? *)", "Mon 26-11-23 12:07, Mon 26-11-23 12:12, Mon 26-11-23 12:17"),
        ("cron(2 * * * ? *)", "Mon 26-11-23 13:02, Mon 26-11-23 14:02, Mon 26-11-23 15:02"),
        ("cron(*/30 12-13 * * ? *)", "Mon 26-11-23 12:30, Mon 26-11-23 13:00, Mon 26-11-23 13:30"),
        ("cron(10-20/5 12 * * ? *)", "Mon 26-11-23 12:10, Mon 26-11-23 12:15, Mon 26-11-23 12:20"),
        ("cron(0 18 ? * MON-FRI *)", "Mon 26-11-23 18:00, Tue 26-11-24 18:00, Wed 26-11-25 18:00"),
        ("cron(0 18 ? * 1,7 *)", "Sat 26-11-28 18:00, Sun 26-11-29 18:00, Sat 26-12-05 18:00"),
        ("cron(0 0 ? * L *)", "Sat 26-11-28 00:00, Sat 26-12-05 00:00, Sat 26-12-12 00:00"),
        ("cron(0 0 ? * 6L *)", "Fri 26-11-27 00:00, Fri 26-12-25 00:00, Fri 27-01-29 00:00"),
        ("cron(0 0 ? * 3#2 *)", "Tue 26-12-08 00:00, Tue 27-01-12 00:00, Tue 27-02-09 00:00"),
        ("cron(0 0 ? * tue#2 *)", "Tue 26-12-08 00:00, Tue 27-01-12 00:00, Tue 27-02-09 00:00"),
        ("cron(0 0 L * ? *)", "Mon 26-11-30 00:00, Thu 26-12-31 00:00, Sun 27-01-31 00:00"),
        ("cron(0 0 LW * ? *)", "Mon 26-11-30 00:00, Thu 26-12-31 00:00, Fri 27-01-29 00:00"),
        ("cron(0 0 1W * ? *)", "Tue 26-12-01 00:00, Fri 27-01-01 00:00, Mon 27-02-01 00:00"),
        ("cron(0 0 1W MAY ? *)", "Mon 27-05-03 00:00, Mon 28-05-01 00:00, Tue 29-05-01 00:00"),
        ("cron(0 0 31W 1,2,10 ? *)", "Fri 27-01-29 00:00, Fri 27-10-29 00:00, Mon 28-01-31 00:00"),
        ("cron(0,3 12 23W 11 ? *)", "Mon 26-11-23 12:03, Tue 27-11-23 12:00, Tue 27-11-23 12:03"),
        ("cron(0 0 29 FEB ? *)", "Tue 28-02-29 00:00, Sun 32-02-29 00:00, Fri 36-02-29 00:00"),
        ("cron(0 0 1 1 ? 2027/2)", "Fri 27-01-01 00:00, Mon 29-01-01 00:00, Wed 31-01-01 00:00"),
        ("cron(0 0 1 1 ? 2020-2027)", "Fri 27-01-01 00:00"),
        ("cron(0 0 1 1 ? 2199)", "Tue 99-01-01 00:00"),
        ("cron(0 0 1 1 ? 2020)", ""),
        ("cron(0 0 30 2 ? *)", ""),
        ("rate(1 minute)", "Mon 26-11-23 12:03, Mon 26-11-23 12:04, Mon 26-11-23 12:05"),
        ("rate(5 minutes)", "Mon 26-11-23 12:07, Mon 26-11-23 12:12, Mon 26-11-23 12:17"),
        ("rate(1 day)", "Tue 26-11-24 12:02, Wed 26-11-25 12:02, Thu 26-11-26 12:02"),
        ("rate(999999999 days)", ""),
    ],
)
def test_times(expression: str, expected: str) -> None:
    assert firings(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "cron(hello)",
        "cron(* * * * *)",
        "cron(* * * * ? * *)",
        "cron(* * * * * *)",  # neither day field is "?"
        "cron(* * ? * ? *)",  # both are
        "cron(0 9 * * MON-FRI *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * 32 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 0 *)",  # SUN is 1
        "cron(* * ? * 8 *)",
        "cron(* * * * ? 1969)",
        "cron(* * * * ? 2200)",
        "cron(0/0 * * * ? *)",
        "cron(0/60 * * * ? *)",
        "cron(-5 * * * ? *)",
        "cron(30-10 * * * ? *)",
        "cron(5, * * * ? *)",
        "cron(? * * * ? *)",
        "cron(FOO * * * ? *)",
        "cron(* * ? * 3#6 *)",
        "cron(* * ? * 3#1,6#3 *)",
        "cron(* * 3W,4W * ? *)",
        "cron(* * 32W * ? *)",
        "cron(* * ? * 3W *)",
        "cron(* * 3#1 * ? *)",
        "cron(2/5 * * * ? *",
        "CRON(2/5 * * * ? *)",
        "2/5 * * * ? *",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(1.5 hours)",
        "rate(30 seconds)",
        "rate(5minutes)",
        "rate(5 minutes) ",
        "at(2026-11-23T12:00:00)",
        "",
    ],
)
def test_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match=r"^Parameter ScheduleExpression is not valid\.$"):
        find_next_time(expression, MONDAY_NOON)


def test_a_time_is_later_than_the_moment_itself() -> None:
    on_the_minute = MONDAY_NOON.replace(second=0)
    for start, expected in (
        (on_the_minute, on_the_minute + timedelta(minutes=5)),
        (on_the_minute - timedelta(microseconds=1), on_the_minute),
    ):
        assert find_next_time("cron(2/5 * * * ? *)", start) == expected


def numbers(low: int, high: int) -> st.SearchStrategy[tuple[str, set[int]]]:
    """A field's text with the numbers that it means."""
    number = st.integers(low, high)
    ranges = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just(("*", set(range(low, high + 1)))),
        number.map(lambda n: (str(n), {n})),
        st.lists(number, min_size=1, max_size=4).map(lambda ns: (",".join(map(str, ns)), set(ns))),
        ranges.map(lambda r: (f"{r[0]}-{r[1]}", set(range(r[0], r[1] + 1)))),
        st.tuples(number, st.integers(1, high)).map(
            lambda t: (f"{t[0]}/{t[1]}", set(range(t[0], high + 1, t[1])))
        ),
        st.integers(1, high).map(lambda step: (f"*/{step}", set(range(low, high + 1, step)))),
        st.tuples(ranges, st.integers(1, high)).map(
            lambda t: (f"{t[0][0]}-{t[0][1]}/{t[1]}", set(range(t[0][0], t[0][1] + 1, t[1])))
        ),
    )


weekdays = st.one_of(
    st.sets(st.integers(1, 7), min_size=1).map(lambda days: (",".join(map(str, days)), days)),
    st.sets(st.integers(1, 7), min_size=1).map(
        lambda days: (",".join(WEEKDAYS[day - 1] for day in days), days)
    ),
    st.tuples(st.integers(1, 7), st.integers(1, 7))
    .map(sorted)
    .map(lambda r: (f"{r[0]}-{r[1]}", set(range(r[0], r[1] + 1)))),
)


@given(
    minutes=numbers(0, 59),
    hours=numbers(0, 23),
    days=numbers(1, 31),
    on_weekdays=st.none() | weekdays,
    start=st.datetimes(
        datetime(2023, 12, 20),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2028, 3, 5),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
def test_agrees_with_looking_at_every_minute(
    minutes: tuple[str, set[int]],
    hours: tuple[str, set[int]],
    days: tuple[str, set[int]],
    on_weekdays: tuple[str, set[int]] | None,
    start: datetime,
) -> None:
    day_fields = f"{days[0]} * ?" if on_weekdays is None else f"? * {on_weekdays[0]}"

    def matches(moment: datetime) -> bool:
        weekday = moment.isoweekday() % 7 + 1  # SUN is 1
        day_matches = moment.day in days[1] if on_weekdays is None else weekday in on_weekdays[1]
        return day_matches and moment.hour in hours[1] and moment.minute in minutes[1]

    first = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    week = (first + timedelta(minutes=n) for n in range(8 * 24 * 60))
    expected = next(filter(matches, week), None)
    time = find_next_time(f"cron({minutes[0]} {hours[0]} {day_fields} *)", start)
    if expected is not None:
        assert time == expected
    else:
        assert time is None or time >= first + timedelta(days=8)
