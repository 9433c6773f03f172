"""What `gatectl doctor` finds about the gate's rules. Each fault is made, found and fixed, and then
the pipeline continues.
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

STRANGER = "arn:aws:lambda:eu-central-1:123456789012:function:not-ours"
EMPTY_RULE = "pipeline-gate-dev-00000000-0000-4000-8000-000000000000"
OVER = HoldFate(Standing.ENDED, "the pipeline k8s no longer exists")
MOVED_ON = HoldFate(Standing.MOVED_ON)


@pytest.fixture
def held(sound: Scene) -> Scene:
    hold(sound)
    return sound


def check_continuation(scene: Scene) -> None:
    """Check that k8s starts again after infra has finished, and that nothing is left behind."""
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
    scene.world.dials.events_on = False  # so only a schedule fires it


def check(
    evidence: DoctorEvidence, fate: HoldFate = HELD, /, now: timedelta | None = None, **changes: Any
) -> list[Finding]:
    """Return the findings if this is the hold's fate, and its rule is changed like this. `now`: the
    time since the hold began.
    """
    (rule,) = evidence.rules or ()
    evidence = replace(evidence, rules=(replace(rule, **changes),), fates={rule.name: fate})
    if now and rule.hold:
        evidence = replace(evidence, now=rule.hold.since + now)
    return list(rules.findings(evidence))


# Holds that cannot end


def test_mend_fixes_a_broken_rule(held: Scene) -> None:
    break_rule(held)
    said = mend()
    assert "It is disabled, so it never fires. k8s is waiting for infra, and nothing" in said.words
    assert said.status == 0
    assert read_target(held)["Arn"] == retry_arn()
    check_continuation(held)


def test_the_printed_commands_fix_a_broken_rule(held: Scene) -> None:
    break_rule(held)
    held.events.put_targets(Rule=held.rules()[0], Targets=[{"Id": "spy", "Arn": STRANGER}])
    described = findings()
    kinds = [finding["kind"] for finding in described]
    assert kinds == ["disabled-rule", "wrong-target", "no-schedule", "more-targets"]
    for finding in described:
        paste(finding)
    check_continuation(held)


def test_each_fault_of_a_rule_is_reported(evidence: DoctorEvidence) -> None:
    stuck = "k8s is waiting for infra, and nothing will continue it."
    (disabled,) = check(evidence, enabled=False)
    assert (disabled.kind, disabled.severity, disabled.means) == ("disabled-rule", "error", stuck)
    (wrong,) = check(evidence, targets={"retry": STRANGER})
    assert (wrong.kind, wrong.severity, wrong.means) == ("wrong-target", "error", stuck)
    assert wrong.problem == f"It invokes {STRANGER}, not the retry function."
    (lost,) = check(evidence, schedule="")
    assert (lost.kind, lost.problem) == ("no-schedule", "It has no schedule.")
    (strange,) = check(evidence, schedule="rate(7 minutes)")
    assert (
        strange.problem == "Its schedule is rate(7 minutes), which is not one that the gate writes."
    )
    (more,) = check(evidence, targets={"retry": retry_arn(), "spy": STRANGER})
    assert (more.kind, more.severity) == ("more-targets", "warning")
    assert f"spy ({STRANGER})" in more.problem
    assert more.calls == (), "a person has to decide"
    assert len({finding.where for finding in (disabled, wrong, lost, strange, more)}) == 1


def test_a_hold_whose_input_was_changed(held: Scene) -> None:
    target: Any = {"Id": "retry", "Arn": retry_arn(), "Input": "{}"}
    held.events.put_targets(Rule=held.rules()[0], Targets=[target])
    finding = the_finding("unreadable-rule")
    assert "k8s (execution" in finding["what"]  # from the rule's description
    assert held.executions()[0]["pipelineExecutionId"] in finding["means"]
    assert not finding["mendable"]
    paste(finding)
    assert held.rules() == []


def test_mend_keeps_a_hold_whose_function_was_deleted(held: Scene) -> None:
    """It continues after another deployment."""
    delete("dev")
    said = mend()
    assert said.status == 1
    assert "It does not exist, but k8s invokes it." in said.words
    assert "Deploy it again, and the hold continues. Or start k8s yourself." in said.words
    assert len(held.rules()) == 1
    deploy("dev")
    the_finding("retry-permission")  # it was deleted with the function
    mend()
    check_continuation(held)


def test_mend_removes_the_rule_after_a_person_has_started_the_pipeline(held: Scene) -> None:
    delete("dev")
    take_out_gate(held)
    assert "nothing starts k8s again" in findings()[1]["means"].lower()
    held.start("k8s")
    described = findings()
    assert [(finding["kind"], finding["mendable"]) for finding in described] == [
        ("no-gate", False),
        ("left-behind", True),
    ]
    assert "Nothing removes it" in described[1]["means"]
    held.world.dials.targets_linger = timedelta(seconds=8)
    mend()
    assert held.rules() == []


def test_an_overdue_hold(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong except that the retry function fails at each check."""
    broken = Mock(side_effect=RuntimeError("broken"))
    monkeypatch.setattr("chalicelib.retry.read_rule_name", broken)
    held.wait(minutes=62)
    assert findings() == []
    held.wait(minutes=20)
    finding = the_finding("overdue")
    assert finding["what"].endswith("held, although infra stopped blocking it at 13:00 UTC.")
    assert "chalice logs --stage dev --name retry" in finding["commands"]


# Holds that have ended


def test_a_hold_that_is_no_longer_needed(held: Scene) -> None:
    take_out_gate(held)
    held.start("k8s")
    finding = the_finding("over")
    assert finding["severity"] == "note"
    assert "a newer execution exists" in finding["what"]
    held.wait(minutes=66)
    assert held.rules() == []


