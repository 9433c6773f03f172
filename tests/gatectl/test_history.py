"""`gatectl history`: what it says of days that were played in the sandbox, and whether the gate
then really does so.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from moto.codepipeline.models import codepipeline_backends

from chalicelib.holds.mode import MODES
from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import MONDAY_NOON, in_process
from sandbox.world import Dials
from tests.conftest import executor
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.condition import conditioned
from tests.support.scene import Scene
from tests.test_docs import OTHER_ACCOUNT as OTHERS

THERE = "us-east-1"
INFRA_THERE = f"arn:aws:codepipeline:{THERE}:{ACCOUNT}:infra"
ASKED_AGAIN = 120
"""Seconds until CodePipeline asks again, in the mode wait."""


def told(*words: str) -> Any:
    said = run("history", *words, "--json")
    assert said.status == 0, said.err
    return said.json()


@pytest.mark.long
class TestPlayedTwice:
    """The same pushes: once without a gate, from which `history` predicts, and once with the gate,
    which shows what it does.
    """

    @pytest.mark.parametrize("hold", MODES)
    @pytest.mark.parametrize(
        ("mode", "require"),
        [("SUPERSEDED", "idle"), ("QUEUED", "succeeded"), ("PARALLEL", "succeeded")],
    )
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

        with in_process(
            executor(), dials=Dials(start_on_create=False, continuation_seconds=ASKED_AGAIN)
        ) as world:
            scene = Scene(world)
            scene.gated("k8s", ask(require=require, hold=hold), mode=mode)
            play(scene, pushes)
            failed = scene.statuses().count("Failed")
            assert failed == (way["replaced"] if hold == "retry" else way["failed"])
            assert len(scene.statuses()) == len(began) + (way["go_on"] if hold == "restart" else 0)
            passed = [moment for id_, moment in began.items() if id_ not in until]
            start_up = 15 + (ASKED_AGAIN if hold == "wait" else 0)
            assert_close(
                deploys(scene),
                sorted([*passed, *(until[id_] for id_ in way["executions"])]),
                start_up,
            )
            if hold != "wait":
                assert_close(
                    waits(),
                    [timedelta(seconds=one["seconds"]) for one in policy["holds"]],
                    start_up,
                )


def made_up(seed: str) -> list[tuple[int, str, int, str]]:
    """Some hours: when in minutes, which pipeline, and how many seconds its work takes, and ends
    how. k8s's are never near infra's.
    """
    chance = random.Random(seed)
    infra = [
        (0, 5, "Succeeded"),
        (60, 40, "Failed"),
        (120, 30, "Succeeded"),
        (180, 20, "Failed"),
        (240, 30, "Succeeded"),
    ]
    k8s = [(minute, "k8s", 1, "Succeeded") for minute in chance.sample(range(33, 290, 5), 18)]
    return sorted(
        [*((begin, "infra", lasting * 60, outcome) for begin, lasting, outcome in infra), *k8s]
    )


def play(scene: Scene, pushes: Sequence[tuple[int, str, int, str]]) -> None:
    scene.pipeline("infra")
    work: dict[str, tuple[float, str]] = {}
    backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
    backend.outcome = lambda execution, stage, _: (
        work[execution.pipeline_name] if stage == "Deploy" else (1.0, "Succeeded")
    )
    for minute, name, seconds, outcome in pushes:
        scene.world.clock.advance(
            MONDAY_NOON + timedelta(minutes=minute) - datetime.now(MONDAY_NOON.tzinfo)
        )
        work[name] = (seconds, outcome)
        scene.codepipeline.start_pipeline_execution(name=name)
        scene.wait(seconds=10)
    scene.wait(minutes=30)


def deploys(scene: Scene) -> list[datetime]:
    """When k8s's work really began."""
    pages = scene.codepipeline.get_paginator("list_action_executions").paginate(pipelineName="k8s")
    return sorted(
        one["startTime"]
        for page in pages
        for one in page["actionExecutionDetails"]
        if one["stageName"] == "Deploy"
    )


