"""`gatectl doctor` as a command: what it prints, asks and returns, and what it does with rights
that it lacks.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import boto3
import click
import pytest
from click.testing import CliRunner

from gatectl.__main__ import gatectl
from gatectl.findings import examine
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Finding
from gatectl.session import AWS_REFUSED, FOUND, INTERRUPTED, WRONG_USE, Place
from sandbox.eventbridge import EventBridgeBackend
from tests.support.cli import run
from tests.support.deployment import delete, findings, mend
from tests.support.scene import Scene

ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
RETRY = "pipeline-gate-dev-retry"


@pytest.fixture
def held(sound: Scene) -> Scene:
    sound.pipeline("infra", seconds=3600)
    sound.k8s()
    sound.start("infra")
    sound.start("k8s")
    return sound


def break_two(scene: Scene) -> None:
    scene.events.disable_rule(Name=scene.rules()[0])
    scene.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")


# What it returns and prints


def test_nothing_is_wrong(held: Scene) -> None:
    said = run("doctor")
    assert (said.status, said.err) == (0, "")
    assert said.words == (
        "All is well in eu-central-1, account 123456789012: the gate is deployed as dev, 1 "
        "pipeline has it, 1 execution is held. "
        "`gatectl check` says what a hold would trip over in the pipelines themselves."
    )


def test_notes_are_no_reason_to_fail(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    said = run("doctor")
    assert said.status == 0
    assert (
        "1 note in eu-central-1, account 123456789012. Nothing needs mending. `gatectl check`"
        in said.words
    )


def test_the_worst_comes_first_and_all_are_counted(held: Scene) -> None:
    break_two(held)
    held.awslambda.update_function_configuration(FunctionName=RETRY, Timeout=3)
    held.events.put_rule(Name="pipeline-gate-alarm", ScheduleExpression="rate(1 day)")
    said = run("doctor")
    assert said.status == FOUND
    order = [
        line.split("  ")[0]
        for line in said.out.splitlines()
        if line.startswith(("error", "warning", "note"))
    ]
    assert order == ["error", "error", "warning", "note"]
    assert (
        "2 errors, 1 warning, 1 note in eu-central-1, account 123456789012. `gatectl doctor "
        "--mend` mends 2 of them" in said.words
    )


def test_for_programs(held: Scene) -> None:
    break_two(held)
    said = run("doctor", "--json")
    assert said.status == FOUND
    whole = said.json()
    assert list(whole) == ["region", "account", "findings", "not_looked_at", "mended"]
    assert (whole["region"], whole["account"], whole["not_looked_at"], whole["mended"]) == (
        "eu-central-1",
        "123456789012",
        [],
        [],
    )
    assert [list(one) for one in whole["findings"]] == [
        ["kind", "severity", "where", "what", "means", "how", "commands", "mendable"]
    ] * 2
    assert [one["kind"] for one in whole["findings"]] == ["retry-permission", "disabled-rule"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_command_is_one_line_however_narrow_the_terminal(held: Scene, columns: int) -> None:
    break_two(held)
    lines = run("doctor", columns=columns).out.splitlines()
    commands = [line.strip() for line in lines if line.strip().startswith("aws ")]
    assert commands == [command for one in findings() for command in one["commands"]]
    assert max(len(line) for line in lines if line.strip() not in commands) <= columns


def test_a_command_goes_to_the_same_place(held: Scene) -> None:
    """Where a region was given, the shell that the command is pasted into may know another."""
    break_two(held)
    held.awslambda.update_function_configuration(FunctionName=RETRY, Timeout=3)
    commands = [
        command for one in findings("--region", "eu-central-1") for command in one["commands"]
    ]
    assert all(shlex.split(one)[-2:] == ["--region", "eu-central-1"] for one in commands[:2])
    assert commands[2] == "AWS_DEFAULT_REGION=eu-central-1 chalice deploy --stage dev"


def test_another_region_is_another_place(held: Scene) -> None:
    said = run("doctor", "--region", "us-east-1")
    assert "No gate is deployed here." in said.words
    assert "AWS_DEFAULT_REGION=us-east-1 chalice deploy --stage prod" in said.out


@pytest.mark.usefixtures("scene")
def test_where_nothing_of_the_gate_is_left_nothing_is_wrong() -> None:
    delete("dev")
    said = run("doctor")
    assert (
        said.status,
        said.out.startswith("note  region eu-central-1\n  No gate is deployed here."),
    ) == (0, True), said.out
    assert "After an uninstall that is as it should be." in said.words
    assert "Nothing needs mending." in said.words


def test_it_only_reads(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    break_two(held)
    made: list[str] = []
    unwatched = Place.client

    def watched(place: Place, service: str, region: str | None = None) -> Any:
        client = unwatched(place, service, region)
        client.meta.events.register("before-call", lambda model, **_: made.append(model.name))
        return client

    monkeypatch.setattr(Place, "client", watched)
    run("doctor")
    assert made
    assert {
        name for name in made if not name.startswith(("Get", "List", "Describe", "Simulate"))
    } == set()


# Mending


def test_it_asks_for_each_and_does_what_was_agreed_to(held: Scene) -> None:
    break_two(held)
    said = run("doctor", "--mend", typed="n\ny\n")
    assert said.status == FOUND
    assert "Let them invoke it? [y/N]: n" in said.out
    assert "Enable it? [y/N]: y" in said.out
    assert f"rule {held.rules()[0]}: done." in said.out
    assert [one["kind"] for one in findings()] == ["retry-permission"]
    after = said.out.split("Looked again:")[1]
    assert "may not invoke it" in after
    assert "disabled" not in after


def test_without_an_answer_nothing_is_done(held: Scene) -> None:
    break_two(held)
    said = run("doctor", "--mend", typed="y\n")  # and then standard input ends
    assert said.status == WRONG_USE
    assert "Nothing was changed." in said.err
    assert len(findings()) == 2


def test_yes_asks_nothing(held: Scene) -> None:
    break_two(held)
    said = run("doctor", "--mend", "--yes")
    assert said.status == 0
    assert "[y/N]" not in said.out
    assert said.words.endswith(run("doctor").words)


def test_yes_alone_means_nothing(held: Scene) -> None:
    assert (
        run("doctor", "--yes").status,
        run("doctor", "--yes").err.startswith("Error: --yes goes with --mend"),
    ) == (WRONG_USE, True)


def test_mended_twice_is_mended_once(held: Scene) -> None:
    break_two(held)
    mend()
    again = mend()
    assert (again.status, "Looked again" in again.out) == (0, False)


def test_mending_for_programs(held: Scene) -> None:
    break_two(held)
    refused = run("doctor", "--mend", "--json")
    assert (refused.status, refused.out) == (WRONG_USE, "")
    assert "add --yes" in refused.err
    whole = run("doctor", "--mend", "--json", "--yes").json()
    assert whole["findings"] == []
    assert whole["mended"] == [
        {"kind": "retry-permission", "where": f"function {RETRY}"},
        {"kind": "disabled-rule", "where": f"rule {held.rules()[0]}"},
    ]


def test_what_has_changed_since_the_question_is_left_alone(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    rule = held.rules()[0]

    def confirm(*_: object, **__: object) -> bool:
        target = held.events.list_targets_by_rule(Rule=rule)["Targets"][0]
        held.events.put_targets(Rule=rule, Targets=[{"Id": "another", "Arn": target["Arn"]}])
        return True

    monkeypatch.setattr(click, "confirm", confirm)
    said = run("doctor", "--mend")
    assert f"rule {rule}: is not as it was any more. Nothing was done." in said.out
    assert held.rules() == [rule]


def test_a_call_that_is_denied_does_not_stop_the_others(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_two(held)
    as_somebody_who_may(
        monkeypatch, ALL, {"Effect": "Deny", "Action": "lambda:AddPermission", "Resource": "*"}
    )
    said = run("doctor", "--mend", "--yes")
    assert said.status == FOUND
    assert f"function {RETRY}: not mended. AWS denied lambda:AddPermission" in said.words
    again = run("doctor", "--mend", "--yes", "--json")
    assert (again.json()["mended"], "not mended. AWS denied lambda:AddPermission" in again.err) == (
        [],
        True,
    )
    assert [one["kind"] for one in findings()] == ["retry-permission"]


def test_a_call_that_fails_in_part_is_not_taken_for_done(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    unchanged = Place.client

    def failing(place: Place, service: str, region: str | None = None) -> Any:
        client = unchanged(place, service, region)
        client.meta.events.register(
            "after-call.events.RemoveTargets", lambda parsed, **_: parsed.update(FailedEntryCount=1)
        )
        return client

    monkeypatch.setattr(Place, "client", failing)
    said = mend()
    assert (
        f"rule {held.rules()[0]}: not mended. events:RemoveTargets did not take effect." in said.out
    )


def test_what_somebody_else_has_removed_meanwhile_stops_nothing(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.events.disable_rule(Name=held.rules()[0])
    enable = EventBridgeBackend.enable_rule

    def too_late(backend: EventBridgeBackend, name: str, *arguments: Any, **more: Any) -> Any:
        held.events.remove_targets(Rule=name, Ids=["retry"])
        held.events.delete_rule(Name=name)
        return enable(backend, name, *arguments, **more)

    monkeypatch.setattr(EventBridgeBackend, "enable_rule", too_late)
    said = mend()
    assert (said.status, held.rules(), "not mended" in said.out) == (0, [], False)


def test_ctrl_c_while_it_mends_tells_what_was_done(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_two(held)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EventBridgeBackend, "enable_rule", interrupted)
    said = run("doctor", "--mend", "--yes")
    assert said.status == INTERRUPTED
    assert f"Stopped. Mended: function {RETRY}." in said.err
    assert "Nothing was changed" not in said.err


def test_ctrl_c_after_it_has_mended_does_not_say_that_nothing_was_changed(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.events.disable_rule(Name=held.rules()[0])

    def examined(facts: Facts) -> list[Finding]:
        if all(rule.enabled for rule in facts.rules or ()):
            raise KeyboardInterrupt
        return examine(facts)

    monkeypatch.setattr("gatectl.doctor.examine", examined)
    said = run("doctor", "--mend", "--yes")
    assert said.status == INTERRUPTED
    assert (
        said.complaint
        == f"Error: Stopped. Mended before that: rule {held.rules()[0]}. Look again with gatectl "
        "doctor."
    )


# Rights that the caller lacks


def as_somebody_who_may(monkeypatch: pytest.MonkeyPatch, *statements: dict[str, Any]) -> None:
    """From now on, gatectl runs with a role that may do this."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam = boto3.client("iam")
    version = {"Version": "2012-10-17"}
    role = iam.create_role(
        RoleName="person", AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]})
    )["Role"]["Arn"]
    document = json.dumps({**version, "Statement": statements})
    iam.put_role_policy(RoleName="person", PolicyName="may", PolicyDocument=document)
    keys = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="at-night")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("iam:SimulatePrincipalPolicy", "what the role pipelines may do"),
        ("lambda:ListFunctions", "which functions are deployed"),
        ("lambda:GetFunctionConfiguration", f"how {RETRY} is set up"),
        ("lambda:GetFunctionConcurrency", f"how often {RETRY} may run"),
        ("lambda:GetPolicy", f"who may invoke {RETRY}"),
        ("codepipeline:ListPipelines", "the pipelines"),
        ("codepipeline:GetPipeline", "the pipelines"),
        ("codepipeline:ListPipelineExecutions", "what became of held executions"),
        ("events:ListRules", "the gate's rules"),
        ("events:ListTargetsByRule", "the gate's rules"),
        ("events:DescribeEventBus", "whether the event bus chat is there"),
    ],
)
def test_a_denied_look_is_told_by_its_name_and_the_others_go_on(
    held: Scene, monkeypatch: pytest.MonkeyPatch, action: str, told: str
) -> None:
    held.events.create_event_bus(Name="chat")
    held.awslambda.update_function_configuration(
        FunctionName="pipeline-gate-dev-gate", Environment={"Variables": {"EVENT_BUS": "chat"}}
    )
    as_somebody_who_may(monkeypatch, ALL, {"Effect": "Deny", "Action": action, "Resource": "*"})
    said = run("doctor", columns=300)
    assert said.status == AWS_REFUSED
    assert f"not looked at  {told}" in said.out
    assert f"AWS denied {action}" in said.out
    assert "error" not in said.out
    assert "Nothing is wrong, as far as could be looked" in said.out
    whole = run("doctor", "--json").json()
    assert whole["findings"] == []
    assert told in [one["what"] for one in whole["not_looked_at"]]


def test_what_can_be_seen_is_still_found(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    break_two(held)
    as_somebody_who_may(
        monkeypatch,
        ALL,
        {"Effect": "Deny", "Action": ["iam:*", "lambda:GetPolicy"], "Resource": "*"},
    )
    said = run("doctor")
    assert said.status == FOUND
    assert "It is disabled, so it never fires." in said.words
    assert "not looked at" in said.out


def test_somebody_who_may_nothing_learns_which_rights_are_missing(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_somebody_who_may(monkeypatch, {**ALL, "Effect": "Deny"})
    said = run("doctor", "--json")
    assert said.status == AWS_REFUSED
    assert said.json()["findings"] == []
    reasons = " ".join(one["why"] for one in said.json()["not_looked_at"])
    for action in ("lambda:ListFunctions", "codepipeline:ListPipelines", "events:ListRules"):
        assert f"AWS denied {action}" in reasons


def test_the_progress_is_no_part_of_what_it_says(held: Scene) -> None:
    shown = CliRunner().invoke(gatectl, ["doctor"], env={"FORCE_COLOR": "1", "COLUMNS": "120"})
    assert "reading pipelines" in shown.stderr
    assert "reading pipelines" not in shown.stdout
