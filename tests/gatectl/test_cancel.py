"""`gatectl cancel`: a person ends a wait, and nothing is started."""

from __future__ import annotations

import json
from unittest.mock import Mock

import pytest

from gatectl.session import AWS_REFUSED, FAULTS_FOUND, INTERRUPTED
from tests.gatectl.conftest import Fail
from tests.support.cli import run
from tests.support.explaining import commands, explains
from tests.support.held import RULE_MODES, edit, hold_k8s
from tests.support.logs import read_log
from tests.support.parallel import hold_in_parallel
from tests.support.refused import run_refused
from tests.support.scene import Scene

MODES = [*RULE_MODES, "wait"]
ARN = "arn:aws:sts::123456789012:user/moto"


def hold(scene: Scene, mode: str) -> str:
    """infra runs for an hour, and k8s is waiting for it. Return k8s' execution."""
    return hold_k8s(scene, seconds=3600, minutes=2, hold=mode)


@pytest.mark.parametrize("mode", MODES)
def test_the_wait_ends_and_nothing_is_started(scene: Scene, mode: str) -> None:
    execution = hold(scene, mode)
    said = run("cancel", "k8s", "--reason", "wrong commit", typed="y\n")
    assert said.status == 0, said.err
    assert f"Execution {execution[:8]} of k8s has been waiting for infra since" in said.words
    effect = (
        "This execution fails at the gate's next check, and nothing is started."
        if mode == "wait"
        else "This execution stays failed, and nothing is started."
    )
    later = (
        "To start k8s later, retry its stage, so that the gate checks again, or run: aws "
        "codepipeline start-pipeline-execution --name k8s"
    )
    for sentence in (effect, f"The log and the event will say that you canceled it ({ARN})", later):
        assert said.words.index(sentence) < said.words.index("Cancel this wait now? [y/N]")
    scene.wait(minutes=6)
    assert scene.statuses() == ["Failed"]
    assert scene.rules() == []
    scene.wait(minutes=60)
    assert scene.statuses() == ["Failed"], "not even when infra has ended"

    records = [*read_log("gate"), *read_log("retry")]
    (end,) = [record for record in records if record["decision"] == "canceled"]
    assert (end["function"], end["Canceled"]) == ("gate" if mode == "wait" else "retry", 1)
    assert (end["canceled_by"], end["comment"]) == (ARN, "wrong commit")
    assert end["reason"] == f'canceled by {ARN} ("wrong commit")'
    assert 120 <= end["WaitTime"] < 180
    assert [record for record in records if "WaitTime" in record] == [end]


@pytest.mark.parametrize("mode", MODES)
def test_the_next_execution_waits_again(scene: Scene, mode: str) -> None:
    hold(scene, mode)
    run("cancel", "k8s", "--yes")
    scene.wait(minutes=6)
    scene.start("k8s")
    scene.wait(minutes=1)
    assert scene.statuses()[0] == ("InProgress" if mode == "wait" else "Failed")
    assert "k8s has been waiting for infra since 12:08" in scene.gate_message()


def test_the_console_says_who_canceled_a_wait_in_progress(scene: Scene) -> None:
    hold(scene, "wait")
    run("cancel", "k8s", "--reason", "falscher Zweig für heute", "--yes")
    scene.wait(minutes=2)
    assert scene.gate_message().startswith(
        f'Canceled by {ARN} ("falscher Zweig für heute"). It had been waiting for infra since 12:00'
    )
    assert "Nothing starts automatically. To check again, retry this stage." in scene.gate_message()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("first", "last"), [("release", "cancel"), ("cancel", "release")])
