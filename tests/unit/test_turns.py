"""Which of the holds that keep each other waiting goes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.holds.hold import Hold
from chalicelib.holds.turns import TURN, list_earlier_holds
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import Cycle

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ID = "5e6f7a8b-0000-4000-8000-000000000001"


def hold(pipeline: str, minute: int, **fields: Any) -> Hold:
    since = NOON + timedelta(minutes=minute)
    return Hold(f"pipeline-gate-dev-{ID}", pipeline, ID, (Dependency("k8s"),), since, **fields)


def upstream(rival: Hold, *further: Hold) -> Upstream:
    """It waits for k8s, directly or through further pipelines."""
    pipelines = ("k8s", rival.pipeline, *(each.pipeline for each in further), "k8s")
    cycle = Cycle(pipelines, deadlock=False, holds=further)
    return Upstream(Dependency(rival.pipeline), hold=rival, cycle=cycle)


K8S = hold("k8s", 5)
AT_SIX = NOON + timedelta(minutes=6)


def list_names(*upstreams: Upstream, now: datetime = AT_SIX) -> list[str]:
    return [each.pipeline for each in list_earlier_holds(K8S, upstreams, now)]


def test_the_longest_wait_goes_first() -> None:
    first, second, later = hold("web", 1), hold("apps", 3), hold("jobs", 6)
    assert list_names(*map(upstream, (second, later, first))) == ["web", "apps"]


def test_of_two_that_began_at_the_same_moment_the_name_decides() -> None:
    assert list_names(upstream(hold("apps", 5)), upstream(hold("web", 5))) == ["apps"]


def test_a_hold_further_along_the_cycle_counts() -> None:
    assert list_names(upstream(hold("later", 6), hold("web", 1))) == ["web"]


def test_an_upstream_that_does_not_wait_for_the_pipeline_is_no_rival() -> None:
    assert list_names(Upstream(Dependency("web"), hold=hold("web", 1))) == []


def test_a_hold_whose_stage_was_retried_has_had_its_turn() -> None:
    assert list_names(upstream(hold("web", 1, end_reported=True))) == []


def test_a_hold_that_does_not_go_misses_its_turn() -> None:
    rivals = [upstream(hold("web", 1)), upstream(hold("apps", 3)), upstream(hold("jobs", 6))]
    for quiet, expected in ((0.9, ["web", "apps"]), (1.1, ["apps"]), (2.1, [])):
        assert list_names(*rivals, now=AT_SIX + quiet * TURN) == expected
