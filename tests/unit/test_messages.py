"""What people read in the console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.holds import rule
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.upstream import Upstream
from chalicelib.wording import held_pipeline, open_gate

NOW = datetime(2026, 1, 5, 12, 4, 30, tzinfo=UTC)


def run(
    status: str, minutes_ago: int, id_: str = "1a2b3c4d-0000-4000-8000-000000000001"
) -> Execution:
    return Execution(
        id_, status, NOW - timedelta(minutes=minutes_ago + 1), NOW - timedelta(minutes=minutes_ago)
    )


def test_the_open_gate_names_the_last_execution() -> None:
    assert open_gate.describe_pass(
        [Upstream(Dependency("infra"), (run("Succeeded", 1),))], NOW
    ) == ("infra is idle: last execution 1a2b3c4d Succeeded at 12:03 UTC")


def test_a_time_of_another_day_comes_with_its_date() -> None:
    assert open_gate.describe_pass(
        [Upstream(Dependency("infra"), (run("Failed", 24 * 60),))], NOW
    ).endswith("Failed at 2026-01-04 12:04 UTC")


def test_a_pipeline_without_executions_is_idle_and_says_so() -> None:
    assert open_gate.describe_pass(
        [Upstream(Dependency("infra")), Upstream(Dependency("network"))], NOW
    ) == (
        "infra is idle: it has not run in the last 14 days; network is idle: it has not run in "
        "the last 14 days"
    )


def test_a_summary_fits_however_many_upstreams_there_are() -> None:
    assert (
        len(open_gate.describe_pass([Upstream(Dependency("x" * 100))] * 100, NOW)) <= 2048
    )  # model: ExecutionSummary


def hold(*depends_on: str, pipeline: str = "k8s") -> Hold:
    return Hold(
        "pipeline-gate-dev-x", pipeline, "5e6f7a8b-0", tuple(map(Dependency, depends_on)), NOW
    )


def held(*waiting: Upstream) -> str:
    return held_pipeline.describe_hold(
        waiting, hold("infra"), 5, datetime(2026, 1, 5, 12, 9, tzinfo=UTC), NOW
    )


def test_the_closed_gate_says_what_it_waits_for_since_when_and_what_happens_next() -> None:
    said = held(Upstream(Dependency("infra"), (run("InProgress", 2),)))
    assert said.startswith(
        "k8s waits for infra since 12:04 UTC. infra runs: execution 1a2b3c4d is InProgress since "
        "12:01 UTC."
    )
    assert "k8s starts again by itself within seconds of the end of infra" in said
    assert "every 5 minutes too, next at 12:09 UTC" in said
    assert "pipeline-gate-dev-x" in said


def test_an_upstream_that_is_not_known_to_run_is_not_said_to() -> None:
    said = held(
        Upstream(
            Dependency("infra"),
            unanswered="codepipeline:ListPipelineExecutions was not answered (ThrottlingException)",
        )
    )
    assert (
        "Whether infra runs is not known: codepipeline:ListPipelineExecutions was not answered "
        "(ThrottlingException)." in said
    )
    assert "infra runs:" not in said


def test_many_upstreams_are_counted_not_listed() -> None:
    said = held(*[Upstream(Dependency(f"p{n}"), (run("InProgress", 2),)) for n in range(300)])
    assert "p0, p1, p2, p3, p4 and 295 more" in said
    assert len(said) <= 5000  # model: Message


def test_a_description_fits_the_rule() -> None:
    said = held_pipeline.describe_rule(hold(*["y" * 100] * 9, pipeline="x" * 100), [], NOW)
    assert len(said) <= 512  # model: RuleDescription
    assert rule.read_date(said) == NOW.replace(second=0)


def test_a_description_says_who_waits_for_whom_since_when() -> None:
    said = held_pipeline.describe_rule(hold("infra"), [], NOW)
    assert said.startswith("Since 2026-01-05 12:04 UTC k8s (execution 5e6f7a8b) waits for infra.")


def test_another_rules_description_tells_no_time() -> None:
    assert rule.read_date("Nightly backup") is None
