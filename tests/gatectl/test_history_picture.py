"""Tests of the picture and the sentences of `gatectl history`, on plain data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from chalicelib.pipelines.execution import Execution
from gatectl.history.picture import (
    Axis,
    draw_overview,
    draw_picture,
    draw_strip,
    find_strips,
    measure_work,
    shorten_names,
)
from gatectl.history.replay import replay_executions
from gatectl.history.report import PipelinePast, Report
from gatectl.history.texts import list_cautions, write_figures, write_notes
from gatectl.wording import format_duration, format_share
from tests.support.executions import NOON, at, ran

INFRA = (ran(10, 40),)


def build_report(
    k8s: Sequence[Execution], *, lasts: float, name: str = "k8s", **upstreams: Sequence[Execution]
) -> Report:
    """Return a report on `lasts` minutes from noon, on pipelines that were created at noon."""
    pasts = [
        PipelinePast(
            name=pipeline,
            label=pipeline,
            arn=f"arn:aws:codepipeline:eu-central-1:123456789012:{pipeline}",
            mode="SUPERSEDED",
            created=NOON,
            executions=tuple(executions),
        )
        for pipeline, executions in {name: k8s, **upstreams}.items()
    ]
    replay = replay_executions(k8s, upstreams, "SUPERSEDED", at(lasts))
    return Report(
        pipeline=pasts[0],
        upstreams=tuple(pasts[1:]),
        since=NOON,
        now=at(lasts),
        replay=replay,
        cautions=tuple(list_cautions(pasts[0], pasts[1:], NOON, at(lasts), replay)),
    )


def to_texts(lines: Sequence[object]) -> list[str]:
    return [str(line) for line in lines]


def draw_worst(report: Report, width: int) -> list[str]:
    return to_texts(draw_strip(find_strips(report)[0], report, width))


def print_report(report: Report, width: int = 120) -> str:
    """Return what comes before and after the picture."""
    console = Console(width=width, file=StringIO())
    with console.capture() as capture:
        console.print(*write_figures(report, width), *write_notes(report), sep="\n")
    return capture.get()


def read_words(report: Report) -> str:
    return " ".join(print_report(report).split())


class TestTheWholeTime:
    def draw(self, k8s: Sequence[Execution], width: int, **upstreams: Any) -> list[str]:
        return to_texts(draw_overview(build_report(k8s, lasts=40, **upstreams), width))

    def test_the_height_of_a_bar_is_how_long_its_pipeline_ran(self) -> None:
        runs = [ran(0, 1), ran(12, 14, "Failed"), ran(13, 17, "Failed"), ran(31, 39)]
        shown = self.draw(runs, 48, infra=[ran(10, 20), ran(30, 35)])
        assert len(shown[0]) == 48
        infra, k8s, failed, held = (line[8:] for line in shown[:4])  # a column is a minute
        assert infra == " " * 10 + "█" * 10 + " " * 10 + "█" * 5 + " " * 5
        assert k8s == "█" + " " * 11 + "█████" + " " * 14 + "████████" + " "
        assert failed.rstrip() == " " * 12 + "11"
        assert held.rstrip() == " " * 12 + "11" + " " * 17 + "1"
        assert shown[4].rstrip() == " " * 8 + "│12:00         │12:15         │12:30"
        assert shown[5].startswith("One column: 1 min. A full bar: 1 min of infra")

    def test_less_busy_columns_have_lower_bars(self) -> None:
        infra = [ran(0, 10), ran(10, 15), ran(20, 21)]
        assert self.draw([], 18, infra=infra)[0] == "infra   ███▆ ▂    "

    def test_executions_at_the_same_time_count_once(self) -> None:
        axis = Axis(NOON, at(20), 2)
        work = measure_work([ran(-5, 5), ran(2, 6), ran(9, 12)], axis)
        assert work == [timedelta(minutes=7), timedelta(minutes=2)]

    def test_a_plus_means_more_than_nine(self) -> None:
        shown = self.draw([ran(1, 2)] * 12, 18, infra=[ran(0, 10)])
        assert shown[3] == "held    +".ljust(18)

    def test_long_names_are_shortened(self) -> None:
        shown = self.draw([], 80, **{"x" * 100: []})
        assert shown[0] == ("x" * 8 + "..." + "x" * 9).ljust(80)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("infra", "k8s"), ["infra", "k8s"]),
        (("infra", "team-platform-kubernetes-production"), ["infra", "team-pla...roduction"]),
        (
            ("team-platform-kubernetes-test", "team-platform-kubernetes-live"),
            ["...test", "...live"],
        ),
        (
            ("team-platform-kubernetes-production", "team-platform-k3s-production"),
            ["...kuber...roduction", "...k3s-production"],
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
def test_names_are_shortened_but_stay_distinct(names: tuple[str, ...], shown: list[str]) -> None:
    assert shorten_names(names, 80) == shown


class TestOneOverlap:
    def test_what_happened_and_what_would_have_happened(self) -> None:
        """One column is a minute. infra runs from 10 to 40; 15-20 is replaced by 25-31, which
        continues at 40; 5-12 started before.
        """
        k8s = [ran(5, 12), ran(15, 20, "Failed"), ran(25, 31), ran(50, 60)]
        title, ids, *lines = draw_worst(build_report(k8s, lasts=60, infra=INFRA), 15 + 41)
        figures = "3 executions, 1 failed; 2 held, up to 25 min"
        assert title == f"2026-01-05 12:10 to 12:40 UTC: {figures}"
        assert ids == "infra 10-40; k8s 5-12 15-20 25-31", "their short ids"
        assert [line[:15].rstrip() for line in lines] == ["infra", "k8s", "with the gate", "", ""]
        assert [line[15:].rstrip() for line in lines[:4]] == [
            "     " + "━" * 30 + "✔",
            "━" * 7 + "✔" + "  " + "━" * 5 + "✘" + "    " + "━" * 6 + "✔",
            "━" * 7 + "✔" + "  " + "░" * 25 + "»",
            " " * 20 + "░" * 15 + "▶" + "━" * 5,
        ]
        assert lines[4][15:] == " " * 10 + "│12:15         │12:30"

    def test_an_execution_that_is_still_held(self) -> None:
        k8s, infra = [ran(25, 40, "InProgress")], [ran(10, 40, "InProgress")]
        rows = draw_worst(build_report(k8s, lasts=40, infra=infra), 15 + 31)[2:5]
        assert [row[15:] for row in rows] == [
            "━" * 30 + "●",
            " " * 15 + "━" * 15 + "●",
            " " * 15 + "░" * 15 + "●",
        ]

    def test_a_short_overlap_is_shown_in_seconds(self) -> None:
        report = build_report([ran(10.25, 11)], lasts=60, infra=[ran(10, 10.75)])
        title = draw_worst(report, 80)[0]
        assert title.startswith("2026-01-05 12:10:00 to 12:10:45 UTC: 1 execution")

    def test_only_the_first_ids_are_listed(self) -> None:
        k8s = [ran(20 + minute, 39) for minute in range(12)]
        ids = draw_worst(build_report(k8s, lasts=60, infra=INFRA), 60)[1]
        assert ids == "infra 10-40; k8s 20-39 21-39 22-39 23-39 24-39 and 7 more"

    def test_lines_beyond_the_maximum_are_counted(self) -> None:
        k8s = [ran(10 + minute, 30 + minute) for minute in range(6)]
        lines = draw_worst(build_report(k8s, lasts=60, infra=INFRA), 80)
        assert sum("and 2 lines more" in line for line in lines) == 2

    @pytest.mark.parametrize("width", [80, 120])
    def test_no_line_is_wider_than_the_terminal(self, width: int) -> None:
        k8s = [ran(5, 300), ran(15, 20), ran(39.9, 500)]
        report = build_report(k8s, lasts=600, infra=INFRA, network=[ran(38, 300)])
        overview = to_texts(draw_overview(report, width)[:-1])  # the last one is text, which wraps
        assert max(map(len, [*overview, *draw_worst(report, width)])) <= width
        assert len(overview[0]) == width

    def test_the_worst_come_first(self) -> None:
        """Most failures first, then the longest time that the gate would have held."""
        infra = [ran(begin, begin + 30) for begin in (0, 100, 200, 300)]
        k8s = [
            ran(20, 25),
            ran(105, 110),
            ran(225, 230, "Failed"),
            ran(310, 312, "Failed"),
            ran(315, 317, "Failed"),
        ]
        strips = find_strips(build_report(k8s, lasts=400, infra=infra))
        assert [strip.span.begin for strip in strips] == [at(300), at(200), at(100), at(0)]

    def test_each_shows_its_own_time(self) -> None:
        """One is held until 10 and continues into infra's next run, where it is not held again."""
        infra = [ran(0, 10), ran(20, 30), ran(50, 60)]
        report = build_report([ran(5, 25)], lasts=60, infra=infra)
        strips = find_strips(report)
        times = [(strip.span.begin, len(strip.held)) for strip in strips]
        assert times == [(at(0), 1), (at(20), 0)]
        rows = to_texts(draw_strip(strips[1], report, 15 + 26))[2:]
        assert rows[0][15:] == " " * 15 + "━" * 10 + "✔"
        assert rows[2][15:] == "░" * 5 + "▶" + "━" * 20


