"""`gatectl history`: what it says of days that were played in the sandbox, and whether the gate then really does so."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.codepipeline.models import codepipeline_backends

from chalicelib.parameters import MODES
from sandbox.account import ACCOUNT, REGION
from sandbox.inprocess import MONDAY_NOON, in_process
from sandbox.world import Dials
from tests.asking import ask
from tests.conftest import executor
from tests.gatectl.cli import run
from tests.scene import Scene


ASKED_AGAIN = 60
"""Seconds until CodePipeline asks again, in the mode wait."""


def told(*words: str) -> Any:
    said = run("history", *words, "--json")
    assert said.status == 0, said.err
    return said.json()


class TestPlayedTwice:
    """The same pushes: once without a gate, from which `history` predicts, and once with the gate, which shows what it does."""

    @pytest.mark.parametrize("hold", MODES)
    @pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED", "PARALLEL"])
    @pytest.mark.parametrize("require", ["idle", "succeeded"])
    def test_the_gate_does_what_was_predicted(self, hold: str, mode: str, require: str) -> None:
        pushes = made_up(f"{hold} {mode} {require}")
        with in_process(executor(), dials=Dials(start_on_create=False)) as world:
            scene = Scene(world)
            scene.pipeline("k8s", mode=mode)
            play(scene, pushes)
            foretold = told("k8s", "--depends-on", "infra", "--days", "2")
            began = {one["pipelineExecutionId"]: one["startTime"] for one in scene.executions()}
        policy = next(policy for policy in foretold["policies"] if policy["require"] == require)
        way = next(way for way in policy["ways"] if way["hold"] == hold)
        until = {one["execution"]: datetime.fromisoformat(one["until"]) for one in policy["holds"]}
        assert len(until) >= 5  # else this story tells nothing

        with in_process(executor(), dials=Dials(start_on_create=False, continuation_seconds=ASKED_AGAIN)) as world:
            scene = Scene(world)
            scene.gated("k8s", ask(require=require, hold=hold), mode=mode)
            play(scene, pushes)
            failed = scene.statuses().count("Failed")
            assert failed == (way["replaced"] if hold == "retry" else way["failed"])
            assert len(scene.statuses()) == len(began) + (way["go_on"] if hold == "restart" else 0)
            passed = [moment for id_, moment in began.items() if id_ not in until]
            assert_close(deploys(scene), sorted([*passed, *(until[id_] for id_ in way["executions"])]))
            if hold != "wait":
                assert_close(waits(), [timedelta(seconds=one["seconds"]) for one in policy["holds"]])


def made_up(seed: str) -> list[tuple[int, str, int, str]]:
    """Some hours: when in minutes, which pipeline, and how many seconds its work takes, and ends how. k8s's are never near infra's."""
    chance = random.Random(seed)
    infra = [(0, 5, "Succeeded"), (60, 40, "Failed"), (120, 30, "Succeeded"), (180, 20, "Failed"), (240, 30, "Succeeded")]
    k8s = [(minute, "k8s", 1, "Succeeded") for minute in chance.sample(range(33, 290, 5), 18)]
    return sorted([*((begin, "infra", lasting * 60, outcome) for begin, lasting, outcome in infra), *k8s])


def play(scene: Scene, pushes: Sequence[tuple[int, str, int, str]]) -> None:
    scene.pipeline("infra")
    work: dict[str, tuple[float, str]] = {}
    codepipeline_backends[ACCOUNT][REGION].outcome = lambda execution, stage, _: (
        work[execution.pipeline_name] if stage == "Deploy" else (1.0, "Succeeded")
    )
    for minute, name, seconds, outcome in pushes:
        scene.world.clock.advance(MONDAY_NOON + timedelta(minutes=minute) - datetime.now(MONDAY_NOON.tzinfo))
        work[name] = (seconds, outcome)
        scene.codepipeline.start_pipeline_execution(name=name)
        scene.wait(seconds=10)
    scene.wait(minutes=30)


def deploys(scene: Scene) -> list[datetime]:
    """When k8s's work really began."""
    pages = scene.codepipeline.get_paginator("list_action_executions").paginate(pipelineName="k8s")
    return sorted(one["startTime"] for page in pages for one in page["actionExecutionDetails"] if one["stageName"] == "Deploy")


def waits() -> list[timedelta]:
    """How long each hold really lasted, in the order of their beginnings, as the retry's log has it."""
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/pipeline-gate-dev-retry")
    records = [json.loads(event["message"]) for page in pages for event in page["events"] if event["message"].startswith("{")]
    ends = {one["since"]: one["waited_seconds"] for one in reversed(records) if one.get("waited_seconds") is not None}
    return [timedelta(seconds=ends[since]) for since in sorted(ends)]


def assert_close(real: Sequence[Any], predicted: Sequence[Any]) -> None:
    """Within the seconds of start-up, and in the mode wait until CodePipeline asks again."""
    assert len(real) == len(predicted)
    assert all(abs(one - other) < timedelta(seconds=ASKED_AGAIN + 20) for one, other in zip(real, predicted, strict=True)), (real, predicted)