def waits() -> list[timedelta]:
    """How long each hold really lasted, in the order of their beginnings, as the retry's log has
    it.
    """
    pages = (
        boto3.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName="/aws/lambda/pipeline-gate-dev-retry")
    )
    records = [
        json.loads(event["message"])
        for page in pages
        for event in page["events"]
        if event["message"].startswith("{")
    ]
    ends = {
        one["since"]: one["waited_seconds"]
        for one in reversed(records)
        if one.get("waited_seconds") is not None
    }
    return [timedelta(seconds=ends[since]) for since in sorted(ends)]


def assert_close(real: Sequence[Any], predicted: Sequence[Any], seconds: int) -> None:
    assert len(real) == len(predicted)
    assert all(
        abs(one - other) < timedelta(seconds=seconds)
        for one, other in zip(real, predicted, strict=True)
    ), (real, predicted)


@pytest.fixture
def day(scene: Scene) -> Scene:
    """infra works from 12:00 to 12:10 and from 14:00 to 14:10, and k8s for a minute at 12:02, when
    it fails, 12:05, 13:00 and 13:59.
    """
    scene.pipeline("k8s")
    infra = [(minute, "infra", 599, "Succeeded") for minute in (0, 120)]
    k8s = [
        (2, "k8s", 59, "Failed"),
        (5, "k8s", 59, "Succeeded"),
        (60, "k8s", 59, "Succeeded"),
        (119, "k8s", 89, "Succeeded"),
    ]
    play(scene, sorted([*infra, *k8s]))
    return scene


def test_what_happened_is_told_in_sentences(day: Scene) -> None:
    said = run("history", "k8s", "--depends-on", "infra")
    assert said.status == 0
    assert (
        "k8s ran 4 times, 3 of them while infra ran: of these 33 % failed, of the others 0 %. A "
        "gate that requires idle would have held "
        "2 of them, 6 min in the median, 8 min at most, 13 min in all."
    ) in said.words
    assert "began meanwhile 2 - 1 (50 %) holds these" in said.words
    assert "had begun before 1 - 0 (0 %) lets these be" in said.words
    assert (
        "idle restart 2 1 started anew 1 0 1 retry 2 1 retried 1 0 1 wait 0 2 in place 0 0 1"
        in said.words
    )
    assert "another region" not in said.words


LONG = ("team-platform-infrastructure-production", "team-platform-kubernetes-apps-production")


@pytest.fixture
def long_named(scene: Scene) -> Scene:
    """Two of ordinary names, which ran at the same time."""
    for name in LONG:
        scene.pipeline(name, seconds=60)
        scene.start(name)
    scene.wait(minutes=5)
    scene.start(LONG[1])
    scene.wait(minutes=5)
    return scene


@pytest.mark.parametrize("columns", [80, None])
def test_long_names_leave_room_for_the_figures(long_named: Scene, columns: int | None) -> None:
    said = run("history", LONG[1], "--depends-on", LONG[0], columns=columns)
    lines = said.out.splitlines()
    assert re.search(r"^while \S+ ran  1           -          0 \(0 %\) +$", said.out, re.MULTILINE)
    assert "  executions  no result  failed   the gate" in said.out
    assert "fail first  go on           replaced  held still  overlap" in said.out
    assert "…" not in said.out
    assert max(map(len, lines)) <= 80


def test_long_names_can_be_told_apart_in_the_picture(long_named: Scene) -> None:
    said = run("history", LONG[1], "--depends-on", LONG[0], columns=80)
    first, second = [
        line
        for line in said.out.splitlines()
        if "━" in line and "✔" in line and "at work" not in line and "gate" not in line
    ]
    assert (first.split()[0], second.split()[0]) == ("...infrastructure...", "...kubernetes-app...")
    assert "s of ...infrastructure..., " in said.words


def test_the_picture_is_readable_where_the_output_is_not_in_unicode(day: Scene) -> None:
    said = run("history", "k8s", "--depends-on", "infra", charset="ascii")
    assert said.status == 0
    assert (
        "= at work, + succeeded, x failed, o ended otherwise, * still so, . held, > goes on, / "
        "replaced" in said.words
    )
    assert re.search(r"^infra +=+\+$", said.out, re.MULTILINE)
    assert "?" not in said.out


