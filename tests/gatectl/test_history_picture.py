"""The picture and the words of `gatectl history`, on plain data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import cast

import pytest
from rich.console import Console

from chalicelib.pipelines.execution import Execution
from gatectl.history.axis import Axis
from gatectl.history.cautions import cautions
from gatectl.history.findings import find
from gatectl.history.labels import labels
from gatectl.history.overview import at_work, overview
from gatectl.history.reading import Past
from gatectl.history.report import Report
from gatectl.history.strips import drawn, worst
from gatectl.history.told import told
from gatectl.wording import lasting, share

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def ran(begin: float, end: float, status: str = "Succeeded") -> Execution:
    return Execution(f"{begin}-{end}", status, at(begin), at(end))


def past(name: str, executions: Sequence[Execution]) -> Past:
    return Past(
        name,
        name,
        f"arn:aws:codepipeline:eu-central-1:123456789012:{name}",
        "SUPERSEDED",
        NOON,
        (),
        tuple(executions),
    )


def report(k8s: Sequence[Execution], *, lasts: float, **upstreams: Sequence[Execution]) -> Report:
    """What is said of so many minutes from noon on."""
    others = tuple(past(name, those) for name, those in upstreams.items())
    return Report(
        past("k8s", k8s), others, NOON, at(lasts), find(k8s, upstreams, "SUPERSEDED", at(lasts)), ()
    )


def texts(lines: Sequence[object]) -> list[str]:
    return [str(line) for line in lines]


class TestTheWholeTime:
    def test_a_bar_is_as_high_as_its_pipeline_was_at_work(self) -> None:
        k8s = [ran(0, 1), ran(12, 14, "Failed"), ran(13, 17, "Failed"), ran(31, 39)]
        shown = texts(overview(report(k8s, lasts=40, infra=[ran(10, 20), ran(30, 35)]), 48))
        assert len(shown[0]) == 48
        infra, own, failed, held = (line[8:] for line in shown[:4])  # a column is a minute
        assert infra == " " * 10 + "█" * 10 + " " * 10 + "█" * 5 + " " * 5
        assert own == "█" + " " * 11 + "█████" + " " * 14 + "████████" + " "
        assert failed.rstrip() == " " * 12 + "11"
        assert held.rstrip() == " " * 12 + "11" + " " * 17 + "1"
        assert shown[4].rstrip() == " " * 8 + "│12:00         │12:15         │12:30"
        assert shown[5].startswith(
            "A column is 1 min. A full bar is 1 min of infra, 1 min of k8s at work."
        )

    def test_columns_that_are_less_busy_have_lower_bars(self) -> None:
        infra = [ran(0, 10), ran(10, 15), ran(20, 21)]
        assert texts(overview(report([], lasts=40, infra=infra), 18))[0] == "infra   ███▆ ▂    "

    def test_what_ran_side_by_side_counts_once(self) -> None:
        axis = Axis(NOON, at(20), 2)
        assert at_work([ran(-5, 5), ran(2, 6), ran(9, 12)], axis) == [
            timedelta(minutes=7),
            timedelta(minutes=2),
        ]

    def test_more_than_nine_are_a_plus(self) -> None:
        shown = texts(overview(report([ran(1, 2)] * 12, lasts=40, infra=[ran(0, 10)]), 18))
        assert shown[3] == "held    +".ljust(18)

    def test_long_names_are_shortened(self) -> None:
        shown = texts(overview(report([], lasts=40, **{"x" * 100: []}), 80))
        assert shown[0] == ("x" * 8 + "..." + "x" * 9).ljust(80)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("infra", "k8s"), ["infra", "k8s"]),
        (("infra", "team-platform-kubernetes-production"), ["infra", "team-pla...roduction"]),
        (
            ("team-platform-kubernetes-test", "team-platform-kubernetes-live"),
            ["team-pla...etes-test", "team-pla...etes-live"],
        ),
        (
            ("team-platform-kubernetes-production", "team-platform-k3s-production"),
            ["...kubernetes-pro...", "...k3s-production"],
        ),
        (("x" * 60 + "a" + "y" * 60, "x" * 60 + "b" + "y" * 60), ["x" * 8 + "..." + "y" * 9] * 2),
        (
            (
                "team-platform-kubernetes-first-eu-test",
                "team-platform-kubernetes-first-us-test",
                "team-platform-monitoring-first-eu-test",
            ),
            ["...kuber...t-eu-test", "...kuber...t-us-test", "...monit...t-eu-test"],
        ),
    ],
)
def test_names_are_shortened_to_what_tells_them_apart(
    names: tuple[str, ...], shown: list[str]
) -> None:
    assert labels(names, 80) == shown


class TestOneOverlap:
    INFRA = (ran(10, 40),)

    def test_what_was_and_what_would_have_been(self) -> None:
        """A column is a minute: infra works from 10 to 40; 15-20 is replaced by 25-31, which goes
        on at 40; 5-12 had begun before.
        """
        found = report(
            [ran(5, 12), ran(15, 20, "Failed"), ran(25, 31), ran(50, 60)],
            lasts=60,
            infra=self.INFRA,
        )
        (strip,) = worst(found)
        title, ids, *lines = texts(drawn(strip, found, 15 + 41))
        assert (
            title == "2026-01-05 12:10 to 12:40 UTC: 3 executions, 1 failed; 2 held, up to 25 min"
        )
        assert ids == "infra 10-40; k8s 5-12 15-20 25-31", "their short ids"
        assert [line[:15].rstrip() for line in lines] == ["infra", "k8s", "with the gate", "", ""]
        assert [line[15:].rstrip() for line in lines[:4]] == [
            "     " + "━" * 30 + "✔",
            "━" * 7 + "✔" + "  " + "━" * 5 + "✘" + "    " + "━" * 6 + "✔",
            "━" * 7 + "✔" + "  " + "░" * 25 + "»",
            " " * 20 + "░" * 15 + "▶" + "━" * 5,
        ]
        assert lines[4][15:] == " " * 10 + "│12:15         │12:30"

    def test_one_that_is_still_held(self) -> None:
        found = report([ran(25, 40, "InProgress")], lasts=40, infra=[ran(10, 40, "InProgress")])
        (strip,) = worst(found)
        _, _, infra, k8s, gated, _ = texts(drawn(strip, found, 15 + 31))
        assert infra[15:] == "━" * 30 + "●"
        assert k8s[15:] == " " * 15 + "━" * 15 + "●"
        assert gated[15:] == " " * 15 + "░" * 15 + "●"

    def test_what_takes_seconds_is_told_in_seconds(self) -> None:
        found = report([ran(10.25, 11)], lasts=60, infra=[ran(10, 10.75)])
        title, *_ = texts(drawn(worst(found)[0], found, 80))
        assert title.startswith("2026-01-05 12:10:00 to 12:10:45 UTC: 1 execution")

    def test_of_many_ids_as_many_are_named_as_there_is_room_for(self) -> None:
        found = report([ran(20 + minute, 39) for minute in range(12)], lasts=60, infra=self.INFRA)
        _, ids, *_ = texts(drawn(worst(found)[0], found, 60))
        assert ids == "infra 10-40; k8s 20-39 21-39 22-39 23-39 24-39 and 7 more"

    def test_many_side_by_side_are_counted(self) -> None:
        found = report(
            [ran(10 + minute, 30 + minute) for minute in range(6)], lasts=60, infra=self.INFRA
        )
        (strip,) = worst(found)
        lines = texts(drawn(strip, found, 80))
        assert sum("and 2 lines more" in line for line in lines) == 2

    @pytest.mark.parametrize("width", [80, 120])
    def test_no_line_is_wider_than_the_terminal(self, width: int) -> None:
        found = report(
            [ran(5, 300), ran(15, 20), ran(39.9, 500)],
            lasts=600,
            infra=self.INFRA,
            network=[ran(38, 300)],
        )
        (strip,) = worst(found)
        shown = texts(
            [*overview(found, width)[:-1], *drawn(strip, found, width)]
        )  # the last one is text, which wraps
        assert max(map(len, shown)) <= width
        assert len(shown[0]) == width

    def test_the_worst_come_first(self) -> None:
        """Most failed; then those that the gate would have held longest. Three are shown."""
        infra = [ran(begin, begin + 30) for begin in (0, 100, 200, 300)]
        k8s = [
            ran(20, 25),
            ran(105, 110),
            ran(225, 230, "Failed"),
            ran(310, 312, "Failed"),
            ran(315, 317, "Failed"),
        ]
        strips = worst(report(k8s, lasts=400, infra=infra))
        assert [(one.span.begin - NOON).total_seconds() / 60 for one in strips] == [300, 200, 100]

    def test_each_shows_its_own_time(self) -> None:
        """The one that is held until 10 goes on into infra's next run, where it is not held
        again.
        """
        infra = [ran(0, 10), ran(20, 30), ran(50, 60)]
        found = report([ran(5, 25)], lasts=60, infra=infra)
        first, second = worst(found)
        assert ([len(one.held) for one in (first, second)], second.span.begin) == ([1, 0], at(20))
        _, _, ran_then, _, gated, _ = texts(drawn(second, found, 15 + 26))
        assert ran_then[15:] == " " * 15 + "━" * 10 + "✔"
        assert gated[15:] == "░" * 5 + "▶" + "━" * 20

    def test_without_an_overlap_there_is_none(self) -> None:
        assert worst(report([ran(0, 5)], lasts=60, infra=self.INFRA)) == []


@pytest.mark.parametrize(("overlapping", "few"), [(1, True), (9, True), (10, False)])
def test_few_overlaps_prove_little(overlapping: int, few: bool) -> None:
    k8s = [ran(10 + minute, 30, "Failed") for minute in range(overlapping)]
    found = report(k8s, lasts=60, infra=[ran(0, 40)])
    said = cautions(found.pipeline, found.upstreams, NOON, at(60), found.findings)
    assert any("the share may be chance" in one for one in said) == few


def words(found: Report) -> str:
    console = Console(width=120, file=StringIO())
    console.print(told(found, 120))
    return " ".join(cast(StringIO, console.file).getvalue().split())


class TestWhatIsSaid:
    INFRA = (ran(10, 40),)

    def test_of_one_that_would_have_been_held(self) -> None:
        said = words(report([ran(0, 5), ran(20, 25, "Failed")], lasts=60, infra=self.INFRA))
        assert (
            "k8s ran 2 times, 1 of them while infra ran: of these 100 % failed, of the others 0 %."
            in said
        )
        assert "A gate that requires idle would have held one of them, for 20 min." in said
        assert "No result" not in said

    def test_of_several_upstreams(self) -> None:
        said = words(report([ran(0, 5), ran(20, 25)], lasts=60, infra=self.INFRA, network=[]))
        assert said.startswith(
            "k8s behind infra and network, 2026-01-05 to 2026-01-05 (1 h) k8s ran 2 times, 1 of "
            "them while an upstream ran"
        )

    def test_where_none_came_to_a_result_there_is_no_share(self) -> None:
        said = words(report([ran(0, 5), ran(20, 25, "Superseded")], lasts=60, infra=self.INFRA))
        assert "k8s ran 2 times, 1 of them while infra ran. A gate" in said
        assert "while infra ran 1 1 - " in said
        assert "No result: superseded, cancelled or still at work." in said

    def test_where_none_would_have_been_held_nothing_becomes_of_them(self) -> None:
        said = words(report([ran(50, 55)], lasts=60, infra=self.INFRA))
        assert (
            "k8s ran once, never while infra ran. A gate that requires idle would have held none."
            in said
        )
        assert "What becomes of those" not in said


@pytest.mark.parametrize(
    ("begin", "minutes", "columns", "line"),
    [
        (0, 60, 60, "│12:00         │12:15         │12:30         │12:45"),
        (7, 60, 60, "        │12:15         │12:30         │12:45         │13:00"),
        (0, 60 * 24 * 30, 60, " " * 13 + "│01-12        │01-19        │01-26"),
        (0, 60 * 23, 40, "│12:00              │00:00"),
        (0, 60 * 24, 40, "│01-05 12:00        │01-06 00:00"),
    ],
)
def test_ticks_are_round_times(begin: float, minutes: float, columns: int, line: str) -> None:
    assert Axis(at(begin), at(begin + minutes), columns).ticks().plain == line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.3, "under 1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (89, "1 min"),
        (3569, "59 min"),
        (3570, "1 h"),
        (5 * 3600 + 12 * 60, "5 h 12 min"),
        (86399, "1 d"),
        (26 * 3600, "1 d 2 h"),
        (90 * 86400, "90 d"),
    ],
)
def test_how_long(seconds: float, words: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 3, "33 %"),
        (1, 1000, "1 %"),
        (999, 1000, "99 %"),
        (0, 0, "-"),
    ],
)
def test_a_share_is_nothing_or_everything_only_where_it_is(
    part: int, whole: int, words: str
) -> None:
    assert share(part, whole) == words
