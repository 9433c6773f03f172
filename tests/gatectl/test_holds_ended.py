"""`gatectl holds --ended`: which waits have ended, and how."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import boto3
import pytest

from chalicelib.aws.logs import LogLines, Logs
from gatectl.ended import PATTERN, list_ended_waits
from gatectl.session import AWS_REFUSED
from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.deployment import delete, deploy
from tests.support.explaining import EVERYTHING, deny
from tests.support.held import hold_k8s
from tests.support.person import act_as_person
from tests.support.refused import run_refused
from tests.support.scene import Scene

PERSON = "arn:aws:sts::123456789012:user/moto"
EXECUTION = "5e6f7a8b-0000-4000-8000-000000000001"
JOB = "9a8b7c6d-0000-4000-8000-000000000001"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
END = {
    "function": "retry",
    "decision": "started",
    "reason": "the upstreams are idle",
    "pipeline": "k8s",
    "execution": EXECUTION,
    "waited_seconds": 590,
}


@pytest.fixture
def ended(scene: Scene) -> dict[str, str]:
    """infra has run from 12:00 to 12:20, and each other pipeline's wait for it has ended in a way
    of its own. Returns the executions.
    """
    scene.pipeline("infra", seconds=1200)
    scene.gated("k8s", ask("infra"))
    scene.gated("apps", ask("infra", pipeline="apps", hold="retry", give_up_minutes=5))
    scene.gated("web", ask("infra", pipeline="web", hold="wait"))
    scene.gated("docs", ask("infar", pipeline="docs"))
    scene.gated("db", ask("infra", pipeline="db", hold="retry"))
    scene.gated("jobs", ask("infra", pipeline="jobs"))
    scene.start("infra")
    executions = {name: scene.start(name) for name in ("k8s", "apps", "web", "docs", "db", "jobs")}
    scene.wait(minutes=2)
    assert run("release", "db", "--yes").status == 0
    executions["new jobs"] = scene.start("jobs")
    scene.wait(minutes=28)
    for name in ("k8s", "jobs"):
        executions[f"started {name}"] = scene.executions(name)[0]["pipelineExecutionId"]
    return {name: execution[:8] for name, execution in executions.items()}


def read_rows(said: Said) -> list[str]:
    return [" ".join(line.split()) for line in said.out.splitlines()[1:]]


def write_line(function: str, line: object) -> None:
    """Let the function have logged this, after all it has logged before."""
    logs, group = boto3.client("logs"), f"/aws/lambda/{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="more")["logStreams"]:
        logs.create_log_stream(logGroupName=group, logStreamName="more")
    message = line if isinstance(line, str) else json.dumps(line)
    logs.put_log_events(
        logGroupName=group,
        logStreamName="more",
        logEvents=[{"timestamp": int(utcnow().timestamp() * 1000), "message": message}],
    )


def test_each_end_has_one_row_with_what_followed_the_newest_first(ended: dict[str, str]) -> None:
    said = run("holds", "--ended", "24h", columns=300)
    assert (said.status, said.err) == (0, "")
    header, rows = " ".join(said.out.splitlines()[0].split()), read_rows(said)
    assert header == "ended (UTC) pipeline execution how after by what followed, and why"
    times, pipelines, executions = zip(*(row.split()[:3] for row in rows), strict=True)
    assert times == tuple(sorted(times, reverse=True))
    assert pipelines[4:] == ("apps", "db", "docs")
    cells = dict(zip(executions, (re.sub("[0-9]+ min", "n min", row) for row in rows), strict=True))
    expected = {
        "k8s": f"released n min - started {ended['started k8s']}: the upstreams are idle",
        "web": "released n min - the same execution continued: infra is idle",
        "apps": "given up n min - still waiting for infra",
        "db": "released n min user/moto the same execution continued: released by "
        f"{PERSON}: still waiting for infra",
        "docs": "refused - - There is no pipeline infar in account",
        "jobs": f"dropped n min - a newer execution exists: {ended['new jobs']} is Failed",
        "new jobs": f"released n min - started {ended['started jobs']}: the upstreams are idle",
    }
    for name, words in expected.items():
        assert f" {ended[name]} {words}" in cells[ended[name]]


def test_json(ended: dict[str, str]) -> None:
    output = run("holds", "--ended", "24h", "--json").json()
    assert set(output) == {"region", "since", "until", "ended", "truncated", "unread"}
    assert (output["region"], output["since"][:16]) == ("eu-central-1", "2026-11-22T12:31")
    assert output["until"][:16] == "2026-11-23T12:31"
    ends = {end["execution"][:8]: end for end in output["ended"]}
    db = ends[ended["db"]]
    link = db.pop("execution_link")
    assert link.startswith("https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/")
    assert db.pop("ended").startswith("2026-11-23T12:0")
    assert 120 <= db.pop("waited_seconds") < 180
    assert db == {
        "function": "pipeline-gate-dev-retry",
        "decision": "let go",
        "pipeline": "db",
        "execution": db["execution"],
        "by": PERSON,
        "started": None,
        "continued": True,
        "replaced_by": None,
        "start_command": None,
        "reason": f"released by {PERSON}: still waiting for infra",
    }
    facts = {
        name: (
            ends[ended[name]]["decision"],
            (ends[ended[name]]["started"] or "")[:8],
            ends[ended[name]]["continued"],
            (ends[ended[name]]["replaced_by"] or "")[:8],
        )
        for name in ("k8s", "jobs", "web", "apps", "docs")
    }
    assert facts == {
        "k8s": ("started", ended["started k8s"], False, ""),
        "jobs": ("dropped", "", False, ended["new jobs"]),
        "web": ("released", "", True, ""),
        "apps": ("gave up", "", False, ""),
        "docs": ("refused", "", False, ""),
    }


@pytest.mark.usefixtures("ended")
def test_only_what_ended_in_this_time() -> None:
    assert {row.split()[0] for row in read_rows(run("holds", "--ended", "15m", columns=200))} == {
        "12:20"
    }
    assert run("holds", "--ended", "5m").words == (
        "No wait has ended in eu-central-1 since 12:26 UTC, and no gate has refused."
    )
    assert run("holds", "--ended", "5m", "--json").json()["ended"] == []


def test_a_wait_that_the_gate_refuses_has_one_row(scene: Scene) -> None:
    """The gate logs the refusal and the end of the wait."""
    execution = hold_k8s(scene, hold="wait", minutes=3)
    scene.codepipeline.delete_pipeline(name="infra")
    scene.wait(minutes=20)
    (row,) = read_rows(run("holds", "--ended", "1h", columns=200))
    assert f"k8s {execution[:8]} dropped" in row
    assert "There is no pipeline infra" in row


@pytest.mark.parametrize(
    ("details", "sequel"),
    [
        ({"decision": "retried"}, "the same execution continued: why"),
        ({"decision": "retried", "started": EXECUTION}, "the same execution continued: why"),
        ({"decision": "started", "started": EXECUTION}, "started 5e6f7a8b: why"),
        ({"decision": "let go", "started": EXECUTION}, "started 5e6f7a8b: why"),
        ({"decision": "gave up", "on_give_up": "stop"}, "why"),
        ({"decision": "gave up", "on_give_up": "continue"}, "the same execution continued: why"),
        ({"decision": "dropped", "replaced_by": EXECUTION}, "replaced by 5e6f7a8b: why"),
        ({"decision": "deadlock"}, "why"),
    ],
)
@pytest.mark.usefixtures("scene")
def test_what_followed(details: dict[str, str], sequel: str) -> None:
    write_line("pipeline-gate-dev-retry", {**END, "reason": "why", **details})
    (row,) = read_rows(run("holds", "--ended", "1h", columns=200))
    assert row.partition(" 10 min ")[2] == sequel


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 5e6f Version: $LATEST",
        "[ERROR] started waited_seconds",
        "[" * 100_000,
        '["started"]',
        json.dumps({**END, "decision": "waiting"}),
        json.dumps({**END, "decision": "passed"}),
        json.dumps({**END, "decision": ["started"]}),
        json.dumps({**END, "decision": "deadlock", "waited_seconds": None}),
        json.dumps({**END, "waited_seconds": True}),
        json.dumps({**END, "waited_seconds": 10**30}),
        json.dumps({**END, "waited_seconds": -1}),
        json.dumps({**END, "answered": False}),
        json.dumps({**END, "decision": "refused", "answered": False}),
    ],
)
def test_other_lines_are_skipped(line: str) -> None:
    good = json.dumps(END)
    (wait,) = list_ended_waits({"retry": LogLines(((NOON, line), (NOON, good)))})
    assert (wait.decision, wait.waited_seconds) == ("started", 590)


def test_aws_searches_for_the_ends() -> None:
    """The sandbox returns every line for a pattern of this kind."""
    words = re.findall(r'\(\$\.decision = "([^"]+)"\)', PATTERN)
    assert re.sub(r'\(\$\.decision = "[^"]+"\)', "word", PATTERN) == (
        "{ " + " || ".join(["word"] * len(words)) + " }"
    )
    assert {"started", "retried", "released", "let go", "gave up", "dropped", "refused"} < {*words}
    assert not {"passed", "waiting", "held", "still held", "over"} & {*words}
    assert len(PATTERN) <= 1024, "the longest that AWS accepts (model: FilterPattern)"


def test_a_refusal_of_another_job_keeps_its_row() -> None:
    refused = {"decision": "refused", "job": JOB.replace("1", "2"), "reason": "why"}
    lines = [refused, {**refused, "job": JOB}, {**END, "decision": "dropped", "job": JOB}]
    log = LogLines(tuple((NOON, json.dumps(line)) for line in lines))
    assert [wait.decision for wait in list_ended_waits({"gate": log})] == ["refused", "dropped"]


@pytest.mark.usefixtures("scene")
def test_text_that_no_function_wrote_is_harmless() -> None:
    text = "[red]x[/red] \x1b[2K\r\x9b\u202e\nnext\ud800"
    fields = ("reason", "released_by", "pipeline", "execution", "started", "replaced_by")
    write_line("pipeline-gate-dev-retry", {**END, **dict.fromkeys(fields, text)})
    said = run("holds", "--ended", "1h", columns=200)
    (row,) = read_rows(said)
    assert not set("\x1b\r\x9b\u202e") & set(said.out)
    assert row.startswith("12:00 - - released 10 min [red]x[/red]")
    assert run("holds", "--ended", "1h", "--json").json()["ended"][0]["pipeline"] is None


@pytest.mark.usefixtures("scene")
def test_the_functions_of_every_stage_are_read() -> None:
    deploy("prod")
    write_line("pipeline-gate-dev-retry", {**END, "pipeline": "dev"})
    write_line("pipeline-gate-prod-gate", {**END, "pipeline": "prod", "summary": "why"})
    write_line("pipeline-gate-old-retry", {**END, "pipeline": "of a stage that was deleted"})
    ends = run("holds", "--ended", "1h", "--json").json()["ended"]
    assert {(end["function"], end["pipeline"]) for end in ends} == {
        ("pipeline-gate-dev-retry", "dev"),
        ("pipeline-gate-prod-gate", "prod"),
    }


class TestIncompleteReading:
    @pytest.mark.usefixtures("ended")
    def test_a_log_that_is_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read_lines = Logs.read_lines

        def read_some(logs: Logs, group: str, *arguments: Any, **keywords: Any) -> LogLines:
            assert keywords["newest_first"], "the oldest lines are left out"
            log = read_lines(logs, group, *arguments, **keywords)
            return LogLines(log.lines, complete=not group.endswith("-retry"))

        monkeypatch.setattr(Logs, "read_lines", read_some)
        said = run("holds", "--ended", "1h")
        assert said.complaint == (
            "Only the newest part of the log of pipeline-gate-dev-retry was read, because it is "
            "too long. Earlier ends may be missing. Choose a shorter time with --ended."
        )
        assert "k8s" in said.out
        output = run("holds", "--ended", "1h", "--json").json()
        assert output["truncated"] == ["pipeline-gate-dev-retry"]

    @pytest.mark.parametrize(("max_pages", "complete"), [(2, False), (3, True), (4, True)])
    def test_the_newest_pages_are_read(self, max_pages: int, complete: bool) -> None:
        pages = [
            {"events": [{"timestamp": 3000, "message": "third"}], "nextToken": "2"},
            {"events": [], "nextToken": "3"},
            {"events": [{"timestamp": 1000, "message": "first"}]},
        ]
        client = Mock()
        client.get_paginator.return_value.paginate.return_value = pages
        log = Logs(client).read_lines("group", "pattern", NOON, max_pages, newest_first=True)
        messages = ["third", "first"] if complete else ["third"]
        assert ([line for _, line in log.lines], log.complete) == (messages, complete)
        (call,) = client.get_paginator.return_value.paginate.mock_calls
        assert call.kwargs["startFromHead"] is False

    @pytest.mark.usefixtures("ended")
    def test_a_log_that_may_not_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gate = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/*-gate:*"
        denied = {"Effect": "Deny", "Action": "logs:FilterLogEvents", "Resource": gate}
        act_as_person(monkeypatch, EVERYTHING, denied)
        said = run("holds", "--ended", "1h")
        assert said.status == 0
        assert said.complaint.startswith(
            "not read: the log of pipeline-gate-dev-gate (AWS denied logs:FilterLogEvents ("
        )
        assert "k8s" in said.out
        assert "docs" not in said.out, "the gate logged that"
        output = run("holds", "--ended", "1h", "--json").json()
        assert list(output["unread"]) == ["pipeline-gate-dev-gate"]

    @pytest.mark.usefixtures("ended")
    def test_no_log_may_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        deny(monkeypatch, "logs:FilterLogEvents")
        complaint = run_refused("holds", "--ended", "1h", status=AWS_REFUSED)
        assert "logs:FilterLogEvents" in complaint


@pytest.mark.usefixtures("scene")
def test_without_a_deployment() -> None:
    delete("dev")
    assert run("holds", "--ended", "1h").words == (
        "No gate is deployed in eu-central-1, so there is no log to read. Is this the right region "
        "and account?"
    )


@pytest.mark.parametrize("period", ["soon", "", "24", "h", "0h", "-1h", "1.5h", "24 h 5", "366d"])
def test_a_time_that_it_does_not_understand(period: str) -> None:
    assert run_refused("holds", "--ended", period) == " ".join(
        f"Error: --ended {period} is not a time. Write a number and m, h or d, such as 90m, 24h "
        "or 7d: at most 365d.".split()
    )


@pytest.mark.parametrize("option", ["--watch", "--links"])
def test_options_that_make_no_sense_together(option: str) -> None:
    assert run_refused("holds", "--ended", "24h", option) == (
        "Error: --ended does not work with --watch or --links: with --json, each end has a link."
    )