def test_and_to_programs(day: Scene) -> None:
    found = told("k8s", "--depends-on", "infra", "--days", "1")
    assert (found["since"], found["until"]) == (
        "2026-11-23T12:00:00+00:00",
        "2026-11-23T14:30:10+00:00",
    )
    assert found["overlapping"] == {"count": 3, "finished": 3, "failed": 1}
    assert found["began_while_upstream_ran"] == {"count": 2, "finished": 2, "failed": 1}
    assert found["apart"] == {"count": 1, "finished": 1, "failed": 0}
    assert found["upstreams"] == [
        {
            "pipeline": "infra",
            "arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra",
            "count": 2,
            "finished": 2,
            "failed": 0,
        }
    ]
    last, second, first = (
        one["pipelineExecutionId"] for one in day.executions() if one["startTime"].minute != 0
    )
    idle = found["policies"][0]
    assert idle["holds"] == [
        {
            "execution": first,
            "since": "2026-11-23T12:02:00+00:00",
            "until": "2026-11-23T12:10:00+00:00",
            "seconds": 480,
        },
        {
            "execution": second,
            "since": "2026-11-23T12:05:00+00:00",
            "until": "2026-11-23T12:10:00+00:00",
            "seconds": 300,
        },
    ]
    assert [(way["hold"], way["failed"], way["executions"]) for way in idle["ways"]] == [
        ("restart", 2, [second]),
        ("retry", 2, [second]),
        ("wait", 0, [first, second]),
    ]
    overlap = found["overlaps"][2]
    assert (overlap["execution"], overlap["status"], overlap["ended"]) == (
        last,
        "Succeeded",
        "2026-11-23T14:00:30+00:00",
    )
    assert [one["pipeline"] for one in overlap["upstreams"]] == ["infra"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["k9s", "--depends-on", "infra"],
            f"There is no pipeline k9s in {REGION}; did you mean k8s?",
        ),
        (
            ["k8s", "--depends-on", "infra,infar"],
            f"There is no pipeline infar in {REGION}; did you mean infra?",
        ),
        (
            ["a pipeline", "--depends-on", "infra"],
            f"There is no pipeline a pipeline in {REGION}; there are infra and k8s.",
        ),
        (
            ["k8s", "--depends-on", "infra/Deploy"],
            "infra/Deploy is one stage. AWS lists when executions began and ended, not their "
            "stages",
        ),
        (
            ["k8s", "--depends-on", '{"pipeline": "infra", "stage": "Deploy"}'],
            "infra/Deploy is one stage. AWS lists when",
        ),
        (
            ["k8s", "--depends-on", '{"pipeline": "infra"'],
            '--depends-on {"pipeline": "infra" is not valid JSON',
        ),
        (
            ["k8s", "--depends-on", "in fra"],
            'depends_on has "in fra", which is no pipeline\'s name',
        ),
        (
            ["k8s", "--depends-on", "infra,k8s"],
            "k8s cannot wait for itself: name another pipeline with --depends-on.",
        ),
        (["k8s", "--depends-on", " , "], "--depends-on names no pipeline"),
        (
            ["k8s", "--depends-on", INFRA_THERE],
            f"There is no pipeline infra in {THERE}, nor any other.",
        ),
        (
            ["k8s", "--depends-on", f"arn:aws:codepipeline:{REGION}:{OTHERS}:infra"],
            f"infra is in account {OTHERS}, and these credentials are of {ACCOUNT}: what ran "
            "there cannot be read with them",
        ),
        (["k8s", "--depends-on", "infra", "--days", "366"], "366 is not in the range 1<=x<=365"),
        (["k8s", "--depends-on", "infra", "--days", "0"], "0 is not in the range 1<=x<=365"),
        (["k8s", "--depends-on", "infra", "--days", "ninety"], "'ninety' is not a valid integer"),
        (["k8s"], "Missing option '--depends-on'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    scene: Scene, words: list[str], complaint: str
) -> None:
    scene.pipeline("infra")
    scene.pipeline("k8s")
    said = run("history", *words)
    assert (said.status, said.out) == (252, "")
    assert complaint in said.complaint


