"""What `gatectl doctor` says of the gate's rules: each fault is made, seen, mended; and then the
pipeline starts again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from chalicelib.account.waits import HoldRule
from chalicelib.holds.fate import HELD, HoldFate, Standing
from chalicelib.holds.rule import describe_date
from gatectl.doctor import examine, rules
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.doctor.stuck import find_fault
from sandbox.clock import utcnow
from sandbox.eventbridge import EventBridgeBackend
from tests.support.cli import run
from tests.support.deployment import (
    RETRY,
    delete,
    deploy,
    findings,
    hold,
    list_kinds,
    mend,
    paste,
    retry_arn,
    the_finding,
)
from tests.support.held import take_out_gate
from tests.support.scene import Scene

STRANGER = "arn:aws:lambda:eu-central-1:123456789012:function:somebody-elses"
EMPTY_RULE = "pipeline-gate-dev-00000000-0000-4000-8000-000000000000"
OVER = HoldFate(Standing.ENDED, "the pipeline k8s is gone")
MOVED_ON = HoldFate(Standing.MOVED_ON)


@pytest.fixture
def held(sound: Scene) -> Scene:
    hold(sound)
    return sound


def goes_on(scene: Scene) -> None:
    """infra ends, k8s starts again, and nothing is left of it all."""
    assert findings() == []
    scene.wait(minutes=66)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []


def read_target(scene: Scene) -> Any:
    return dict(scene.events.list_targets_by_rule(Rule=scene.rules()[0])["Targets"][0])


def break_rule(scene: Scene) -> None:
    """It is disabled, has no schedule, and invokes something else."""
    rule = scene.events.describe_rule(Name=scene.rules()[0])
    scene.events.put_rule(
        Name=rule["Name"],
        EventPattern=rule["EventPattern"],
        Description=rule["Description"],
        State="DISABLED",
    )
    target: Any = {**read_target(scene), "Arn": STRANGER}
    scene.events.put_targets(Rule=rule["Name"], Targets=[target])
    scene.world.dials.events_on = False  # so only a schedule can wake it up


def check(
    evidence: DoctorEvidence, fate: HoldFate = HELD, /, now: timedelta | None = None, **changes: Any
) -> list[Finding]:
    """What is found if this is the hold's fate, and its rule is changed like this. `now`: how long
    after it was made.
    """
    (rule,) = evidence.rules or ()
    evidence = replace(evidence, rules=(replace(rule, **changes),), fates={rule.name: fate})
    if now and rule.hold:
        evidence = replace(evidence, now=rule.hold.since + now)
    return list(rules.findings(evidence))


# Holds that would not end


def test_a_broken_rule_is_mended(held: Scene) -> None:
    break_rule(held)
    said = mend()
    assert "It is disabled, so it never fires. k8s waits for infra, and nothing" in said.words
    assert said.status == 0
    assert read_target(held)["Arn"] == retry_arn()
    goes_on(held)


def test_a_broken_rule_by_the_commands_that_are_shown(held: Scene) -> None:
    break_rule(held)
    held.events.put_targets(Rule=held.rules()[0], Targets=[{"Id": "spy", "Arn": STRANGER}])
    described = findings()
    kinds = [finding["kind"] for finding in described]
    assert kinds == ["disabled-rule", "wrong-target", "no-schedule", "more-targets"]
    for finding in described:
        paste(finding)
    goes_on(held)


def test_each_fault_of_a_rule_is_told(evidence: DoctorEvidence) -> None:
    stuck = "k8s waits for infra, and nothing will start it again."
    (disabled,) = check(evidence, enabled=False)
    assert (disabled.kind, disabled.severity, disabled.means) == ("disabled-rule", "error", stuck)
    (wrong,) = check(evidence, targets={"retry": STRANGER})
    assert (wrong.kind, wrong.severity, wrong.means) == ("wrong-target", "error", stuck)
    assert wrong.problem == f"It invokes {STRANGER}, not the retry."
    (lost,) = check(evidence, schedule="")
    assert (lost.kind, lost.problem) == ("no-schedule", "It has no schedule.")
    (strange,) = check(evidence, schedule="rate(7 minutes)")
    assert strange.problem == "Its schedule is rate(7 minutes), which is none of the gate's."
    (more,) = check(evidence, targets={"retry": retry_arn(), "spy": STRANGER})
    assert (more.kind, more.severity) == ("more-targets", "warning")
    assert f"spy ({STRANGER})" in more.problem
    assert more.calls == (), "it is left to people"
    assert len({finding.where for finding in (disabled, wrong, lost, strange, more)}) == 1


def test_a_hold_whose_input_somebody_changed(held: Scene) -> None:
    target: Any = {"Id": "retry", "Arn": retry_arn(), "Input": "{}"}
    held.events.put_targets(Rule=held.rules()[0], Targets=[target])
    finding = the_finding("unreadable-rule")
    assert "k8s (execution" in finding["what"]  # as the rule's description tells
    assert held.executions()[0]["pipelineExecutionId"] in finding["means"]
    assert not finding["mendable"]
    paste(finding)
    assert held.rules() == []


def test_a_hold_whose_function_is_gone_is_no_rubbish(held: Scene) -> None:
    """Deployed again, it goes on: so --mend does not remove it."""
    delete("dev")
    said = mend()
    assert said.status == 1
    assert "It is not there, and k8s names it as the gate." in said.words
    assert "Deploy it again, and the hold goes on. Or start k8s by hand" in said.words
    assert len(held.rules()) == 1
    deploy("dev")
    the_finding("retry-permission")  # which went with the function
    mend()
    goes_on(held)


def test_a_hold_whose_function_is_gone_and_whose_pipeline_is_started_by_hand(held: Scene) -> None:
    delete("dev")
    take_out_gate(held)
    assert "nothing starts k8s again" in findings()[1]["means"].lower()
    held.start("k8s")
    described = findings()
    assert [(finding["kind"], finding["mendable"]) for finding in described] == [
        ("no-gate", False),
        ("left-behind", True),
    ]
    assert "nothing removes it" in described[1]["means"]
    mend()
    assert held.rules() == []


def test_one_that_should_have_ended_long_ago(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is as it should be, but the retry fails at each look."""
    broken = Mock(side_effect=RuntimeError("broken"))
    monkeypatch.setattr("chalicelib.retry.read_rule_name", broken)
    held.wait(minutes=62)
    assert findings() == []
    held.wait(minutes=20)
    finding = the_finding("overdue")
    assert finding["what"].endswith("what it waits for (infra) is over since 13:00 UTC.")
    assert "chalice logs --stage dev --name retry" in finding["commands"]


