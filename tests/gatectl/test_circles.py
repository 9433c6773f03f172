"""Pipelines in a circle: what is said of them is what happens to them."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement, product
from typing import Any

import boto3
import pytest

from chalicelib.account import graph
from chalicelib.account.cycles import Circle, classify_circles
from chalicelib.account.pipeline import AccountView, Pipeline
from sandbox.account import PIPELINE_ROLE
from tests.support.ask import ask
from tests.support.scene import Scene, gate_stage

WAYS = [
    {"require": require, "hold": hold}
    for require, hold in product(["idle", "succeeded"], ["restart", "retry", "wait"])
]


def gated(name: str, asked: object, *stages: str) -> Pipeline:
    """A pipeline of these stages, "Gate" being its gate's."""
    declared = [
        gate_stage(asked) if stage == "Gate" else {"name": stage, "actions": []}
        for stage in stages or ("Source", "Gate", "Deploy")
    ]
    return Pipeline.parse({"name": name, "roleArn": PIPELINE_ROLE, "stages": declared})


def of(*pipelines: Pipeline) -> list[Circle]:
    by_name = {one.name: one for one in pipelines}
    return classify_circles(graph.list_edges(AccountView(by_name, (), ()), "eu-central-1"), by_name)


def kinds(found: list[Circle]) -> list[tuple[str, str]]:
    return [("".join(circle.pipelines), circle.kind) for circle in found]


@pytest.mark.parametrize(
    ("a", "b"), [*combinations_with_replacement(WAYS, 2)], ids=lambda way: "-".join(way.values())
)
def test_two_that_wait_for_each_other_end_as_it_is_said(
    scene: Scene, a: dict[str, str], b: dict[str, str]
) -> None:
    (said,) = of(gated("a", ask("b", pipeline="a", **a)), gated("b", ask("a", pipeline="b", **b)))
    scene.gated("a", ask("b", pipeline="a", **a))
    scene.gated("b", ask("a", pipeline="b", **b))
    for first, second in ("ab", "ba"):
        for name in (first, second):
            scene.codepipeline.start_pipeline_execution(name=name)
        scene.wait(minutes=30)
    assert (said.kind == "turns") is ("deadlock" not in decisions())
    assert (said.kind == "success") is (a["require"] == b["require"] == "succeeded")
    if said.kind == "turns":
        assert (scene.statuses("a")[0], scene.statuses("b")[0], scene.rules()) == (
            "Succeeded",
            "Succeeded",
            [],
        )


def decisions() -> set[str]:
    events: list[Any] = []
    for function in ("gate", "retry"):
        group = f"/aws/lambda/pipeline-gate-dev-{function}"
        if boto3.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            events += boto3.client("logs").filter_log_events(logGroupName=group)["events"]
    return {
        json.loads(event["message"])["decision"]
        for event in events
        if event["message"].startswith("{")
    }


def test_of_three_one_that_makes_room_is_enough() -> None:
    def three(*holds: str) -> list[Circle]:
        return of(
            *(
                gated(name, ask(upstream, pipeline=name, hold=hold))
                for name, upstream, hold in zip("abc", "bca", holds, strict=True)
            )
        )

    assert kinds(three("wait", "wait", "wait")) == [("abca", "together")]
    assert kinds(three("wait", "restart", "wait")) == [("abca", "turns")]


def test_a_deadlock_beside_a_harmless_circle_is_found() -> None:
    """All four wait for each other in the end, and only two of them for ever."""
    found = of(
        gated("a", ask("b", pipeline="a")),
        gated("b", ask("a", {"pipeline": "c", "require": "succeeded"}, pipeline="b")),
        gated("c", ask({"pipeline": "b", "require": "succeeded"}, pipeline="c")),
    )
    assert kinds(found) == [("bcb", "success")]


def test_waiting_for_a_stage_before_the_others_gate_is_no_deadlock(scene: Scene) -> None:
    """Whoever waits at its gate is past that stage."""
    before, behind = (
        ask({"pipeline": "b", "stage": stage}, pipeline="a", hold="wait")
        for stage in ("Source", "Deploy")
    )
    b = ask("a", pipeline="b", hold="wait")
    assert kinds(of(gated("a", behind), gated("b", b))) == [("aba", "together")]
    assert kinds(of(gated("a", before), gated("b", b))) == [("aba", "turns")]
    scene.gated("a", before)
    scene.gated("b", b)
    scene.codepipeline.start_pipeline_execution(name="b")
    scene.codepipeline.start_pipeline_execution(name="a")
    scene.wait(minutes=30)
    assert (scene.statuses("a"), scene.statuses("b")) == (["Succeeded"], ["Succeeded"])


def test_who_only_observes_is_in_no_circle() -> None:
    assert (
        of(gated("a", ask("b", pipeline="a", observe=True)), gated("b", ask("a", pipeline="b")))
        == []
    )


def test_one_of_the_same_name_elsewhere_is_another() -> None:
    assert (
        of(
            gated("a", ask("arn:aws:codepipeline:us-east-1:123456789012:b", pipeline="a")),
            gated("b", ask("a", pipeline="b")),
        )
        == []
    )


@pytest.mark.parametrize(("length", "unseen"), [(11, False), (12, True)])
def test_one_that_is_longer_than_a_gate_looks(scene: Scene, length: int, unseen: bool) -> None:
    names = [f"p{number:02}" for number in range(length)]
    asked = {
        name: ask(names[(number + 1) % length], pipeline=name, require="succeeded")
        for number, name in enumerate(names)
    }
    (circle,) = of(*(gated(name, one) for name, one in asked.items()))
    assert (len(circle.pipelines), circle.unseen, "they wait for ever" in str(circle)) == (
        length + 1,
        unseen,
        unseen,
    )
    for name in names:
        scene.gated(name, asked[name])
    for name in reversed(names):
        scene.start(name)
    assert ("deadlock" in decisions()) is not unseen