def test_the_worst_overlaps_are_drawn_and_the_others_counted() -> None:
    infra = [ran(begin, begin + 5) for begin in range(0, 50, 10)]
    report = build_report(infra, lasts=60, infra=infra)
    shown = to_texts(draw_picture(report, 80, ascii_only=False))
    assert sum("1 execution, 0 failed" in line for line in shown) == 3
    assert "2 more with --json" in shown


def test_without_an_overlap_only_the_overview_is_drawn() -> None:
    report = build_report([ran(0, 5)], lasts=60, infra=INFRA)
    shown = to_texts(draw_picture(report, 80, ascii_only=False))
    assert "When they were running" in shown
    assert "The worst overlaps" not in shown


def test_without_an_execution_nothing_is_drawn() -> None:
    assert draw_picture(build_report([], lasts=60, infra=INFRA), 80, ascii_only=False) == []


class TestLongNames:
    NAME, INFRA_NAME = (
        "team-platform-kubernetes-apps-production",
        "team-platform-infrastructure-production",
    )

    @pytest.fixture
    def report(self) -> Report:
        """Both ran at the same time, and the pipeline that would wait ran once more."""
        upstreams: dict[str, Any] = {self.INFRA_NAME: [ran(0, 5)]}
        return build_report([ran(1, 2), ran(20, 21)], lasts=30, name=self.NAME, **upstreams)

    def test_they_leave_room_for_the_figures(self, report: Report) -> None:
        page = print_report(report, 80)
        assert re.search(
            r"^while \S+ ran    1           -          0 \(0 %\) +$", page, re.MULTILINE
        )
        assert "  executions  no result  failed   by a gate" in page
        assert "fail first  continue  replaced  still held  overlap" in page
        assert "…" not in page
        assert max(map(len, page.splitlines())) <= 80

    def test_they_can_be_told_apart(self, report: Report) -> None:
        lines = to_texts(draw_picture(report, 80, ascii_only=False))
        bars = [line for line in lines if re.match(r"\S+ +━*✔", line)]
        assert [line.split()[0] for line in bars] == [
            "...infra...roduction",
            "...kuber...roduction",
        ]


