"""Tests of `gatectl history`: what it reports about days that were played in the sandbox, and
whether the gate then does what it predicted.
"""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from unittest.mock import patch

import pytest
from moto.codepipeline.models import codepipeline_backends

from chalicelib.holds.mode import MODES
from gatectl.session import AWS_REFUSED
from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import MONDAY_NOON, in_process
from sandbox.world import Dials
from tests.conftest import executor
from tests.gatectl.conftest import Fail
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.condition import conditioned
from tests.support.held import start_all
from tests.support.logs import read_log
from tests.support.refused import run_refused
from tests.support.scene import Scene

OTHER_REGION, OTHER_ACCOUNT = "us-east-1", "210987654321"
INFRA_ELSEWHERE = f"arn:aws:codepipeline:{OTHER_REGION}:{ACCOUNT}:infra"
CONTINUATION_SECONDS = 120
"""How long CodePipeline takes to invoke the gate again, in the mode wait."""


def read_report(*words: str) -> Any:
    output = run("history", *words, "--json")
    assert output.status == 0, output.err
    return output.json()


def count_executions() -> tuple[int, int, int]:
    """Return how many executions of k8s are counted, have a result, and failed."""
    counts = read_report("k8s", "--depends-on", "infra")["executions"]
    return counts["count"], counts["finished"], counts["failed"]


@pytest.mark.long
class TestPlayedTwice:
    """Plays the same pushes twice: without a gate, for the prediction, and with one, to compare."""

    @pytest.mark.parametrize("hold", MODES)
    @pytest.mark.parametrize(
        ("mode", "require"),
        [("SUPERSEDED", "idle"), ("QUEUED", "succeeded"), ("PARALLEL", "succeeded")],
    )
    def test_the_gate_does_what_was_predicted(self, hold: str, mode: str, require: str) -> None:
        pushes = make_up_pushes(f"{hold} {mode} {require}")
        with in_process(executor(), dials=Dials(start_on_create=False)) as world:
            scene = Scene(world)
            scene.pipeline("k8s", mode=mode)
            play(scene, pushes)
            report = read_report("k8s", "--depends-on", "infra", "--days", "2")
            starts = {run["pipelineExecutionId"]: run["startTime"] for run in scene.executions()}
        policy = next(policy for policy in report["policies"] if policy["require"] == require)
        way = next(way for way in policy["ways"] if way["hold"] == hold)
        ends = {
            held["execution"]: datetime.fromisoformat(held["until"]) for held in policy["holds"]
        }
        assert len(ends) >= 5  # otherwise this test proves little

        dials = Dials(start_on_create=False, continuation_seconds=CONTINUATION_SECONDS)
        # A driven clock lets everything wait while a function sleeps.
        with in_process(executor(), dials=dials) as world, patch("time.sleep"):
            scene = Scene(world)
            scene.gated("k8s", ask(require=require, hold=hold), mode=mode)
            play(scene, pushes)
            failed = scene.statuses().count("Failed")
            assert failed == (way["replaced"] if hold == "retry" else way["failed"])
            restarts = way["go_on"] if hold == "restart" else 0
            assert len(scene.statuses()) == len(starts) + restarts
            passed = [moment for id_, moment in starts.items() if id_ not in ends]
            continued = [ends[id_] for id_ in way["executions"]]
            start_up = 15 + (CONTINUATION_SECONDS if hold == "wait" else 0)
            assert_close(list_deploy_starts(scene), sorted([*passed, *continued]), start_up)
            if hold != "wait":
                predicted = [timedelta(seconds=held["seconds"]) for held in policy["holds"]]
                assert_close(list_hold_durations(), predicted, start_up)


def make_up_pushes(seed: str) -> list[tuple[int, str, int, str]]:
    """Return pushes of some hours: the minute, the pipeline, how many seconds its work takes, and
    how it ends. k8s's pushes are never close to infra's.
    """
    chance = random.Random(seed)
    infra = [
        (0, "infra", 5 * 60, "Succeeded"),
        (60, "infra", 40 * 60, "Failed"),
        (120, "infra", 30 * 60, "Succeeded"),
        (180, "infra", 20 * 60, "Failed"),
        (240, "infra", 30 * 60, "Succeeded"),
    ]
    k8s = [(minute, "k8s", 1, "Succeeded") for minute in chance.sample(range(33, 290, 5), 18)]
    return sorted([*infra, *k8s])


