"""A release of many holds is repeatable, and makes the calls that it needs."""

from __future__ import annotations

from benchmarks.release_of_many import count_calls, find_least_seconds, release


def test_a_release_under_throttling() -> None:
    """Every pipeline starts again once, no sooner than the throttle allows. The same seed gives the
    same run.
    """
    rates = {"codepipeline:ListPipelineExecutions": 2.0}
    first = release(10, 7, rates)
    assert first.started_once == 10
    assert first.throttled.total() > 0
    assert first.last_pass > (30 - 2) / 2, "thirty calls, two of them at once"
    assert first == release(10, 7, rates)


def test_the_calls_of_a_release() -> None:
    calls = count_calls(300)
    assert calls == {
        "codepipeline:ListPipelineExecutions": 1200,
        "codepipeline:ListActionExecutions": 300,
        "codepipeline:StartPipelineExecution": 300,
        "codepipeline:PutJobSuccessResult": 300,
        "events:ListRules": 300,
        "events:ListTargetsByRule": 600,
        "events:PutTargets": 300,
        "events:RemoveTargets": 300,
        "events:DeleteRule": 300,
    }
    assert find_least_seconds(calls) == 120
