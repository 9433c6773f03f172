"""What `gatectl doctor` says of the gate's rules: each fault is made, seen, mended; and then the
pipeline starts again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.clock import utcnow
from sandbox.eventbridge import EventBridgeBackend
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.deployment import delete, deploy, findings, mend, paste, retry_arn, the_finding
from tests.support.scene import Scene

STRANGER = "arn:aws:lambda:eu-central-1:123456789012:function:somebody-elses"


@pytest.fixture
def held(sound: Scene) -> Scene:
    """k8s is held, for infra runs for an hour."""
    sound.pipeline("infra", seconds=3600)
    sound.k8s()
    sound.start("infra")
    sound.start("k8s")
    assert findings() == []
    return sound


def goes_on(scene: Scene) -> None:
    """infra ends, and k8s starts again by itself, and nothing is left of it all."""
    assert findings() == []
    scene.wait(minutes=66)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []
    assert findings() == []


def target_of(scene: Scene) -> Any:
    return dict(scene.events.list_targets_by_rule(Rule=scene.rules()[0])["Targets"][0])


# Holds that would not end


def test_a_disabled_rule(held: Scene) -> None:
    held.events.disable_rule(Name=held.rules()[0])
    said = run("doctor")
    assert said.status == 1
    assert f"error  rule {held.rules()[0]}" in said.out
    assert (
        "It is disabled, so it never fires. k8s waits for infra, and nothing will start it again. "
        "Enable it." in said.words
    )
    assert mend().status == 0
    goes_on(held)


def test_a_disabled_rule_by_the_command_that_is_shown(held: Scene) -> None:
    held.events.disable_rule(Name=held.rules()[0])
    paste(the_finding("disabled-rule"))
    goes_on(held)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_rule_that_invokes_something_else(held: Scene, by_hand: bool) -> None:
    changed: Any = {**target_of(held), "Arn": STRANGER}
    held.events.put_targets(Rule=held.rules()[0], Targets=[changed])
    found = the_finding("wrong-target")
    assert found["what"] == f"It invokes {STRANGER}, not the retry."
    if by_hand:
        paste(found)
    else:
        mend()
    assert target_of(held)["Arn"] == retry_arn()
    goes_on(held)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_rule_that_lost_its_schedule(held: Scene, by_hand: bool) -> None:
    rule = held.events.describe_rule(Name=held.rules()[0])
    held.events.put_rule(
        Name=rule["Name"], EventPattern=rule["EventPattern"], Description=rule["Description"]
    )
    held.world.dials.events_on = False  # so only a schedule can wake it up
    found = the_finding("no-schedule")
    assert found["what"] == "It has no schedule."
    if by_hand:
        paste(found)
    else:
        mend()
    goes_on(held)


def test_a_rule_that_is_missing_both_is_mended_of_both(held: Scene) -> None:
    rule = held.events.describe_rule(Name=held.rules()[0])
    held.events.put_rule(
        Name=rule["Name"],
        ScheduleExpression="rate(7 minutes)",
        Description=rule["Description"],
        State="DISABLED",
    )
    assert {one["kind"] for one in findings()} == {"disabled-rule", "no-schedule"}
    mend()
    goes_on(held)


def test_a_target_that_the_gate_did_not_make_is_left_to_people(held: Scene) -> None:
    held.events.put_targets(Rule=held.rules()[0], Targets=[{"Id": "spy", "Arn": STRANGER}])
    found = the_finding("more-targets")
    assert found["severity"] == "warning"
    assert f"spy ({STRANGER})" in found["what"]
    assert not found["mendable"]
    mend()
    paste(the_finding("more-targets"))
    goes_on(held)


def test_a_hold_whose_input_somebody_changed(held: Scene) -> None:
    held.events.put_targets(
        Rule=held.rules()[0], Targets=[{"Id": "retry", "Arn": retry_arn(), "Input": "{}"}]
    )
    found = the_finding("unreadable-rule")
    assert "k8s (execution" in found["what"]  # as the rule's description tells
    assert held.executions()[0]["pipelineExecutionId"] in found["means"]
    assert not found["mendable"]
    paste(found)
    assert held.rules() == []


def test_a_hold_whose_function_is_gone_is_no_rubbish(held: Scene) -> None:
    """Deployed again, it goes on: so --mend does not remove it."""
    delete("dev")
    assert [one["kind"] for one in findings()] == ["gate-not-deployed", "orphan"]
    said = mend()
    assert said.status == 1
    assert (
        "Deploy it again, and the hold goes on. Or start k8s by hand: then --mend removes this "
        "rule." in said.words
    )
    assert len(held.rules()) == 1
    deploy("dev")
    the_finding("retry-permission")  # which went with the function
    mend()
    goes_on(held)


def test_a_hold_whose_function_is_gone_and_whose_pipeline_is_started_by_hand(held: Scene) -> None:
    delete("dev")
    held.codepipeline.update_pipeline(pipeline=without_gate(held))
    assert "nothing starts k8s again" in findings()[1]["means"].lower()
    held.start("k8s")
    assert [(one["kind"], one["mendable"]) for one in findings()] == [
        ("no-gate", False),
        ("left-behind", True),
    ]
    assert "nothing removes it" in findings()[1]["means"]
    mend()
    assert held.rules() == []


def test_one_that_should_have_ended_long_ago(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is as it should be, but the retry fails at each look."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("chalicelib.retry.read_rule_name", broken)
    held.wait(minutes=62)
    assert findings() == []
    held.wait(minutes=20)
    found = the_finding("overdue")
    assert (
        found["what"]
        == "k8s is still held, although what it waits for (infra) is over since 13:00 UTC."
    )
    assert "chalice logs --stage dev --name retry" in found["commands"]


# Rules that are left behind


def test_a_rule_whose_pipeline_is_gone(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    said = run("doctor")
    assert (
        "the pipeline k8s is gone. That is normal: it goes by itself at its first look after the "
        "end of infra." in said.words
    )
    assert "It looks next at 12:05 UTC." in said.words
    assert said.status == 0
    mend()
    assert held.rules() == []


def test_a_hold_that_somebody_made_needless(held: Scene) -> None:
    held.codepipeline.update_pipeline(pipeline=without_gate(held))
    held.start("k8s")
    found = findings()
    assert {(one["kind"], one["severity"]) for one in found} == {("over", "note")}
    assert "a newer execution exists" in found[0]["what"]
    held.wait(minutes=66)
    assert held.rules() == []


def test_a_hold_of_long_ago_is_not_taken_for_over(sound: Scene) -> None:
    """In PARALLEL mode more executions may have begun since than AWS lists on one page."""
    sound.pipeline("infra", seconds=3600)
    sound.k8s(mode="PARALLEL")
    sound.start("infra")
    sound.start("k8s")
    sound.wait(minutes=20)
    for _ in range(120):
        sound.has_run("k8s", (timedelta(minutes=10), "Succeeded"))
    assert len(sound.executions()) == 100
    assert findings() == []


def without_gate(scene: Scene) -> Any:
    declared: Any = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    declared["stages"] = [stage for stage in declared["stages"] if stage["name"] != "Gate"]
    return declared


def test_one_that_is_over_and_does_not_fire_does_not_go_by_itself(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    assert the_finding("over")["severity"] == "note"
    held.events.disable_rule(Name=held.rules()[0])
    assert the_finding("left-behind")["severity"] == "warning"
    held.events.enable_rule(Name=held.rules()[0])
    changed: Any = {**target_of(held), "Arn": STRANGER}
    held.events.put_targets(Rule=held.rules()[0], Targets=[changed])
    assert "nothing removes it" in the_finding("left-behind")["means"]
    mend()
    assert held.rules() == []


def test_what_others_hung_on_a_rule_that_is_over_is_left_to_them(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    held.events.put_targets(Rule=held.rules()[0], Targets=[{"Id": "spy", "Arn": STRANGER}])
    found = the_finding("left-behind")
    assert (found["means"], found["mendable"]) == (
        "It cannot go by itself, for it has targets that the gate did not make.",
        False,
    )
    mend()
    assert len(held.rules()) == 1
    paste(found)
    assert held.rules() == []


def test_a_rule_that_a_killed_gate_left(sound: Scene) -> None:
    leave_empty_rule(sound)
    sound.wait(minutes=30)
    assert findings() == []  # a gate may be making it
    sound.wait(minutes=2)
    found = the_finding("empty-rule")
    assert "A gate that was killed has left it." in found["means"]
    mend()
    assert sound.rules() == []


def leave_empty_rule(scene: Scene) -> str:
    name = "pipeline-gate-dev-00000000-0000-4000-8000-000000000000"
    made = f"Since {utcnow():%Y-%m-%d %H:%M} UTC k8s (execution 00000000) waits for infra."
    scene.events.put_rule(Name=name, ScheduleExpression="rate(5 minutes)", Description=made)
    return name


def test_an_empty_rule_of_unknown_age_is_left_to_people(sound: Scene) -> None:
    sound.events.put_rule(
        Name="pipeline-gate-dev-00000000-0000-4000-8000-000000000000",
        ScheduleExpression="rate(5 minutes)",
    )
    sound.wait(minutes=90)
    found = the_finding("empty-rule")
    assert not found["mendable"]
    mend()
    assert len(sound.rules()) == 1
    paste(found)
    assert findings() == []


def test_a_rule_of_another_name_is_left_alone(sound: Scene) -> None:
    sound.events.put_rule(Name="pipeline-gate-alarm", ScheduleExpression="rate(5 minutes)")
    assert the_finding("strange-rule")["severity"] == "note"
    assert mend().status == 0
    assert sound.rules() == ["pipeline-gate-alarm"]


def test_an_empty_rule_that_a_gate_fills_in_the_last_moment_stays(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS removes no rule that has a target (model: DeleteRule)."""
    name = leave_empty_rule(sound)
    sound.wait(minutes=40)
    delete = EventBridgeBackend.delete_rule

    def too_late(backend: EventBridgeBackend, *arguments: Any, **more: Any) -> None:
        sound.events.put_targets(
            Rule=name, Targets=[{"Id": "retry", "Arn": retry_arn(), "Input": "{}"}]
        )
        delete(backend, *arguments, **more)

    monkeypatch.setattr(EventBridgeBackend, "delete_rule", too_late)
    said = mend()
    assert f"rule {name}: not mended. events:DeleteRule answered ValidationException." in said.words
    assert said.status == 1
    assert sound.rules() == [name]


# Holds that stand long


def test_one_that_waits_for_weeks_is_told(sound: Scene) -> None:
    sound.pipeline("infra")
    sound.gated("k8s", ask({"pipeline": "infra", "require": "succeeded"}, retry_minutes=60))
    sound.start("k8s")
    sound.wait(minutes=timedelta(days=14).total_seconds() / 60 - 1)
    assert findings() == []
    sound.wait(minutes=3)
    found = the_finding("long-hold")
    assert found["commands"] == ["gatectl explain k8s", "gatectl release k8s"]
    assert "for more than 14 days" in found["what"]


def test_many_rules_are_told_before_there_is_no_room(sound: Scene) -> None:
    for number in range(269):
        sound.events.put_rule(Name=f"other-{number}", ScheduleExpression="rate(1 day)")
    assert findings() == []
    sound.events.put_rule(Name="one-more", ScheduleExpression="rate(1 day)")
    assert (
        the_finding("rules-quota")["what"]
        == "It has 270 rules, of 300 unless your quota is higher; 0 are the gate's."
    )