def play(scene: Scene, pushes: Sequence[tuple[int, str, int, str]]) -> None:
    scene.pipeline("infra")
    work: dict[str, tuple[float, str]] = {}
    backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
    backend.outcome = lambda execution, stage, _: (
        work[execution.pipeline_name] if stage == "Deploy" else (1.0, "Succeeded")
    )
    for minute, name, seconds, outcome in pushes:
        moment = MONDAY_NOON + timedelta(minutes=minute)
        scene.world.clock.advance(moment - datetime.now(moment.tzinfo))
        work[name] = (seconds, outcome)
        scene.start(name)
    scene.wait(minutes=30)


def list_deploy_starts(scene: Scene) -> list[datetime]:
    """Return when k8s's work really started."""
    pages = scene.codepipeline.get_paginator("list_action_executions").paginate(pipelineName="k8s")
    return sorted(
        action["startTime"]
        for page in pages
        for action in page["actionExecutionDetails"]
        if action["stageName"] == "Deploy"
    )


def list_hold_durations() -> list[timedelta]:
    """Return how long each hold really lasted, by its start, from the retry function's log."""
    records = read_log("retry")
    seconds = {
        record["since"]: record["waited_seconds"]
        for record in reversed(records)
        if record.get("waited_seconds") is not None
    }
    return [timedelta(seconds=seconds[since]) for since in sorted(seconds)]


def assert_close(real: Sequence[Any], predicted: Sequence[Any], seconds: int) -> None:
    assert len(real) == len(predicted)
    differences = [abs(a - b) for a, b in zip(real, predicted, strict=True)]
    assert max(differences, default=timedelta()) < timedelta(seconds=seconds)


@pytest.fixture
def day(scene: Scene) -> Scene:
    """infra runs from 12:00 to 12:10 and from 14:00 to 14:10. k8s runs for a minute at 12:02 (when
    it fails), 12:05, 13:00 and 13:59.
    """
    scene.pipeline("k8s")
    infra = [(minute, "infra", 599, "Succeeded") for minute in (0, 120)]
    k8s = [(minute, "k8s", 59, "Succeeded") for minute in (5, 60)]
    k8s += [(2, "k8s", 59, "Failed"), (119, "k8s", 89, "Succeeded")]
    play(scene, sorted([*infra, *k8s]))
    return scene


def test_it_reports_what_happened(day: Scene) -> None:
    output = run("history", "k8s", "--depends-on", "infra")
    assert output.status == 0
    assert output.out.splitlines()[:3] == [
        "If k8s had waited for infra: 2026-11-23 to 2026-11-23 (2 h 30 min)",
        "k8s ran 4 times, 3 times while infra was running. The failure rate was 33 % then, 0 % "
        "otherwise.",
        "By default, a gate would have held 2 executions: median 6 min, longest 8 min, total "
        "13 min.",
    ]
    assert "started then 2 - 1 (50 %) held" in output.words
    assert "started before, or rolled back 1 - 0 (0 %) not held" in output.words
    assert "idle restart 2 1 1 0 1 retry 2 1 1 0 1 wait 0 2 0 0 1" in output.words
    assert "another region" not in output.words


def test_the_picture_is_readable_without_unicode(day: Scene) -> None:
    output = run("history", "k8s", "--depends-on", "infra", charset="ascii")
    assert output.status == 0
    assert "= running, + succeeded, x failed, o ended otherwise, * not ended yet" in output.words
    assert re.search(r"^infra +=+\+$", output.out, re.MULTILINE)
    assert "?" not in output.out


