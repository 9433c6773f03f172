"""When the doctor reports that a hold should have ended by now, on plain evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from gatectl.doctor import rules
from gatectl.doctor.evidence import DoctorEvidence
from sandbox.inprocess import MONDAY_NOON
from tests.support.deployment import list_kinds, retry_arn

HELD, INFRA = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"
SCHEDULE = "cron(2/5 * * * ? *)"
TO_INFRA = Dependency("infra")


def ago(minutes: float) -> datetime:
    return MONDAY_NOON - timedelta(minutes=minutes)


def run(status: str, minutes: float = 60, id_: str = INFRA) -> Execution:
    """Return an execution that last changed that many minutes ago, and began an hour before."""
    return Execution(id_, status, ago(minutes + 60), ago(minutes))


def build_rule(
    pipeline: str, execution: str, *depends_on: Dependency, schedule: str = SCHEDULE, **more: Any
) -> HoldRule:
    name = f"pipeline-gate-dev-{execution}"
    hold = Hold(name, pipeline, execution, depends_on, ago(300), **more)
    return HoldRule(name, schedule, "", True, hold, targets={"retry": retry_arn()})


def is_overdue(
    evidence: DoctorEvidence, rule: HoldRule, *more: HoldRule, **newest: Execution
) -> bool:
    """Return whether `rule` is reported as overdue, and nothing else is reported.

    `newest`: the newest execution of each pipeline.
    """
    executions = {"k8s": run("Failed", 290, HELD), **newest}
    evidence = replace(
        evidence,
        now=MONDAY_NOON,
        pipelines={name: Pipeline(name) for name in ("k8s", "infra", "dns")},
        rules=(rule, *more),
        executions={name: (execution,) for name, execution in executions.items()},
        fates={},
    )
    kinds = list_kinds(rules.findings(evidence))
    assert kinds in ([], ["overdue"])
    return bool(kinds)


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        (SCHEDULE, 15),  # two checks, five minutes apart, and MAX_DELAY
        ("cron(0/30 * * * ? *)", 65),
        ("cron(7 * * * ? *)", 125),
    ],
)
def test_a_hold_is_overdue_after_two_checks(
    evidence: DoctorEvidence, schedule: str, minutes: float
) -> None:
    rule = build_rule("k8s", HELD, TO_INFRA, schedule=schedule)
    assert not is_overdue(evidence, rule, infra=run("Succeeded", minutes - 1))
    assert is_overdue(evidence, rule, infra=run("Succeeded", minutes))


@pytest.mark.parametrize(
    ("dependency", "infra", "late"),
    [
        (TO_INFRA, "InProgress", False),
        (TO_INFRA, "Failed", True),
        (Dependency("infra", require="succeeded"), "Failed", False),
        (Dependency("infra", require="succeeded"), "Succeeded", True),
        (Dependency("infra", stage="Deploy"), "Succeeded", False),
        (Dependency("arn:aws:codepipeline:us-east-1:123456789012:infra"), "Succeeded", False),
        (Dependency("gone"), "Succeeded", True),
    ],
)
def test_only_if_it_is_known_that_the_upstream_no_longer_blocks(
    evidence: DoctorEvidence, dependency: Dependency, infra: str, late: bool
) -> None:
    rule = build_rule("k8s", HELD, dependency)
    assert is_overdue(evidence, rule, infra=run(infra)) is late


def test_an_upstream_that_is_held_too_still_blocks(evidence: DoctorEvidence) -> None:
    rule, dns = build_rule("k8s", HELD, TO_INFRA), run("InProgress", 0, HELD)
    upstream = build_rule("infra", INFRA, Dependency("dns"))
    assert not is_overdue(evidence, rule, upstream, infra=run("Failed"), dns=dns)
    newer = run("Failed", id_="33333333-0000-4000-8000-000000000000")
    assert is_overdue(evidence, rule, infra=newer, dns=dns), "its hold is over"


def test_all_upstreams_count(evidence: DoctorEvidence) -> None:
    rule = build_rule("k8s", HELD, TO_INFRA, Dependency("dns"))
    assert not is_overdue(evidence, rule, infra=run("Succeeded"), dns=run("Succeeded", 3))
    assert is_overdue(evidence, rule, infra=run("Succeeded"), dns=run("Succeeded"))
    assert not is_overdue(evidence, rule, infra=run("Succeeded")), "dns may not be read"


def test_a_hold_past_its_deadline_is_overdue_too(evidence: DoctorEvidence) -> None:
    for minutes, late in ((14, False), (16, True)):
        rule = build_rule("k8s", HELD, TO_INFRA, give_up=ago(minutes))
        assert is_overdue(evidence, rule, infra=run("InProgress", 0)) is late


def test_a_hold_whose_stage_was_retried_and_is_running_is_not_overdue(
    evidence: DoctorEvidence,
) -> None:
    rule = build_rule("k8s", HELD, TO_INFRA)
    again = run("InProgress", 50, HELD)
    assert not is_overdue(evidence, rule, infra=run("Succeeded"), k8s=again)