class TestSentences:
    @pytest.mark.parametrize(
        ("k8s", "sentence"),
        [
            ([ran(50, 55)], "k8s ran once, but not while infra was running. By"),
            ([ran(20, 25)], "k8s ran once, while infra was running. It did not fail. By"),
            ([ran(20, 25, "Failed")], "k8s ran once, while infra was running. It failed once. By"),
            (
                [ran(20, 25), ran(30, 35)],
                "k8s ran twice, each time while infra was running. It did not fail. By",
            ),
            (
                [ran(0, 5), ran(20, 25, "Failed")],
                "k8s ran twice, once while infra was running. The failure rate was 100 % then, 0 % "
                "otherwise. By",
            ),
            ([ran(0, 5), ran(20, 25, "Superseded")], "once while infra was running. By"),
        ],
    )
    def test_how_often_it_ran(self, k8s: list[Execution], sentence: str) -> None:
        assert sentence in read_words(build_report(k8s, lasts=60, infra=INFRA))

    def test_one_execution_would_have_been_held(self) -> None:
        words = read_words(build_report([ran(0, 5), ran(20, 25, "Failed")], lasts=60, infra=INFRA))
        assert "By default, a gate would have held one execution, for 20 min." in words
        assert "No result" not in words

    def test_several_upstreams(self) -> None:
        k8s = [ran(0, 5), ran(20, 25)]
        assert read_words(build_report(k8s, lasts=60, infra=INFRA, network=[])).startswith(
            "If k8s had waited for infra and network: 2026-01-05 to 2026-01-05 (1 h) k8s ran "
            "twice, once while an upstream was running."
        )

    def test_without_a_result_there_is_no_percentage(self) -> None:
        k8s = [ran(0, 5), ran(20, 25, "Superseded")]
        words = read_words(build_report(k8s, lasts=60, infra=INFRA))
        assert "while infra ran 1 1 - " in words
        assert "No result: superseded, cancelled or still running." in words

    def test_no_execution_would_have_been_held(self) -> None:
        words = read_words(build_report([ran(50, 55)], lasts=60, infra=INFRA))
        assert "By default, a gate would not have held any execution." in words
        assert "What would have happened to them" not in words

    def test_a_rollback(self) -> None:
        k8s = [ran(0, 5), ran(12, 17), ran(20, 25, kind="ROLLBACK")]
        words = read_words(build_report(k8s, lasts=40, infra=[ran(10, 40, "InProgress")]))
        assert "started before, or rolled back 1 - 0 (0 %) not held" in words
        assert "idle 1, 1 still held 33 %" in words

    def test_right_after_a_start(self) -> None:
        """Less than a second has passed."""
        now = ran(0, 0, "InProgress")
        report = build_report([now], lasts=0, infra=[now])
        assert "k8s ran once" in read_words(report)
        assert draw_picture(report, 80, ascii_only=False)

    def test_json_has_no_end_for_what_has_not_ended(self) -> None:
        running = ran(0, 40, "InProgress")
        report: Any = build_report([running], lasts=40, infra=[running]).to_json()
        (overlap,) = report["overlaps"]
        assert (overlap["ended"], overlap["upstreams"][0]["ended"]) == (None, None)
        assert report["policies"][0]["holds"][0]["until"] is None


