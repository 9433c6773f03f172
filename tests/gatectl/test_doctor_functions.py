"""What `gatectl doctor` finds about the gate's functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto.awslambda.models import lambda_backends

from gatectl.doctor import examine
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.functions import DeployedFunctions
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.permission import allows_invocation
from tests.support.ask import ask
from tests.support.declared import gated
from tests.support.deployment import (
    RETRY,
    SHUT,
    findings,
    hold,
    list_kinds,
    mend,
    paste,
    retry_arn,
    the_finding,
)
from tests.support.scene import GATE, Scene

RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/"


def check(evidence: DoctorEvidence, function: str, **settings: Any) -> list[Finding]:
    """Return the findings if this function has these settings."""
    changed = replace(evidence.functions[function], **settings)
    return examine(replace(evidence, functions={**evidence.functions, function: changed}))


def check_deployed(
    evidence: DoctorEvidence, *deployed: DeployedFunctions, **changes: Any
) -> list[Finding]:
    """Return the findings if only this is deployed."""
    names = [
        name
        for each in deployed
        for name, exists in ((each.gate, each.has_gate), (each.retry, each.has_retry))
        if exists and name in evidence.functions
    ]
    functions = {name: evidence.functions[name] for name in names}
    return examine(replace(evidence, deployed=deployed, functions=functions, **changes))


# Does it exist?


def test_a_complete_deployment(evidence: DoctorEvidence) -> None:
    assert examine(evidence) == []


def test_pipelines_that_invoke_a_gate_that_does_not_exist(evidence: DoctorEvidence) -> None:
    apps = gated("apps", ask("infra", pipeline="apps"))
    (finding,) = check_deployed(
        evidence,
        DeployedFunctions("prod", has_gate=True, has_retry=True),
        pipelines={**(evidence.pipelines or {}), "apps": apps},
        rules=(),
    )
    assert (finding.kind, finding.where) == ("gate-not-deployed", f"function {GATE}")
    assert finding.problem == "It does not exist, but apps and k8s invoke it."
    assert finding.how == "Deploy it, or use pipeline-gate-prod-gate instead."
    assert finding.commands == (("chalice", "deploy", "--stage", "dev"),)


def test_the_retry_without_the_gate(evidence: DoctorEvidence) -> None:
    (finding,) = check_deployed(
        evidence, DeployedFunctions("dev", has_gate=False, has_retry=True), pipelines={}, rules=()
    )
    assert (finding.kind, finding.severity) == ("no-gate-function", "warning")


def test_the_gate_without_the_retry(evidence: DoctorEvidence) -> None:
    no_retry, orphan = check_deployed(
        evidence, DeployedFunctions("dev", has_gate=True, has_retry=False)
    )
    assert (no_retry.kind, orphan.kind) == ("no-retry", "orphan")
    assert no_retry.means.startswith("The gate cannot hold executions: an action that has to wait")


def test_a_stage_name_that_is_too_long(evidence: DoctorEvidence) -> None:
    too_long = DeployedFunctions("production-of-team-a", has_gate=True, has_retry=True)
    (finding,) = check_deployed(evidence, *(evidence.deployed or ()), too_long)
    assert finding.kind == "stage-name"
    assert "has 20 characters" in finding.problem
    assert finding.commands == (("chalice", "deploy", "--stage", "production-of"),)


def test_functions_of_two_versions(evidence: DoctorEvidence) -> None:
    (finding,) = check(evidence, RETRY, code="newer")
    assert (finding.kind, finding.where) == ("different-code", f"functions {GATE} and {RETRY}")


# Can it run?


def test_the_settings_are_read_from_lambda(sound: Scene) -> None:
    for function in (GATE, RETRY):
        sound.awslambda.update_function_configuration(
            FunctionName=function,
            Handler="app.main",
            Timeout=3,
            Environment={"Variables": {"RETRY_MINUTES": "7", "EVENT_BUS": "chat"}},
        )
    sound.awslambda.update_function_code(FunctionName=RETRY, ZipFile=b"newer")
    sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=0)
    lambda_backends[ACCOUNT][REGION].get_function(RETRY).state = "Failed"
    lambda_backends[ACCOUNT][REGION].get_function(GATE).state = "Inactive"
    kinds = {
        (finding["where"].removeprefix("function "), finding["kind"]) for finding in findings()
    }
    both = {(name, kind) for name in (GATE, RETRY) for kind in ("handler", "time-out", "event-bus")}
    assert kinds == both | {
        (f"functions {GATE} and {RETRY}", "different-code"),
        (GATE, "function-inactive"),
        (GATE, "retry-minutes"),
        (RETRY, "function-broken"),
        (RETRY, "throttled"),
    }


@pytest.mark.parametrize(
    ("settings", "kind", "problem"),
    [
        ({"update": "Failed", "update_reason": "No."}, "update-failed", "update failed: No."),
        ({"state": "Failed", "state_reason": "No."}, "function-broken", "It is Failed: No."),
        ({"state": "Failed"}, "function-broken", "It is Failed."),
        ({"state": "Inactive"}, "function-inactive", "It is Inactive: "),
        ({"handler": "app.main"}, "handler", "Its handler is app.main"),
        ({"seconds": 3}, "time-out", "Its timeout is 3 s."),
        ({"environment": {"RETRY_MINUTES": "7"}}, "retry-minutes", 'RETRY_MINUTES is "7"'),
        ({"environment": {"EVENT_BUS": "chat"}}, "event-bus", "Its EVENT_BUS is chat, but this"),
    ],
)
def test_settings(
    evidence: DoctorEvidence, settings: dict[str, Any], kind: str, problem: str
) -> None:
    (finding,) = check(replace(evidence, buses={"chat": False}), GATE, **settings)
    assert (finding.kind, finding.where) == (kind, f"function {GATE}")
    assert problem in finding.problem
    assert finding.commands[-1] == (
        ("aws", "lambda", "invoke", "--function-name", GATE, "/dev/null")
        if kind == "function-inactive"
        else ("chalice", "deploy", "--stage", "dev")
    )


def test_settings_of_the_retry(evidence: DoctorEvidence) -> None:
    (finding,) = check(evidence, RETRY, state="Failed")
    assert finding.means == "No hold ends: held pipelines do not continue."
    assert check(evidence, RETRY, state="Pending", update="InProgress", reserved=1) == []
    assert check(evidence, RETRY, handler="chalicelib.retry_function.retry") == []


def test_a_function_whose_reserved_concurrency_is_0(sound: Scene) -> None:
    sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=0)
    finding = the_finding("throttled")
    assert not finding["mendable"]  # it may be on purpose
    paste(finding)
    assert findings() == []


def test_an_event_bus_that_exists_or_is_elsewhere_is_right(sound: Scene) -> None:
    boto3.client("events").create_event_bus(Name="chat")
    here = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/chat"
    elsewhere = "arn:aws:events:us-east-1:210987654321:event-bus/theirs"
    for gate_bus, retry_bus in (("chat", here), (elsewhere, elsewhere)):
        for function, bus in ((GATE, gate_bus), (RETRY, retry_bus)):
            sound.awslambda.update_function_configuration(
                FunctionName=function, Environment={"Variables": {"EVENT_BUS": bus}}
            )
        assert findings() == []


# May EventBridge invoke the retry function?


def test_before_the_first_hold_no_statement_is_missing(evidence: DoctorEvidence) -> None:
    """The gate adds it right before its first hold."""
    assert list_kinds(check(evidence, RETRY, statements=())) == ["retry-permission"]
    assert check(replace(evidence, rules=()), RETRY, statements=()) == []
    assert check(evidence, RETRY, statements=None) == [], "it could not be read"


def test_a_hold_whose_rule_may_not_invoke_the_retry(sound: Scene) -> None:
    hold(sound, seconds=600)
    sound.awslambda.remove_permission(**SHUT)
    finding = the_finding("retry-permission")
    assert finding["means"].startswith("No hold ends. k8s is waiting")
    mend()
    assert findings() == []
    sound.wait(minutes=12)
    assert sound.statuses() == ["Succeeded", "Failed"]


def test_a_statement_that_keeps_the_gate_from_making_its_own(sound: Scene) -> None:
    """AddPermission refuses an id that exists, and the gate assumes that the statement is right. So
    its first hold would never end.
    """
    sound.awslambda.add_permission(
        FunctionName=RETRY,
        StatementId="pipeline-gate-rules",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"{RULES}something-else",
    )
    finding = the_finding("retry-permission")
    assert (
        "the statement pipeline-gate-rules of its resource policy allows something else"
        in finding["what"]
    )
    paste(finding)
    assert findings() == []
    hold(sound, seconds=600)
    sound.wait(minutes=12)
    assert sound.statuses() == ["Succeeded", "Failed"]


STATEMENTS: list[tuple[str | None, dict[str, Any], bool]] = [
    (f"{RULES}pipeline-gate-*", {}, True),
    (f"{RULES}pipeline-gate-dev-*", {}, True),
    (f"{RULES}*", {}, True),
    ("arn:aws:events:*:*:*", {}, True),
    ("arn:aws:events:*", {}, False),  # ArnLike needs six parts
    (None, {}, True),
    (f"{RULES}pipeline-gate-*", {"SourceAccount": ACCOUNT}, True),
    (f"{RULES}pipeline-gate-*", {"SourceAccount": "210987654321"}, False),
    (f"{RULES}pipeline-gate-prod-*", {}, False),
    (f"{RULES}pipeline-gate-dev-00000000-0000-4000-8000-000000000000", {}, False),
    (f"arn:aws:events:us-east-1:{ACCOUNT}:rule/pipeline-gate-*", {}, False),
    (f"{RULES}pipeline-gate-*", {"Principal": "sns.amazonaws.com"}, False),
    (f"{RULES}pipeline-gate-*", {"Action": "lambda:GetFunction"}, False),
    (f"{RULES}pipeline-gate-*", {"Action": "lambda:*"}, True),
]


def test_the_doctor_judges_statements_as_eventbridge_does(
    sound: Scene, evidence: DoctorEvidence
) -> None:
    (rule,) = evidence.rules or ()
    function = lambda_backends[ACCOUNT][REGION].get_function(RETRY)
    for source, more, is_right in STATEMENTS:
        statement: Any = {
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            **({"SourceArn": source} if source else {}),
            **more,
        }
        sound.awslambda.add_permission(FunctionName=RETRY, StatementId="by-hand", **statement)
        policy = json.loads(sound.awslambda.get_policy(FunctionName=RETRY)["Policy"])
        assert lets_in(evidence, *policy["Statement"]) is is_right, (source, more)
        fires = allows_invocation(
            function, retry_arn(), "events.amazonaws.com", RULES + rule.name, ACCOUNT
        )
        assert fires is is_right, (source, more)
        sound.awslambda.remove_permission(FunctionName=RETRY, StatementId="by-hand")


def lets_in(evidence: DoctorEvidence, *statements: Mapping[str, Any]) -> bool:
    """Return whether there are no findings if the retry function's policy has these statements."""
    return check(evidence, RETRY, statements=statements) == []


def test_a_condition_on_a_key_that_rules_do_not_send_is_not_met(evidence: DoctorEvidence) -> None:
    statement = {
        "Sid": "pipeline-gate-rules",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
    }
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    assert lets_in(evidence, statement)
    assert not lets_in(evidence, {**statement, "Condition": condition})