def test_the_report_for_programs(day: Scene) -> None:
    report = read_report("k8s", "--depends-on", "infra", "--days", "1")
    assert report["since"] == "2026-11-23T12:00:00+00:00"
    assert report["until"] == "2026-11-23T14:30:10+00:00"
    assert report["overlapping"] == {"count": 3, "finished": 3, "failed": 1}
    assert report["began_while_upstream_ran"] == {"count": 2, "finished": 2, "failed": 1}
    assert report["apart"] == {"count": 1, "finished": 1, "failed": 0}
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra"
    assert report["upstreams"] == [
        {"pipeline": "infra", "arn": arn, "count": 2, "finished": 2, "failed": 0}
    ]
    last, second, first = (
        run["pipelineExecutionId"] for run in day.executions() if run["startTime"].minute != 0
    )
    until = "2026-11-23T12:10:00+00:00"
    idle = report["policies"][0]
    assert [tuple(held.values()) for held in idle["holds"]] == [
        (first, "2026-11-23T12:02:00+00:00", until, 480),
        (second, "2026-11-23T12:05:00+00:00", until, 300),
    ]
    assert list(idle["holds"][0]) == ["execution", "since", "until", "seconds"]
    assert [(way["hold"], way["failed"], way["executions"]) for way in idle["ways"]] == [
        ("restart", 2, [second]),
        ("retry", 2, [second]),
        ("wait", 0, [first, second]),
    ]
    overlap = report["overlaps"][2]
    assert (overlap["execution"], overlap["status"]) == (last, "Succeeded")
    assert overlap["ended"] == "2026-11-23T14:00:30+00:00"
    assert [upstream["pipeline"] for upstream in overlap["upstreams"]] == ["infra"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("k8s --depends-on infra,infar", "There is no pipeline infar in eu-central-1"),
        ("k8s --depends-on infra/Deploy", "infra/Deploy is a single stage. AWS lists when"),
        (
            """k8s --depends-on '{"pipeline": "infra", "stage": "Deploy"}'""",
            "infra/Deploy is a single stage. AWS lists when",
        ),
        ("k8s --depends-on 'in fra'", 'depends_on has "in fra", which is not a pipeline\'s name'),
        ("k8s --depends-on infra,k8s", "k8s cannot wait for itself: name another pipeline"),
        (f"k8s --depends-on {INFRA_ELSEWHERE}", "There is no pipeline infra in us-east-1, nor any"),
        (
            f"k8s --depends-on arn:aws:codepipeline:{REGION}:{OTHER_ACCOUNT}:infra",
            f"infra is in account {OTHER_ACCOUNT}, but your credentials are for account {ACCOUNT}",
        ),
        ("k8s --depends-on infra --days 366", "366 is not in the range 1<=x<=365"),
        ("k8s", "Missing option '--depends-on'"),
    ],
)
def test_an_impossible_request_is_refused(scene: Scene, words: str, complaint: str) -> None:
    scene.pipeline("infra")
    scene.pipeline("k8s")
    assert complaint in run_refused("history", *shlex.split(words))


def test_it_takes_an_object_as_attach_does(day: Scene) -> None:
    infra = '{"pipeline": "infra", "require": "succeeded"}'
    network = '{"pipeline": "network", "parked": "pass"}'
    assert read_report("k8s", "--depends-on", infra) == read_report("k8s", "--depends-on", "infra")
    day.pipeline("network")
    words = run("history", "k8s", "--depends-on", infra, "--depends-on", network).words
    assert "You require success only of infra." in words
    assert 'With "parked": "pass", the gate ignores network during waits for a person.' in words


def test_an_upstream_in_another_region_is_read_there(scene: Scene) -> None:
    elsewhere = Scene(scene.world, region=OTHER_REGION)
    elsewhere.pipeline("infra")
    scene.pipeline("infra")
    scene.pipeline("k8s")
    elsewhere.start("infra")
    scene.start("k8s")
    words = run("history", "k8s", "--depends-on", INFRA_ELSEWHERE).words
    assert f"k8s ran once, while infra ({OTHER_REGION}) was running. It did not fail." in words
    assert (
        f"infra ({OTHER_REGION}) is in another region. Unless its events are forwarded "
        "(docs/elsewhere.md)" in words
    )


