"""The article's design does what the article says, and the calls of both designs are counted."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.designs import ARTICLE, DELIVERY_SECONDS, OURS, play_hold


def test_the_articles_design_fails_and_restarts_every_five_minutes() -> None:
    counts = play_hold(ARTICLE, hold_seconds=12 * 60)
    assert counts.statuses == ["Failed", "Failed", "Failed", "Succeeded"]
    starts = zip(counts.starts, counts.starts[1:], strict=False)
    gaps = [later - earlier for earlier, later in starts]
    assert all(timedelta(minutes=4) <= gap <= timedelta(minutes=6) for gap in gaps)
    assert counts.starts[-1] >= counts.upstream_end
    assert counts.invocations == {"gate": 4, "retry": 3}
    assert counts.calls == {
        "ListPipelineExecutions": 4,
        "PutRule": 3,
        "PutTargets": 3,
        "PutJobFailureResult": 3,
        "RemoveTargets": 3,
        "DeleteRule": 3,
        "StartPipelineExecution": 3,
        "PutJobSuccessResult": 1,
    }


def test_both_designs_let_pass_with_two_calls_if_no_upstream_runs() -> None:
    for design in (ARTICLE, OURS):
        counts = play_hold(design, hold_seconds=0)
        assert counts.statuses == ["Succeeded"]
        assert counts.calls == {"ListPipelineExecutions": 1, "PutJobSuccessResult": 1}


def test_our_design_restarts_once_and_as_soon_as_the_event_arrives() -> None:
    counts = play_hold(OURS, hold_seconds=12 * 60)
    assert counts.statuses == ["Failed", "Succeeded"]
    assert (counts.calls["StartPipelineExecution"], counts.invocations["gate"]) == (1, 2)
    assert counts.restart_seconds == DELIVERY_SECONDS


def test_the_schedule_restarts_it_if_the_event_is_lost() -> None:
    counts = play_hold(OURS, hold_seconds=12 * 60, events=False)
    assert counts.statuses == ["Failed", "Succeeded"]
    assert DELIVERY_SECONDS < counts.restart_seconds <= 300 + DELIVERY_SECONDS