# Holds that are over


def test_a_hold_that_somebody_made_needless(held: Scene) -> None:
    take_out_gate(held)
    held.start("k8s")
    finding = the_finding("over")
    assert finding["severity"] == "note"
    assert "a newer execution exists" in finding["what"]
    held.wait(minutes=66)
    assert held.rules() == []


def test_a_hold_of_long_ago_is_not_taken_for_over(sound: Scene) -> None:
    """In PARALLEL mode more executions may have begun since than AWS lists on one page."""
    sound.pipeline("infra", seconds=3600)
    sound.k8s(mode="PARALLEL")
    sound.start("infra")
    sound.start("k8s")
    sound.wait(minutes=20)
    sound.has_run("k8s", *((timedelta(minutes=10), "Succeeded") for _ in range(120)))
    assert len(sound.executions()) == 100
    assert "1 execution is held" in run("doctor").words


def test_what_is_over_or_runs_again_is_neither_stuck_nor_overdue(evidence: DoctorEvidence) -> None:
    late, broken = timedelta(days=20), {"enabled": False, "schedule": ""}
    kinds = list_kinds(check(evidence, now=late, **broken))
    assert kinds == ["disabled-rule", "no-schedule", "long-hold"]
    assert list_kinds(check(evidence, OVER, now=late)) == ["over"]
    assert check(evidence, MOVED_ON, now=late, **broken) == []


def test_one_that_is_over_and_does_not_fire_does_not_go_by_itself(evidence: DoctorEvidence) -> None:
    assert list_kinds(check(evidence, OVER)) == ["over"]
    for broken in ({"enabled": False}, {"targets": {"retry": STRANGER}}):
        (finding,) = check(evidence, OVER, **broken)
        assert (finding.kind, finding.severity) == ("left-behind", "warning")
        assert "nothing removes it" in finding.means
        assert len(finding.calls) == 2


def test_nobody_waits_by_a_rule_that_is_over_and_may_not_invoke_the_retry(
    evidence: DoctorEvidence,
) -> None:
    (rule,) = evidence.rules or ()
    shut = {**evidence.functions, RETRY: replace(evidence.functions[RETRY], statements=())}
    over = replace(evidence, functions=shut, fates={rule.name: OVER})
    assert list_kinds(examine(over)) == ["left-behind"]
    (finding,) = examine(replace(over, fates={rule.name: MOVED_ON}))
    assert (finding.kind, finding.means) == ("retry-permission", "No hold ends.")