def test_the_last_command_wins(scene: Scene, fail: Fail, mode: str, first: str, last: str) -> None:
    """The retry function has not executed the first command yet."""
    scene.world.dials.continuation_seconds = 240.0
    hold(scene, mode)
    fail("Invoke", "AccessDeniedException")
    for command in (first, last):
        assert run(command, "k8s", "--yes", "--reason", f"to {command}").status == 0
        (rule,) = scene.rules()
        (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
        marks = {"released_by", "canceled_by", "comment"} & json.loads(target["Input"]).keys()
        participle = "canceled" if command == "cancel" else "released"
        assert marks == {f"{participle}_by", "comment"}
        assert f" {participle}" in run("holds").words
    scene.wait(minutes=10)
    assert scene.statuses() == ["Failed" if last == "cancel" else "Succeeded"]


def test_answering_no_changes_nothing(scene: Scene) -> None:
    hold(scene, "restart")
    said = run("cancel", "k8s", typed="n\n")
    assert (said.status, "Nothing was changed." in said.out) == (FAULTS_FOUND, True)
    scene.wait(minutes=60)
    assert scene.statuses()[0] == "Succeeded"


def test_json_needs_yes_and_lists_what_was_canceled(scene: Scene) -> None:
    execution = hold(scene, "restart")
    assert "Use --yes." in run_refused("cancel", "k8s", "--json")
    assert run("cancel", "k8s", "--json", "--yes", "--reason", "why").json() == {
        "pipeline": "k8s",
        "canceled_by": ARN,
        "comment": "why",
        "canceled": [
            {"execution": execution, "rule": f"pipeline-gate-dev-{execution}", "hold": "restart"}
        ],
    }


def test_one_of_several_held_executions(scene: Scene) -> None:
    first, second = hold_in_parallel(scene)
    assert run("cancel", "k8s", "--execution", second[:8], "--yes").status == 0
    scene.wait(minutes=1)
    assert scene.rules() == [f"pipeline-gate-dev-{first}"]


def test_all_held_executions(scene: Scene) -> None:
    hold_in_parallel(scene)
    said = run("cancel", "k8s", typed="y\n")
    assert "They stay failed, and nothing is started." in said.words
    assert "Cancel these waits now?" in said.words
    scene.wait(minutes=1)
    assert scene.rules() == []


def test_an_edited_pipeline(scene: Scene) -> None:
    """A release is refused then, because AWS does not retry its stage. A wait can still end."""
    hold(scene, "retry")
    edit(scene)
    said = run("cancel", "k8s", typed="y\n")
    assert "To start k8s later, run: aws codepipeline" in said.words
    scene.wait(minutes=1)
    assert scene.rules() == []


def test_if_the_retry_function_may_not_be_invoked_the_rule_ends_the_wait(
    scene: Scene, fail: Fail
) -> None:
    hold(scene, "restart")
    fail("Invoke", "AccessDeniedException")
    said = run("cancel", "k8s", "--yes")
    assert "The wait of k8s is canceled and ends at the next check, at 12:05 UTC." in said.words
    scene.wait(minutes=4)
    assert scene.rules() == []


def test_a_hold_that_has_just_ended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(scene, "restart")
    monkeypatch.setattr("chalicelib.aws.eventbridge.EventBridge.read_hold", lambda *_: None)
    said = run("cancel", "k8s", "--yes")
    assert said.status == FAULTS_FOUND
    assert "has just ended, so there was nothing to cancel." in said.words
    assert run("cancel", "k8s", "--yes", "--json").json()["canceled"] == []


def test_if_stopped_in_the_middle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(scene, "restart")
    monkeypatch.setattr("gatectl.marking.mark_wait", Mock(side_effect=KeyboardInterrupt))
    said = run_refused("cancel", "k8s", "--yes", status=INTERRUPTED)
    assert said.startswith("Error: Stopped in the middle. To see what has been canceled, run")


def test_without_room_for_a_rule(scene: Scene) -> None:
    scene.only_room_for(0)
    hold(scene, "wait")
    complaint = run_refused("cancel", "k8s", "--yes", status=AWS_REFUSED)
    assert "so only a rule can cancel it" in complaint
    assert complaint.endswith("Then cancel it again. Or stop the execution.")


# --reason


@pytest.mark.parametrize("command", ["release", "cancel"])
@pytest.mark.parametrize(
    ("reason", "complaint"),
    [
        ("x" * 201, "--reason has 201 characters, and at most 200 are possible."),
        ("  ", "--reason is empty."),
        ("one\ntwo", "--reason contains a line break"),
        ("red \x1b[31m", "--reason contains a line break or another character"),
        ("\u202eevil", "--reason contains a line break or another character"),
    ],
)
def test_a_reason_that_cannot_be_shown_is_refused(
    scene: Scene, command: str, reason: str, complaint: str
) -> None:
    hold(scene, "restart")
    assert complaint in run_refused(command, "k8s", "--yes", "--reason", reason)
    assert run("holds", "--json").json()["holds"][0]["comment"] is None


@pytest.mark.parametrize("mode", MODES)
def test_the_reason_of_a_release_is_in_the_summary_and_the_log(scene: Scene, mode: str) -> None:
    hold(scene, mode)
    reason = 'urgent: "$(rm -rf)" {json} ' + "ü" * 170
    run("release", "k8s", "--yes", "--reason", reason)
    scene.wait(minutes=3)
    assert scene.gate_message().startswith(
        f"Released by {ARN} ({json.dumps(reason, ensure_ascii=False)}). It"
    )
    for record in [*read_log("gate"), *read_log("retry")]:
        if "released_by" in record:
            assert record["comment"] == reason


# What the other commands say


@pytest.mark.parametrize("mode", MODES)
def test_a_canceled_wait_is_shown_until_the_next_check(scene: Scene, fail: Fail, mode: str) -> None:
    scene.world.dials.continuation_seconds = 240.0
    hold(scene, mode)
    fail("Invoke", "AccessDeniedException")
    run("cancel", "k8s", "--yes", "--reason", "wrong commit")
    (row,) = run("holds", "--json").json()["holds"]
    assert (row["waits"], row["canceled_by"], row["comment"]) == (True, ARN, "wrong commit")
    assert "gatectl release" not in run("holds").words
    said = explains(
        begins=f'The wait of k8s was canceled by {ARN} ("wrong commit"). It had been waiting',
        states=["canceled"],
    )
    assert "nothing is started" in said.words.lower()
    assert "waiting since 12:00 UTC, canceled" in run("graph").words


@pytest.mark.parametrize("mode", MODES)
def test_explain_says_afterwards_who_canceled_it(scene: Scene, mode: str) -> None:
    execution = hold(scene, mode)
    run("cancel", "k8s", "--yes", "--reason", "wrong commit")
    scene.wait(minutes=2)
    assert "No pipeline is waiting" in run("holds").words
    said = explains(
        f'anceled by {ARN} ("wrong commit")',
        states=["canceled", *(["needless"] if mode == "wait" else [])],
    )
    assert f"--pipeline-execution-id {execution}" in commands(said)[0]