def test_an_old_hold_still_counts(sound: Scene) -> None:
    """In PARALLEL mode more executions may have begun since than AWS lists on one page."""
    sound.pipeline("infra", seconds=3600)
    sound.k8s(mode="PARALLEL")
    sound.start("infra")
    sound.start("k8s")
    sound.wait(minutes=20)
    sound.has_run("k8s", *((timedelta(minutes=10), "Succeeded") for _ in range(120)))
    assert len(sound.executions()) == 100
    assert "1 execution is held" in run("doctor").words


def test_a_hold_that_has_ended_or_moved_on_is_neither_stuck_nor_overdue(
    evidence: DoctorEvidence,
) -> None:
    late, broken = timedelta(days=20), {"enabled": False, "schedule": ""}
    kinds = list_kinds(check(evidence, now=late, **broken))
    assert kinds == ["disabled-rule", "no-schedule", "long-hold"]
    assert list_kinds(check(evidence, OVER, now=late)) == ["over"]
    assert check(evidence, MOVED_ON, now=late, **broken) == []


def test_a_rule_of_an_ended_hold_that_does_not_fire_is_left_behind(
    evidence: DoctorEvidence,
) -> None:
    assert list_kinds(check(evidence, OVER)) == ["over"]
    for broken in ({"enabled": False}, {"targets": {"retry": STRANGER}}):
        (finding,) = check(evidence, OVER, **broken)
        assert (finding.kind, finding.severity) == ("left-behind", "warning")
        assert "Nothing removes it" in finding.means
        assert len(finding.calls) == 2


def test_a_rule_of_an_ended_hold_that_may_not_invoke_the_retry_is_left_behind(
    evidence: DoctorEvidence,
) -> None:
    (rule,) = evidence.rules or ()
    shut = {**evidence.functions, RETRY: replace(evidence.functions[RETRY], statements=())}
    over = replace(evidence, functions=shut, fates={rule.name: OVER})
    assert list_kinds(examine(over)) == ["left-behind"]
    (finding,) = examine(replace(over, fates={rule.name: MOVED_ON}))
    assert (finding.kind, finding.means) == ("retry-permission", "No hold ends.")


def test_mend_keeps_a_rule_that_has_other_targets(held: Scene) -> None:
    held.codepipeline.delete_pipeline(name="k8s")
    held.events.put_targets(Rule=held.rules()[0], Targets=[{"Id": "spy", "Arn": STRANGER}])
    finding = the_finding("left-behind")
    assert "it has targets that the gate did not create" in finding["means"]
    assert not finding["mendable"]
    paste(finding)
    assert held.rules() == []


def test_find_fault_prefers_the_cause(evidence: DoctorEvidence) -> None:
    """`holds` and `explain` show the cause rather than that the hold is overdue."""
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
    description = f"{describe_date(utcnow())} k8s (execution 00000000) is waiting for infra."
    scene.events.put_rule(
        Name=EMPTY_RULE, ScheduleExpression="rate(5 minutes)", Description=description
    )


def test_mend_keeps_an_empty_rule_that_a_gate_may_be_creating(evidence: DoctorEvidence) -> None:
    rule = HoldRule(EMPTY_RULE, "rate(5 minutes)", "", has_target=False, hold=None)
    (finding,) = rules.findings(replace(evidence, rules=(rule,)))
    assert (finding.kind, finding.calls) == ("empty-rule", ()), "its age is unknown"
    assert finding.commands == (("aws", "events", "delete-rule", "--name", EMPTY_RULE),)
    for minutes, kinds in ((29, []), (32, ["empty-rule"])):
        made = describe_date(evidence.now - timedelta(minutes=minutes))
        dated = replace(evidence, rules=(replace(rule, description=made),))
        assert list_kinds(rules.findings(dated)) == kinds


def test_an_empty_rule_that_gets_a_target_meanwhile_is_kept(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS does not delete a rule that has a target (model: DeleteRule)."""
    leave_empty_rule(sound)
    sound.wait(minutes=40)
    delete_rule = EventBridgeBackend.delete_rule

    def too_late(backend: EventBridgeBackend, *arguments: Any, **more: Any) -> None:
        target: Any = {"Id": "retry", "Arn": retry_arn(), "Input": "{}"}
        sound.events.put_targets(Rule=EMPTY_RULE, Targets=[target])
        delete_rule(backend, *arguments, **more)

    monkeypatch.setattr(EventBridgeBackend, "delete_rule", too_late)
    said = mend()
    assert f"rule {EMPTY_RULE}: not fixed. events:DeleteRule answered Valid" in said.words
    assert said.status == 1
    assert sound.rules() == [EMPTY_RULE]


# Many rules, and long holds


def test_a_hold_of_weeks_gets_a_warning(evidence: DoctorEvidence) -> None:
    two_weeks, minute = timedelta(days=14), timedelta(minutes=1)
    assert check(evidence, now=two_weeks - minute) == []
    (finding,) = check(evidence, now=two_weeks + minute)
    assert finding.kind == "long-hold"
    assert finding.commands == (("gatectl", "explain", "k8s"), ("gatectl", "release", "k8s"))
    assert "for more than 14 days" in finding.problem


def test_a_warning_before_the_quota_of_rules_is_used_up(evidence: DoctorEvidence) -> None:
    assert evidence.rules_in_all == 1
    assert list(rules.findings(replace(evidence, rules_in_all=269))) == []
    (finding,) = rules.findings(replace(evidence, rules_in_all=270))
    assert "It has 270 of 300 rules" in finding.problem