class TestExecutionsThatThePipelinesOwnGateHeld:
    """They failed on purpose while infra was running, so they would make the gate look bad."""

    def test_are_left_out(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(seconds=5)
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=20)
        assert scene.statuses() == ["Succeeded", "Failed"]
        scene.gated("apps", ask("k8s", pipeline="apps"))
        words = run("history", "k8s", "--depends-on", "infra").words
        assert "k8s ran once, but not while infra was running." in words
        assert (
            "k8s already has a gate, for infra. It held 1 execution, which did no work and is not "
            "counted here." in words
        )
        assert "infra also has a gate" not in words
        words = run("history", "apps", "--depends-on", "k8s").words
        assert "k8s also has a gate. While k8s is held, the gate of apps waits for it" in words
        scene.wait(minutes=48 * 60)  # a hold before --days is not counted
        words = run("history", "k8s", "--depends-on", "infra", "--days", "1").words
        assert "It did not fail any execution to hold it." in words

    @pytest.mark.parametrize("condition", [False, True])
    @pytest.mark.parametrize("detached", [False, True])
    def test_are_left_out_if_it_is_a_condition_or_was_removed(
        self, scene: Scene, *, condition: bool, detached: bool
    ) -> None:
        scene.pipeline("infra")
        conditioned(scene) if condition else scene.k8s()
        start_all(scene, "infra", "k8s", "k8s")
        scene.wait(minutes=20)
        assert scene.statuses() == ["Succeeded", "Failed", "Failed"]
        if detached:
            assert run("detach", "k8s", "--yes").status == 0
        output = run("history", "k8s", "--depends-on", "infra")
        title, caution = output.out.splitlines()[:2]
        assert title.startswith("If k8s had waited for infra:")
        assert caution.startswith(
            "Caution: k8s had a gate in this time. It held 2 executions, which did no work and are "
            "not counted here."
            if detached
            else "Caution: k8s already has a gate, for infra. It held 2 executions, which did no "
        )
        assert "k8s ran once, but not while infra was running." in output.words
        assert count_executions() == (1, 1, 0)

    def test_do_not_include_failures_after_the_gate_was_removed(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(outcome="Failed")
        run("detach", "k8s", "--yes")
        scene.start("k8s")
        scene.wait(minutes=5)
        assert "had a gate" not in run("history", "k8s", "--depends-on", "infra").words
        assert count_executions() == (1, 1, 1)

    def test_do_not_include_refusals(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask("infar"))
        scene.start("k8s")
        assert count_executions() == (1, 1, 1)


class TestReading:
    @pytest.fixture
    def both(self, scene: Scene) -> Scene:
        """infra and k8s, which have not run yet."""
        for name in ("infra", "k8s"):
            scene.pipeline(name)
        return scene

    @pytest.fixture
    def busy(self, both: Scene) -> Scene:
        """infra and k8s, which have run three times a day for a year."""
        for name in ("infra", "k8s"):
            both.has_run(
                name, *((timedelta(hours=hours), "Succeeded") for hours in range(8000, 0, -8))
            )
        return both

    def test_it_stops_at_the_first_page_that_is_old_enough(
        self, busy: Scene, operations: list[str]
    ) -> None:
        report = read_report("k8s", "--depends-on", "infra", "--days", "90")
        assert report["executions"]["count"] == 270
        # 14 more days of infra, because the gate looks back that far
        assert operations == ["GetPipeline"] * 2 + ["ListPipelineExecutions"] * (3 + 4)

    def test_it_shows_how_far_back_it_is(
        self, busy: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        output = run("history", "k8s", "--depends-on", "infra", "--days", "90")
        assert "Reading the executions of k8s, days back" in output.err
        assert "90/90" in output.err
        assert "Reading" not in output.out

    def test_access_denied_by_aws_is_reported(self, both: Scene, fail: Fail) -> None:
        fail("GetPipeline", "AccessDeniedException")
        complaint = run_refused("history", "k8s", "--depends-on", "infra", status=AWS_REFUSED)
        assert "AWS denied codepipeline:GetPipeline (" in complaint

    def test_a_history_shorter_than_requested(self, both: Scene) -> None:
        both.has_run("infra", (timedelta(days=40), "Succeeded"), (timedelta(days=20), "Succeeded"))
        both.has_run("k8s", (timedelta(days=30), "Succeeded"))
        words = run("history", "k8s", "--depends-on", "infra", "--days", "60").words
        assert "2026-10-24 to 2026-11-23 (30 days)" in words
        assert "k8s has only existed since 2026-10-24 12:00 UTC (30 d)." in words
        assert "infra has only existed" not in words

    def test_the_last_result_before_that_time_is_read(self, both: Scene) -> None:
        """It can be long ago: the gate looks back as far."""
        both.has_run(
            "infra",
            (timedelta(days=300), "Succeeded"),
            *((timedelta(days=200), "Superseded") for _ in range(250)),
        )
        both.has_run("k8s", (timedelta(days=3), "Succeeded"))
        report = read_report("k8s", "--depends-on", "infra", "--days", "20")
        assert [policy["held"] for policy in report["policies"]] == [0, 0]
        assert report["upstreams"][0]["count"] == 0

    def test_of_two_that_started_together_the_newer_result_counts(self, both: Scene) -> None:
        both.has_run("infra", (timedelta(hours=2), "Failed"), (timedelta(hours=2), "Succeeded"))
        both.has_run("k8s", (timedelta(hours=1), "Succeeded"))
        report = read_report("k8s", "--depends-on", "infra")
        assert [policy["held"] for policy in report["policies"]] == [0, 0]
