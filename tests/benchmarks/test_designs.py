"""Both designs in one sandbox: the article's does what the article says, and what is counted is
what the functions do.
"""

from __future__ import annotations

from datetime import timedelta

from benchmarks.designs import ARTICLE, DELIVERY_SECONDS, OURS, play


def test_the_articles_design_fails_and_starts_again_every_five_minutes_until_the_upstream_has_ended() -> (
    None
):
    story = play(ARTICLE, hold_seconds=12 * 60)
    assert story.statuses == ["Failed", "Failed", "Failed", "Succeeded"]
    gaps = [later - earlier for earlier, later in zip(story.starts, story.starts[1:], strict=False)]
    assert all(timedelta(minutes=4) <= gap <= timedelta(minutes=6) for gap in gaps)
    assert story.starts[-1] >= story.upstream_end
    assert story.invocations == {"gate": 4, "retry": 3}
    assert story.calls == {
        "ListPipelineExecutions": 4,
        **dict.fromkeys(
            (
                "PutRule",
                "PutTargets",
                "PutJobFailureResult",
                "RemoveTargets",
                "DeleteRule",
                "StartPipelineExecution",
            ),
            3,
        ),
        "PutJobSuccessResult": 1,
    }


def test_where_nothing_runs_both_let_pass_with_two_calls() -> None:
    for design in (ARTICLE, OURS):
        story = play(design, hold_seconds=0)
        assert story.statuses == ["Succeeded"]
        assert story.calls == {"ListPipelineExecutions": 1, "PutJobSuccessResult": 1}


def test_ours_starts_again_once_and_as_soon_as_the_event_arrives() -> None:
    story = play(OURS, hold_seconds=12 * 60)
    assert story.statuses == ["Failed", "Succeeded"]
    assert (story.calls["StartPipelineExecution"], story.invocations["gate"]) == (1, 2)
    assert story.restart_seconds == DELIVERY_SECONDS


def test_without_the_event_the_schedule_starts_it() -> None:
    story = play(OURS, hold_seconds=12 * 60, events=False)
    assert story.statuses == ["Failed", "Succeeded"]
    assert DELIVERY_SECONDS < story.restart_seconds <= 300 + DELIVERY_SECONDS
