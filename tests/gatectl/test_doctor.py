"""`gatectl doctor` as a command: what it prints, asks and returns, and what it does without
permissions.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import click
import pytest
from click.testing import CliRunner

from chalicelib.holds.fate import HoldFate, Standing
from gatectl.__main__ import gatectl
from gatectl.doctor import examine, summarize
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.session import AWS_REFUSED, FAULTS_FOUND, INTERRUPTED, Place
from sandbox.eventbridge import EventBridgeBackend
from tests.support.cli import run
from tests.support.deployment import RETRY, SHUT, delete, deploy, findings, hold, mend
from tests.support.person import EVERYTHING, act_as_person, deny
from tests.support.refused import run_refused
from tests.support.scene import GATE, Scene


@pytest.fixture
def held(sound: Scene) -> Scene:
    hold(sound)
    return sound


@pytest.fixture
def broken(held: Scene) -> Scene:
    """Its rule is disabled, and may not invoke the retry function."""
    held.events.disable_rule(Name=held.rules()[0])
    held.awslambda.remove_permission(**SHUT)
    return held


# Output and exit status


def test_no_problems(held: Scene) -> None:
    said = run("doctor")
    assert (said.status, said.err) == (0, "")
    assert said.words == (
        "No problems found in eu-central-1, account 123456789012: the gate is deployed as dev, 1 "
        "pipeline has a gate, and 1 execution is held. "
        "`gatectl check` also checks the gates in the pipelines' structures."
    )


def test_an_execution_that_is_running_again_is_not_counted_as_held(
    evidence: DoctorEvidence,
) -> None:
    fates = dict.fromkeys(evidence.fates, HoldFate(Standing.MOVED_ON))
    assert "1 execution is held" in summarize(evidence, [])
    assert "no executions are held" in summarize(replace(evidence, fates=fates), [])


def test_notes_do_not_make_it_fail(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    said = run("doctor")
    assert said.status == 0
    assert (
        "That is normal: the rule is removed automatically at its first check after the end"
        in said.words
    )
    assert "1 note in eu-central-1, account 123456789012. Notes do not need a fix." in said.words
    mend()
    assert held.rules() == []


def test_findings_are_sorted_by_severity_and_counted(broken: Scene) -> None:
    broken.awslambda.update_function_configuration(FunctionName=RETRY, Timeout=3)
    broken.events.put_rule(Name="pipeline-gate-alarm", ScheduleExpression="rate(1 day)")
    said = run("doctor")
    assert said.status == FAULTS_FOUND
    severities = [line.split("  ")[0] for line in said.out.splitlines()]
    order = [word for word in severities if word in ("error", "warning", "note")]
    assert order == ["error", "error", "warning", "note"]
    assert "2 errors, 1 warning, 1 note in eu-central-1" in said.words
    assert "To fix 2 of them, run `gatectl doctor --mend`" in said.words


def test_json_output(broken: Scene) -> None:
    said = run("doctor", "--json")
    assert said.status == FAULTS_FOUND
    answer = said.json()
    described = answer.pop("findings")
    assert answer.pop("region") == "eu-central-1"
    assert answer == {"account": "123456789012", "not_looked_at": [], "mended": []}
    keys = ["kind", "severity", "where", "what", "means", "how", "commands", "mendable"]
    assert [list(finding) for finding in described] == [keys] * 2
    assert [finding["kind"] for finding in described] == ["retry-permission", "disabled-rule"]


def test_a_command_stays_on_one_line_in_a_narrow_terminal(broken: Scene) -> None:
    expected = [command for finding in findings() for command in finding["commands"]]
    for columns in (60, 80, 120):
        lines = run("doctor", columns=columns).out.splitlines()
        commands = [line.strip() for line in lines if line.strip().startswith("aws ")]
        assert commands == expected
        assert max(len(line) for line in lines if line.strip() not in commands) <= columns


def test_a_command_names_the_region_that_was_given(broken: Scene) -> None:
    """The shell that the command is pasted into may use another region."""
    broken.awslambda.update_function_configuration(FunctionName=RETRY, Timeout=3)
    described = findings("--region", "eu-central-1")
    commands = [command for finding in described for command in finding["commands"]]
    assert len(commands) == 3
    for command in commands[:2]:
        assert shlex.split(command)[-2:] == ["--region", "eu-central-1"]
    assert commands[2] == "AWS_DEFAULT_REGION=eu-central-1 chalice deploy --stage dev"


@pytest.mark.usefixtures("scene")
def test_without_a_deployment_there_is_only_a_note() -> None:
    """After an uninstall, and in another region."""
    delete("dev")
    said = run("doctor")
    assert said.status == 0, said.out
    assert said.out.startswith("note  region eu-central-1\n  No gate is deployed here.")
    assert "chalice deploy --stage prod" in said.out
    deploy("dev")
    elsewhere = run("doctor", "--region", "us-east-1")
    assert "No gate is deployed here." in elsewhere.words
    assert "AWS_DEFAULT_REGION=us-east-1 chalice deploy --stage prod" in elsewhere.out


def test_progress_goes_to_standard_error(held: Scene) -> None:
    shown = CliRunner().invoke(gatectl, ["doctor"], env={"FORCE_COLOR": "1", "COLUMNS": "120"})
    assert "reading pipelines" in shown.stderr
    assert "reading pipelines" not in shown.stdout


# --mend


def test_it_asks_before_each_fix(broken: Scene) -> None:
    said = run("doctor", "--mend", typed="n\ny\n")
    assert said.status == FAULTS_FOUND
    assert "Allow the rules to invoke this function? [y/N]: n" in said.out
    assert "Enable this rule? [y/N]: y" in said.out
    assert f"rule {broken.rules()[0]}: done." in said.out
    after = said.out.split("Checked again:")[1]
    assert "may not invoke it" in after
    assert "disabled" not in after


def test_without_an_answer_nothing_is_changed(broken: Scene) -> None:
    # standard input ends after the first answer
    assert "Nothing was changed." in run_refused("doctor", "--mend", typed="y\n")
    assert len(findings()) == 2


def test_yes_fixes_everything_without_asking(broken: Scene) -> None:
    said = run("doctor", "--mend", "--yes")
    assert said.status == 0
    assert "[y/N]" not in said.out
    again = mend()
    assert (again.status, "Checked again" in again.out) == (0, False)
    assert said.words.endswith(again.words)


def test_yes_needs_mend() -> None:
    assert run_refused("doctor", "--yes").startswith("Error: --yes needs --mend")


def test_json_output_of_mend(broken: Scene) -> None:
    assert "Add --yes" in run_refused("doctor", "--mend", "--json")
    answer = run("doctor", "--mend", "--json", "--yes").json()
    assert answer["findings"] == []
    assert answer["mended"] == [
        {"kind": "retry-permission", "where": f"function {RETRY}"},
        {"kind": "disabled-rule", "where": f"rule {broken.rules()[0]}"},
    ]


def test_a_rule_that_has_changed_since_the_question_is_left_alone(
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
    assert f"rule {rule}: this has changed meanwhile. Nothing was done." in said.out
    assert held.rules() == [rule]


def test_a_call_that_is_denied_does_not_stop_the_others(
    broken: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as_person(monkeypatch, EVERYTHING, deny("lambda:AddPermission"))
    said = run("doctor", "--mend", "--yes")
    assert said.status == FAULTS_FOUND
    denial = "not fixed. AWS denied lambda:AddPermission"
    assert f"function {RETRY}: {denial}" in said.words
    again = run("doctor", "--mend", "--yes", "--json")
    assert again.json()["mended"] == []
    assert denial in again.err
    assert [finding["kind"] for finding in again.json()["findings"]] == ["retry-permission"]


def test_a_call_that_fails_in_part_counts_as_failed(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    make_client = Place.client

    def fail_in_part(place: Place, service: str, region: str | None = None) -> Any:
        client = make_client(place, service, region)
        client.meta.events.register(
            "after-call.events.RemoveTargets", lambda parsed, **_: parsed.update(FailedEntryCount=1)
        )
        return client

    monkeypatch.setattr(Place, "client", fail_in_part)
    assert "not fixed. events:RemoveTargets did not take effect." in mend().out


def test_a_rule_that_was_removed_meanwhile_is_no_error(
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
    assert (said.status, held.rules(), "not fixed" in said.out) == (0, [], False)


def test_ctrl_c_during_a_fix_says_what_was_done(
    broken: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventBridgeBackend, "enable_rule", Mock(side_effect=KeyboardInterrupt))
    complaint = run_refused("doctor", "--mend", "--yes", status=INTERRUPTED)
    assert f"Stopped. Fixed: function {RETRY}." in complaint
    assert "Nothing was changed" not in complaint


def test_ctrl_c_after_a_fix_says_what_was_done(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.events.disable_rule(Name=held.rules()[0])

    def interrupt_second_time(evidence: DoctorEvidence) -> list[Finding]:
        if all(rule.enabled for rule in evidence.rules or ()):
            raise KeyboardInterrupt
        return examine(evidence)

    monkeypatch.setattr("gatectl.doctor.examine", interrupt_second_time)
    said = run("doctor", "--mend", "--yes")
    assert said.status == INTERRUPTED
    assert (
        said.complaint
        == f"Error: Stopped. Fixed: rule {held.rules()[0]}. The change in progress may have taken "
        "effect: check with gatectl doctor."
    )


# Permissions that the caller lacks


SUBJECTS = {
    "iam:SimulatePrincipalPolicy": "the permissions of the role pipelines",
    "codepipeline:ListPipelineExecutions": "what became of held executions",
    "lambda:ListFunctions": "which functions are deployed",
    "codepipeline:ListPipelines": "the pipelines",
    "lambda:GetFunctionConfiguration": f"the configuration of {RETRY}",
    "events:ListRules": "the gate's rules",
    "lambda:GetFunctionConcurrency": f"the concurrency of {RETRY}",
    "codepipeline:GetPipeline": "the pipelines",
    "lambda:GetPolicy": f"the policy of {RETRY}",
    "events:ListTargetsByRule": "the gate's rules",
    "iam:GetRole": f"where the role {GATE} was last used",
    "events:DescribeEventBus": "whether the event bus chat exists",
}


@pytest.mark.parametrize("first", range(0, 10, 2))
def test_a_denied_check_is_named_and_the_others_are_made(
    held: Scene, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    actions = [*SUBJECTS][first : first + 2 if first < 8 else None]
    held.events.create_event_bus(Name="chat")
    held.awslambda.update_function_configuration(
        FunctionName=GATE, Environment={"Variables": {"EVENT_BUS": "chat"}}
    )
    act_as_person(monkeypatch, EVERYTHING, deny(*actions))
    said = run("doctor", columns=300)
    assert said.status == AWS_REFUSED
    for action in actions:
        assert f"not checked  {SUBJECTS[action]}\n" in said.out
        assert f"AWS denied {action}" in said.out
    assert "error" not in said.out
    assert "as far as could be checked: the gate is deployed as" in said.out


def test_problems_that_can_be_seen_are_still_found(
    broken: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as_person(monkeypatch, EVERYTHING, deny("iam:*", "lambda:GetPolicy"))
    answer = run("doctor", "--json")
    assert answer.status == FAULTS_FOUND
    assert [finding["kind"] for finding in answer.json()["findings"]] == ["disabled-rule"]
    gaps = [gap["what"] for gap in answer.json()["not_looked_at"]]
    assert gaps == [f"the policy of {GATE}", f"the policy of {RETRY}", *gaps[2:]]
    assert "the permissions of the role pipelines" in gaps


def test_a_caller_without_permissions_learns_which_are_missing(
    held: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as_person(monkeypatch, deny("*"))
    said = run("doctor", "--json")
    assert said.status == AWS_REFUSED
    assert said.json()["findings"] == []
    reasons = " ".join(gap["why"] for gap in said.json()["not_looked_at"])
    for action in ("lambda:ListFunctions", "codepipeline:ListPipelines", "events:ListRules"):
        assert f"AWS denied {action}" in reasons
