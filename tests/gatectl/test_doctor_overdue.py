"""When a hold should have ended by now, on plain evidence."""

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
    """One that began an hour before it was changed the last time, that many minutes ago."""
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
    """Whether that is found of `rule`, and nothing else. `newest`: that of each pipeline."""
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
        (SCHEDULE, 15),  # twice the five minutes, and five more
        ("cron(0/30 * * * ? *)", 65),
        ("cron(7 * * * ? *)", 125),
    ],
)
def test_it_is_late_when_two_looks_have_done_nothing(
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
def test_only_where_it_is_known_that_nothing_is_waited_for_any_more(
    evidence: DoctorEvidence, dependency: Dependency, infra: str, late: bool
) -> None:
    rule = build_rule("k8s", HELD, dependency)
    assert is_overdue(evidence, rule, infra=run(infra)) is late


def test_an_upstream_that_is_held_itself_is_waited_for(evidence: DoctorEvidence) -> None:
    rule, dns = build_rule("k8s", HELD, TO_INFRA), run("InProgress", 0, HELD)
    upstream = build_rule("infra", INFRA, Dependency("dns"))
    assert not is_overdue(evidence, rule, upstream, infra=run("Failed"), dns=dns)
    newer = run("Failed", id_="33333333-0000-4000-8000-000000000000")
    assert is_overdue(evidence, rule, infra=newer, dns=dns), "its hold is over"


def test_all_that_is_waited_for_counts(evidence: DoctorEvidence) -> None:
    rule = build_rule("k8s", HELD, TO_INFRA, Dependency("dns"))
    assert not is_overdue(evidence, rule, infra=run("Succeeded"), dns=run("Succeeded", 3))
    assert is_overdue(evidence, rule, infra=run("Succeeded"), dns=run("Succeeded"))
    assert not is_overdue(evidence, rule, infra=run("Succeeded")), "dns may not be read"


def test_a_wait_that_was_to_be_given_up_is_late_too(evidence: DoctorEvidence) -> None:
    for minutes, late in ((14, False), (16, True)):
        rule = build_rule("k8s", HELD, TO_INFRA, give_up=ago(minutes))
        assert is_overdue(evidence, rule, infra=run("InProgress", 0)) is late


def test_one_that_has_been_retried_and_runs_is_not_late(evidence: DoctorEvidence) -> None:
    rule = build_rule("k8s", HELD, TO_INFRA)
    again = run("InProgress", 50, HELD)
    assert not is_overdue(evidence, rule, infra=run("Succeeded"), k8s=again)