def test_it_takes_an_object_as_attach_does(day: Scene) -> None:
    wanted = '{"pipeline": "infra", "require": "succeeded"}'
    assert told("k8s", "--depends-on", wanted) == told("k8s", "--depends-on", "infra")
    day.pipeline("network")
    said = run(
        "history",
        "k8s",
        "--depends-on",
        wanted,
        "--depends-on",
        '{"pipeline": "network", "parked": "pass"}',
    )
    assert (
        "Success is required of infra only. Here, idle and succeeded are each required of all"
        in said.words
    )
    assert 'network may pass while only a person is waited for ("parked": "pass").' in said.words


def test_an_upstream_elsewhere_is_read_there(scene: Scene) -> None:
    there = Scene(scene.world, region=THERE)
    there.pipeline("infra")
    scene.pipeline("infra")
    scene.pipeline("k8s")
    there.start("infra")
    scene.start("k8s")
    said = run("history", "k8s", "--depends-on", INFRA_THERE)
    assert f"k8s ran once, each time while infra ({THERE}) ran: 0 failed." in said.words
    assert (
        f"infra ({THERE}) runs in another region: unless its events are forwarded "
        "(docs/elsewhere.md)" in said.words
    )


def test_what_the_pipelines_own_gate_held_is_left_out(scene: Scene) -> None:
    """It failed as planned, while infra ran: it would make the gate look bad."""
    scene.pipeline("infra")
    scene.k8s(seconds=5)
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded", "Failed"]
    scene.gated("apps", ask("k8s", pipeline="apps"))
    said = run("history", "k8s", "--depends-on", "infra")
    assert "k8s ran once, never while infra ran." in said.words
    assert (
        "k8s has a gate already, for infra. 1 execution that it held did no work, and is left out "
        "here." in said.words
    )
    assert "infra has a gate itself" not in said.words
    said = run("history", "apps", "--depends-on", "k8s")
    assert (
        "k8s has a gate itself. While it is held, the gate of apps waits for it too" in said.words
    )

    scene.wait(minutes=48 * 60)  # what it held before the time that is asked for is not counted
    assert (
        "It failed none to hold it."
        in run("history", "k8s", "--depends-on", "infra", "--days", "1").words
    )


@pytest.mark.parametrize("condition", [False, True])
def test_so_is_what_a_gate_held_that_is_not_there_any_more(scene: Scene, condition: bool) -> None:
    scene.pipeline("infra")
    conditioned(scene) if condition else scene.k8s()
    scene.start("infra")
    scene.start("k8s")
    scene.start("k8s")
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded", "Failed", "Failed"]
    assert run("detach", "k8s", "--yes").status == 0
    said = run("history", "k8s", "--depends-on", "infra")
    title, caution = said.out.splitlines()[:2]
    assert title.startswith("k8s behind infra")
    assert caution.startswith(
        "Caution: k8s had a gate in this time. 2 executions that it held did no work, and are "
        "left out here."
    )
    assert "k8s ran once, never while infra ran." in said.words
    assert told("k8s", "--depends-on", "infra")["executions"] == {
        "count": 1,
        "finished": 1,
        "failed": 0,
    }


def test_of_many_overlaps_the_worst_are_shown_with_their_ids_and_the_rest_is_counted(
    scene: Scene,
) -> None:
    scene.pipeline("infra", seconds=120)
    scene.pipeline("k8s", seconds=60)
    for _ in range(5):
        scene.start("infra")
        scene.start("k8s")
        scene.wait(minutes=10)
    said = run("history", "k8s", "--depends-on", "infra")
    assert "2 more: --json" in said.out.splitlines()
    first = [scene.executions(name)[-1]["pipelineExecutionId"][:8] for name in ("infra", "k8s")]
    assert f"infra {first[0]}; k8s {first[1]}" in said.out