class TestCautions:
    @pytest.mark.parametrize(
        ("k8s", "infra", "caution"),
        [
            ([], INFRA, "k8s has not run in this time"),
            ([ran(0, 5)], [], "AWS lists no execution of infra"),
            (
                [ran(0, 5)],
                [ran(-60, -55, "Superseded")],
                "infra has not run in this time: its last execution Superseded on 2026-01-05.",
            ),
            (
                [ran(0, 5)],
                [ran(0, 1800)],
                "1 execution of infra took longer than a day (0-1800 took 1 d 6 h)",
            ),
            (
                [ran(0, 5)],
                [ran(-60, -55, "Failed"), ran(1500, 1505)],
                "A gate that requires succeeded would have held 1 execution for longer than 23 "
                "hours.",
            ),
        ],
    )
    def test_what_limits_the_figures(
        self, k8s: list[Execution], infra: list[Execution], caution: str
    ) -> None:
        assert f"Caution: {caution}" in read_words(build_report(k8s, lasts=2000, infra=infra))

    def test_an_upstream_that_is_younger_than_the_pipeline(self) -> None:
        report = build_report([ran(0, 5)], lasts=60, infra=INFRA)
        young = replace(report.upstreams[0], created=at(10))
        cautions = list_cautions(report.pipeline, [young], NOON, at(60), report.replay)
        assert list(cautions) == ["infra has only existed since 2026-01-05 12:10 UTC."]

    @pytest.mark.parametrize(("overlapping", "few"), [(1, True), (9, True), (10, False)])
    def test_few_overlaps_prove_little(self, overlapping: int, few: bool) -> None:
        k8s = [ran(10 + minute, 30, "Failed") for minute in range(overlapping)]
        words = read_words(build_report(k8s, lasts=60, infra=[ran(0, 40)]))
        assert ("this may be chance" in words) == few


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
    assert Axis(at(begin), at(begin + minutes), columns).draw_ticks().plain == line


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
def test_durations(seconds: float, words: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("part", "total", "words"),
    [
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 3, "33 %"),
        (1, 1000, "1 %"),
        (999, 1000, "99 %"),
        (0, 0, "-"),
    ],
)
def test_0_and_100_percent_are_exact(part: int, total: int, words: str) -> None:
    assert format_share(part, total) == words
