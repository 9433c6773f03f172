"""Pipelines that wait for each other: gatectl describes each cycle as it turns out."""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import pytest

from chalicelib.account import graph
from chalicelib.account.cycles import DependencyCycle, classify_cycles
from chalicelib.account.pipeline import Pipeline
from tests.support.ask import ask
from tests.support.declared import gated, view
from tests.support.logs import read_log
from tests.support.scene import Scene

WAYS = [
    {"require": require, "hold": hold}
    for require, hold in product(["idle", "succeeded"], ["restart", "retry", "wait"])
]


def find_cycles(*pipelines: Pipeline) -> list[DependencyCycle]:
    account = view(*pipelines)
    return classify_cycles(graph.list_edges(account, "eu-central-1"), account.pipelines)


def find_kinds(*pipelines: Pipeline) -> list[tuple[str, str]]:
    return [("".join(cycle.pipelines), cycle.kind) for cycle in find_cycles(*pipelines)]


def read_decisions() -> set[str]:
    return {record["decision"] for record in [*read_log("gate"), *read_log("retry")]}


def wait_for_each_other(scene: Scene, asks: dict[str, Any]) -> DependencyCycle:
    """Create a pipeline with such a gate for each name, and return the one cycle they form."""
    (cycle,) = find_cycles(*(gated(*item) for item in asks.items()))
    for name, parameters in asks.items():
        scene.gated(name, parameters)
    return cycle


@pytest.mark.parametrize(
    ("a", "b"), [*combinations_with_replacement(WAYS, 2)], ids=lambda way: "-".join(way.values())
)
def test_two_pipelines_that_wait_for_each_other_end_as_predicted(
    scene: Scene, a: dict[str, str], b: dict[str, str]
) -> None:
    asks = {"a": ask("b", pipeline="a", **a), "b": ask("a", pipeline="b", **b)}
    cycle = wait_for_each_other(scene, asks)
    for order in ("ab", "ba"):
        for name in order:
            scene.codepipeline.start_pipeline_execution(name=name)
        scene.wait(minutes=30)
    assert (cycle.kind == "turns") is ("deadlock" not in read_decisions())
    assert (cycle.kind == "success") is (a["require"] == b["require"] == "succeeded")
    if cycle.kind == "turns":
        assert [scene.statuses(name)[0] for name in asks] == ["Succeeded", "Succeeded"]
        assert scene.rules() == []


def test_a_deadlock_inside_a_harmless_cycle_is_found() -> None:
    """All three pipelines wait for each other, but only two of them forever."""
    assert find_kinds(
        gated("a", ask("b", pipeline="a")),
        gated("b", ask("a", {"pipeline": "c", "require": "succeeded"}, pipeline="b")),
        gated("c", ask({"pipeline": "b", "require": "succeeded"}, pipeline="c")),
    ) == [("bcb", "success")]


@pytest.mark.parametrize(("stage", "kind"), [("Source", "turns"), ("Deploy", "success")])
def test_waiting_for_a_stage_before_the_upstreams_gate_is_no_deadlock(
    scene: Scene, stage: str, kind: str
) -> None:
    """A pipeline that waits at its gate is past that stage."""
    asks = {
        "a": ask({"pipeline": "b", "stage": stage, "require": "succeeded"}, pipeline="a"),
        "b": ask({"pipeline": "a", "require": "succeeded"}, pipeline="b"),
    }
    assert wait_for_each_other(scene, asks).kind == kind
    for name in ("b", "a"):
        scene.codepipeline.start_pipeline_execution(name=name)
    scene.wait(minutes=30)
    assert ("deadlock" not in read_decisions()) is (kind == "turns")
    if kind == "turns":
        assert scene.statuses("a")[0] == scene.statuses("b")[0] == "Succeeded"


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(ask("b", pipeline="a", observe=True), id="only observes"),
        pytest.param(
            ask("arn:aws:codepipeline:us-east-1:123456789012:b", pipeline="a"),
            id="waits for a pipeline of the same name elsewhere",
        ),
    ],
)
def test_there_is_no_cycle_if_one_pipeline(parameters: dict[str, Any]) -> None:
    assert find_cycles(gated("a", parameters), gated("b", ask("a", pipeline="b"))) == []


@pytest.mark.parametrize(("length", "unnoticed"), [(11, False), (12, True)])
def test_a_gate_notices_a_cycle_up_to_a_maximum_length(
    scene: Scene, length: int, unnoticed: bool
) -> None:
    names = [f"p{number:02}" for number in range(length)]
    asks = {
        name: ask(upstream, pipeline=name, require="succeeded")
        for name, upstream in zip(names, [*names[1:], names[0]], strict=True)
    }
    cycle = wait_for_each_other(scene, asks)
    assert (len(cycle.pipelines), cycle.is_unnoticed) == (length + 1, unnoticed)
    assert ("they wait forever" in str(cycle)) is unnoticed
    for name in reversed(names):
        scene.start(name)
    assert ("deadlock" in read_decisions()) is not unnoticed