def test_what_failed_by_itself_after_an_edit_is_counted(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s(outcome="Failed")
    run("detach", "k8s", "--yes")
    scene.start("k8s")
    scene.wait(minutes=5)
    said = run("history", "k8s", "--depends-on", "infra")
    assert "had a gate" not in said.words
    assert told("k8s", "--depends-on", "infra")["executions"] == {
        "count": 1,
        "finished": 1,
        "failed": 1,
    }


def test_so_is_what_a_gate_held_that_is_a_stages_condition(scene: Scene) -> None:
    scene.pipeline("infra")
    conditioned(scene)
    scene.start("infra")
    scene.start("k8s")
    scene.wait(minutes=20)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert told("k8s", "--depends-on", "infra")["executions"] == {
        "count": 1,
        "finished": 1,
        "failed": 0,
    }


def test_a_gate_that_refused_has_held_nothing(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask("infar"))
    scene.start("k8s")
    assert told("k8s", "--depends-on", "infra")["executions"] == {
        "count": 1,
        "finished": 1,
        "failed": 1,
    }


def test_pipelines_that_have_not_run(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.pipeline("k8s")
    said = run("history", "k8s", "--depends-on", "infra")
    assert said.status == 0
    assert (
        "k8s has not run in this time, so there is nothing that a gate would have held."
        in said.words
    )
    assert "When they were at work" not in said.words
    assert (
        "infra has never run, as far as AWS tells: a gate that requires idle holds nothing for it"
        in said.words
    )
    scene.has_run("k8s", (timedelta(hours=3), "Succeeded"))
    idle, succeeded = told("k8s", "--depends-on", "infra")["policies"]
    assert (idle["held"], succeeded["held"], succeeded["still_held"]) == (0, 1, 1)


def test_a_history_that_is_shorter_than_asked(scene: Scene) -> None:
    for name in ("infra", "k8s"):
        scene.pipeline(name)
    scene.has_run("infra", (timedelta(days=40), "Succeeded"), (timedelta(days=20), "Succeeded"))
    scene.has_run("k8s", (timedelta(days=30), "Succeeded"))
    said = run("history", "k8s", "--depends-on", "infra", "--days", "60")
    assert "2026-10-24 to 2026-11-23 (30 days)" in said.words
    assert "k8s is there since 2026-10-24 12:00 UTC only: that is 30 d." in said.words
    assert "infra is there since" not in said.words


def test_an_upstream_that_is_younger_than_the_pipeline(scene: Scene) -> None:
    for name in ("infra", "k8s"):
        scene.pipeline(name)
    scene.has_run("k8s", (timedelta(days=30), "Succeeded"))
    scene.start("infra")
    assert (
        "infra is there since 2026-11-23 12:00 UTC only."
        in run("history", "k8s", "--depends-on", "infra").words
    )


def test_what_has_not_ended_has_no_end(scene: Scene) -> None:
    for name in ("infra", "k8s"):
        scene.pipeline(name)
        scene.start(name)
    (overlap,) = told("k8s", "--depends-on", "infra")["overlaps"]
    assert (overlap["ended"], overlap["upstreams"][0]["ended"]) == (None, None)


def test_what_had_finished_last_before_is_known(scene: Scene) -> None:
    """It can be long ago: the gate looks as far back."""
    for name in ("infra", "k8s"):
        scene.pipeline(name)
    scene.has_run(
        "infra",
        (timedelta(days=300), "Succeeded"),
        *((timedelta(days=200), "Superseded") for _ in range(250)),
    )
    scene.has_run("k8s", (timedelta(days=3), "Succeeded"))
    said = run("history", "k8s", "--depends-on", "infra", "--days", "20")
    assert (
        "infra has not run in this time: its last execution Superseded on 2026-05-07." in said.words
    )
    assert "succeeded 0 0 %" in said.words
    assert told("k8s", "--depends-on", "infra", "--days", "20")["upstreams"][0]["count"] == 0


def test_waits_that_are_too_long_to_stay_in_place(scene: Scene) -> None:
    for name in ("infra", "k8s"):
        scene.pipeline(name)
    scene.has_run("infra", (timedelta(days=3), "Failed"), (timedelta(hours=1), "Succeeded"))
    scene.has_run("k8s", (timedelta(days=2), "Succeeded"), (timedelta(hours=2), "Succeeded"))
    said = run("history", "k8s", "--depends-on", "infra")
    assert (
        "A gate that requires succeeded would have held 1 execution longer than 23 hours."
        in said.words
    )
    assert "A gate that requires idle would have held none." in said.words


def test_right_after_a_start_there_is_little_to_show(scene: Scene) -> None:
    """Not even a second has passed."""
    for name in ("infra", "k8s"):
        scene.pipeline(name)
        scene.codepipeline.start_pipeline_execution(name=name)
    said = run("history", "k8s", "--depends-on", "infra")
    assert (said.status, "k8s ran once" in said.words) == (0, True)


def test_a_rollback_is_not_held(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.pipeline("k8s", seconds=5)
    good = scene.start("k8s")
    scene.start("infra")
    scene.start("k8s")
    scene.codepipeline.rollback_stage(
        pipelineName="k8s", stageName="Deploy", targetPipelineExecutionId=good
    )
    scene.wait(minutes=1)
    said = run("history", "k8s", "--depends-on", "infra")
    assert "had begun before, or rolled back 1 - 0 (0 %) lets these be" in said.words
    assert "idle 1, 1 still 33 %" in said.words


def test_of_two_that_began_together_the_newer_ones_result_stands(scene: Scene) -> None:
    for name in ("infra", "k8s"):
        scene.pipeline(name)
    scene.has_run("infra", (timedelta(hours=2), "Failed"), (timedelta(hours=2), "Succeeded"))
    scene.has_run("k8s", (timedelta(hours=1), "Succeeded"))
    assert [policy["held"] for policy in told("k8s", "--depends-on", "infra")["policies"]] == [0, 0]


def test_an_execution_that_took_days_is_pointed_out(scene: Scene) -> None:
    scene.pipeline("k8s")
    play(scene, [(0, "infra", 30 * 3600, "Succeeded"), (31 * 60, "infra", 5, "Succeeded")])
    id_ = scene.executions("infra")[1]["pipelineExecutionId"]
    said = run("history", "k8s", "--depends-on", "infra")
    assert f"1 execution of infra took longer than a day ({id_[:8]} took 1 d 6 h)" in said.words


class TestReading:
    @pytest.fixture
    def operations(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The AWS calls that are made from now on."""
        made: list[str] = []
        real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def make_api_call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            made.append(operation)
            return real(client, operation, arguments)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        return made

    @pytest.fixture
    def busy(self, scene: Scene) -> Scene:
        """Pipelines that have run thrice a day for a year."""
        for name in ("infra", "k8s"):
            scene.pipeline(name)
            scene.has_run(
                name, *((timedelta(hours=hours), "Succeeded") for hours in range(8 * 1000, 0, -8))
            )
        return scene

    def test_it_stops_at_the_first_page_that_is_old_enough(
        self, busy: Scene, operations: list[str]
    ) -> None:
        assert told("k8s", "--depends-on", "infra", "--days", "90")["executions"]["count"] == 270
        assert operations == ["GetPipeline"] * 2 + ["ListPipelineExecutions"] * (
            3 + 4
        )  # infra's 14 days more: the gate's look back

    def test_it_only_reads(self, scene: Scene, operations: list[str]) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.start("k8s")
        operations.clear()
        told("k8s", "--depends-on", "infra")
        assert operations == [
            "GetPipeline",
            "GetPipeline",
            "ListPipelineExecutions",
            "ListActionExecutions",
            "ListPipelineExecutions",
        ]

    def test_it_shows_how_far_back_it_is(
        self, busy: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        said = run("history", "k8s", "--depends-on", "infra", "--days", "90")
        assert "Reading the executions of k8s, days back" in said.err
        assert "90/90" in said.err
        assert "Reading" not in said.out

    def test_what_aws_denies_is_said(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "you may not"}}, operation
            )

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", denied)
        said = run("history", "k8s", "--depends-on", "infra")
        assert (said.status, said.out) == (254, "")
        assert "AWS refused GetPipeline (AccessDeniedException): you may not" in said.err