def test_what_others_hung_on_a_rule_that_is_over_is_left_to_them(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    held.events.put_targets(Rule=held.rules()[0], Targets=[{"Id": "spy", "Arn": STRANGER}])
    finding = the_finding("left-behind")
    assert "it has targets that the gate did not make" in finding["means"]
    assert not finding["mendable"]
    paste(finding)
    assert held.rules() == []


def test_what_keeps_a_rule_from_ending_its_hold(evidence: DoctorEvidence) -> None:
    """As `holds` and `explain` show it: the cause, rather than that it is overdue."""
    (rule,) = evidence.rules or ()
    assert rule.hold
    assert find_fault(evidence, rule) is None
    late = replace(evidence, now=evidence.now + timedelta(hours=3))
    overdue = replace(rule, hold=replace(rule.hold, give_up=evidence.now))
    fault = find_fault(late, overdue)
    assert fault
    assert (fault.kind, fault.where) == ("overdue", f"rule {rule.name}")
    stopped = {**evidence.functions, RETRY: replace(evidence.functions[RETRY], reserved=0)}
    fault = find_fault(replace(late, functions=stopped), overdue)
    assert fault
    assert (fault.kind, fault.where) == ("throttled", f"function {RETRY}")
    over = replace(evidence, fates={rule.name: OVER})
    assert find_fault(over, rule) is None
    left = find_fault(over, replace(rule, enabled=False))
    assert left
    assert left.kind == "left-behind"


# Rules without a hold


def leave_empty_rule(scene: Scene) -> None:
    description = f"{describe_date(utcnow())} k8s (execution 00000000) waits for infra."
    scene.events.put_rule(
        Name=EMPTY_RULE, ScheduleExpression="rate(5 minutes)", Description=description
    )


def test_an_empty_rule_that_a_gate_may_be_making_is_left_alone(evidence: DoctorEvidence) -> None:
    rule = HoldRule(EMPTY_RULE, "rate(5 minutes)", "", has_target=False, hold=None)
    (finding,) = rules.findings(replace(evidence, rules=(rule,)))
    assert (finding.kind, finding.calls) == ("empty-rule", ()), "its age is not known"
    assert finding.commands == (("aws", "events", "delete-rule", "--name", EMPTY_RULE),)
    for minutes, kinds in ((29, []), (32, ["empty-rule"])):
        made = describe_date(evidence.now - timedelta(minutes=minutes))
        dated = replace(evidence, rules=(replace(rule, description=made),))
        assert list_kinds(rules.findings(dated)) == kinds


def test_an_empty_rule_that_a_gate_fills_in_the_last_moment_stays(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS removes no rule that has a target (model: DeleteRule)."""
    leave_empty_rule(sound)
    sound.wait(minutes=40)
    delete_rule = EventBridgeBackend.delete_rule

    def too_late(backend: EventBridgeBackend, *arguments: Any, **more: Any) -> None:
        target: Any = {"Id": "retry", "Arn": retry_arn(), "Input": "{}"}
        sound.events.put_targets(Rule=EMPTY_RULE, Targets=[target])
        delete_rule(backend, *arguments, **more)

    monkeypatch.setattr(EventBridgeBackend, "delete_rule", too_late)
    said = mend()
    assert f"rule {EMPTY_RULE}: not mended. events:DeleteRule answered Valid" in said.words
    assert said.status == 1
    assert sound.rules() == [EMPTY_RULE]


# Many rules, and long holds


def test_one_that_waits_for_weeks_is_told(evidence: DoctorEvidence) -> None:
    two_weeks, minute = timedelta(days=14), timedelta(minutes=1)
    assert check(evidence, now=two_weeks - minute) == []
    (finding,) = check(evidence, now=two_weeks + minute)
    assert finding.kind == "long-hold"
    assert finding.commands == (("gatectl", "explain", "k8s"), ("gatectl", "release", "k8s"))
    assert "for more than 14 days" in finding.problem


def test_many_rules_are_told_before_there_is_no_room(evidence: DoctorEvidence) -> None:
    assert evidence.rules_in_all == 1
    assert list(rules.findings(replace(evidence, rules_in_all=269))) == []
    (finding,) = rules.findings(replace(evidence, rules_in_all=270))
    assert "It has 270 rules, of 300" in finding.problem
