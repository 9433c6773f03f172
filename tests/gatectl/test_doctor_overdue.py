"""When a hold should have ended by now, on plain facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from gatectl.findings import rules
from gatectl.findings.facts import Facts
from gatectl.functions import Deployed
from sandbox.account import ACCOUNT, REGION
from sandbox.inprocess import MONDAY_NOON
from tests.support.deployment import retry_arn

HELD, INFRA = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"
SCHEDULE = "cron(2/5 * * * ? *)"


def ago(minutes: float) -> Any:
    return MONDAY_NOON - timedelta(minutes=minutes)


def execution(id_: str, status: str, minutes: float) -> Execution:
    """One that began an hour before it was changed the last time, that many minutes ago."""
    return Execution(id_, status, ago(minutes + 60), ago(minutes))


def rule_of(
    pipeline: str, execution: str, *depends_on: Dependency, schedule: str = SCHEDULE, **more: Any
) -> HoldRule:
    name = f"pipeline-gate-dev-{execution}"
    hold = Hold(name, pipeline, execution, depends_on, ago(300), **more)
    return HoldRule(name, schedule, "", True, hold, targets={"retry": retry_arn()})


def kinds(*rules_: HoldRule, pipelines: str = "k8s infra", **executions: Execution) -> list[str]:
    """What is found of these rules, where these are the newest executions of the pipelines."""
    facts = Facts(
        MONDAY_NOON,
        "aws",
        REGION,
        ACCOUNT,
        deployed=(Deployed("dev", True, True),),
        pipelines={name: Pipeline(name) for name in pipelines.split()},
        rules=rules_,
        executions={
            "k8s": (execution(HELD, "Failed", 290),),
            **{name: (one,) for name, one in executions.items()},
        },
    )
    return [one.kind for one in rules.findings(facts)]


@pytest.mark.parametrize(
    ("schedule", "minutes", "late"),
    [
        (SCHEDULE, 14, False),
        (SCHEDULE, 15, True),  # twice the five minutes, and five more
        ("cron(0/30 * * * ? *)", 64, False),
        ("cron(0/30 * * * ? *)", 65, True),
        ("cron(7 * * * ? *)", 124, False),
        ("cron(7 * * * ? *)", 125, True),
    ],
)
def test_it_is_late_when_two_looks_have_done_nothing(
    schedule: str, minutes: float, late: bool
) -> None:
    rule = rule_of("k8s", HELD, Dependency("infra"), schedule=schedule)
    assert kinds(rule, infra=execution(INFRA, "Succeeded", minutes)) == ["overdue"] * late


@pytest.mark.parametrize(
    ("wanted", "infra", "late"),
    [
        (Dependency("infra"), execution(INFRA, "InProgress", 60), False),
        (Dependency("infra"), execution(INFRA, "Failed", 60), True),
        (Dependency("infra", require="succeeded"), execution(INFRA, "Failed", 60), False),
        (Dependency("infra", require="succeeded"), execution(INFRA, "Succeeded", 60), True),
        (Dependency("infra", stage="Deploy"), execution(INFRA, "Succeeded", 60), False),
        (
            Dependency("arn:aws:codepipeline:us-east-1:123456789012:infra"),
            execution(INFRA, "Succeeded", 60),
            False,
        ),
        (Dependency("gone"), execution(INFRA, "Succeeded", 60), True),
    ],
)
def test_only_where_it_is_known_that_nothing_is_waited_for_any_more(
    wanted: Dependency, infra: Execution, late: bool
) -> None:
    assert kinds(rule_of("k8s", HELD, wanted), infra=infra) == ["overdue"] * late


def test_an_upstream_that_is_held_itself_is_waited_for() -> None:
    infra = execution(INFRA, "Failed", 60)
    chain = rule_of("k8s", HELD, Dependency("infra")), rule_of("infra", INFRA, Dependency("dns"))
    assert (
        kinds(*chain, pipelines="k8s infra dns", infra=infra, dns=execution(HELD, "InProgress", 0))
        == []
    )


def test_all_that_is_waited_for_counts() -> None:
    rule = rule_of("k8s", HELD, Dependency("infra"), Dependency("dns"))
    ended, recent = execution(INFRA, "Succeeded", 60), execution(INFRA, "Succeeded", 3)
    assert kinds(rule, pipelines="k8s infra dns", infra=ended, dns=recent) == []
    assert kinds(rule, pipelines="k8s infra dns", infra=ended, dns=ended) == ["overdue"]
    assert kinds(rule, pipelines="k8s infra dns", infra=ended) == []  # of dns nobody may be told


def test_a_wait_that_was_to_be_given_up_is_late_too() -> None:
    running = execution(INFRA, "InProgress", 0)
    assert kinds(rule_of("k8s", HELD, Dependency("infra"), give_up=ago(14)), infra=running) == []
    assert kinds(rule_of("k8s", HELD, Dependency("infra"), give_up=ago(16)), infra=running) == [
        "overdue"
    ]


def test_one_that_has_been_retried_and_runs_is_not_late() -> None:
    rule = rule_of("k8s", HELD, Dependency("infra"), mode="retry")
    assert (
        kinds(rule, infra=execution(INFRA, "Succeeded", 60), k8s=execution(HELD, "InProgress", 50))
        == []
    )
