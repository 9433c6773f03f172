"""What `gatectl doctor` says of the gate's functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto.awslambda.models import lambda_backends

from gatectl.findings import functions, invocation
from gatectl.findings.facts import Facts, Function
from gatectl.functions import Deployed
from sandbox.account import ACCOUNT, REGION
from sandbox.inprocess import MONDAY_NOON
from tests.support.cli import run
from tests.support.deployment import delete, deploy, findings, mend, paste, the_finding
from tests.support.scene import GATE, Scene

RETRY = "pipeline-gate-dev-retry"
RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/"


def allow(
    scene: Scene, source: str | None, statement: str = "pipeline-gate-rules", **more: Any
) -> None:
    given = {
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        **({"SourceArn": source} if source else {}),
        **more,
    }
    scene.awslambda.add_permission(FunctionName=RETRY, StatementId=statement, **given)


def hold(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s()
    scene.start("infra")
    scene.start("k8s")


# Is it there?


def test_no_gate_at_all(sound: Scene) -> None:
    delete("dev")
    said = run("doctor")
    assert said.status == 0, "a note: as an uninstall leaves it"
    assert "note  region eu-central-1" in said.out
    assert "No gate is deployed here." in said.words
    assert "chalice deploy --stage prod" in said.out


def test_pipelines_that_name_a_gate_which_is_not_there(sound: Scene) -> None:
    for name in ("infra", "dns"):
        sound.pipeline(name)
    sound.k8s()
    sound.gated(
        "apps",
        {
            "depends_on": ["dns"],
            "pipeline": "apps",
            "execution": "#{codepipeline.PipelineExecutionId}",
        },
    )
    delete("dev")
    deploy("prod")
    found = the_finding("gate-not-deployed")
    assert found["what"] == "It is not there, and apps and k8s name it as the gate."
    assert found["how"] == "Deploy it, or name pipeline-gate-prod-gate there."
    assert found["commands"] == ["chalice deploy --stage dev"]
    deploy("dev")
    assert findings() == []


def test_only_one_of_the_two(sound: Scene) -> None:
    delete("dev", "gate")
    assert (the_finding("no-gate-function")["severity"], run("doctor").status) == ("warning", 1)


def test_the_gate_without_the_retry(sound: Scene) -> None:
    hold(sound)
    delete("dev", "retry")
    found = findings()
    assert [one["kind"] for one in found] == ["no-retry", "orphan"]
    assert found[0]["means"] == (
        "The gate can hold nobody: an action that has to wait fails. k8s waits now, and will not "
        "start again."
    )


def test_a_name_that_leaves_no_room(sound: Scene) -> None:
    deploy("production-of-team-a")
    found = the_finding("stage-name")
    assert "has 20 characters" in found["what"]
    assert found["commands"] == ["chalice deploy --stage production-of"]


def test_functions_of_two_versions(sound: Scene) -> None:
    sound.awslambda.update_function_code(FunctionName=RETRY, ZipFile=b"newer")
    assert the_finding("different-code")["where"] == f"functions {GATE} and {RETRY}"


# Can it run?


def test_a_function_that_lambda_cannot_run(sound: Scene) -> None:
    lambda_backends[ACCOUNT][REGION].get_function(RETRY).state = "Failed"
    found = the_finding("function-broken")
    assert (found["where"], found["what"]) == (f"function {RETRY}", "It is Failed.")
    assert found["means"] == "No hold ends: what is held does not start again."


def test_a_function_that_sleeps(sound: Scene) -> None:
    lambda_backends[ACCOUNT][REGION].get_function(GATE).state = "Inactive"
    found = the_finding("function-inactive")
    assert found["commands"] == [f"aws lambda invoke --function-name {GATE} /dev/null"]


def of_retry(**told: Any) -> list[tuple[str, str]]:
    """What is said of a retry of which Lambda tells this, for what the sandbox cannot show."""
    retry = replace(Function(RETRY, role="", handler="app.retry", seconds=900), **told)
    facts = Facts(
        MONDAY_NOON,
        "aws",
        REGION,
        ACCOUNT,
        deployed=(Deployed("dev", True, True),),
        functions={RETRY: retry},
    )
    return [(one.kind, one.what) for one in functions.findings(facts)]


def test_what_lambda_tells_of_a_function_is_passed_on() -> None:
    assert of_retry(update="Failed", update_reason="The role cannot be assumed.") == [
        ("update-failed", "Its last update failed: The role cannot be assumed.")
    ]
    assert of_retry(state="Failed", state_reason="Out of addresses.") == [
        ("function-broken", "It is Failed: Out of addresses.")
    ]
    assert of_retry(state="Pending", update="InProgress") == []
    assert of_retry(handler="chalicelib.retry_function.retry") == []


def test_a_function_that_is_stopped(sound: Scene) -> None:
    sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=0)
    found = the_finding("throttled")
    assert not found["mendable"]  # somebody may have meant it
    paste(found)
    assert findings() == []
    sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=1)
    assert findings() == []


@pytest.mark.parametrize(
    ("change", "kind", "what"),
    [
        (
            {"Handler": "app.main"},
            "handler",
            "Its handler is app.main, which is none of Pipeline Gate's: their names end with "
            ".gate.",
        ),
        ({"Timeout": 3}, "time-out", "Lambda ends it after 3 s."),
        (
            {"Environment": {"Variables": {"RETRY_MINUTES": "7"}}},
            "retry-minutes",
            'The gate\'s environment variable RETRY_MINUTES is "7": it must be one of 1, 2, 3, 4, '
            "5, 6, 10, 12, 15, 20, 30, 60. "
            "It stands in .chalice/config.json.",
        ),
        (
            {"Environment": {"Variables": {"EVENT_BUS": "chat"}}},
            "event-bus",
            "Its EVENT_BUS is chat, and there is no such event bus.",
        ),
    ],
)
def test_settings(sound: Scene, change: dict[str, Any], kind: str, what: str) -> None:
    sound.awslambda.update_function_configuration(FunctionName=GATE, **change)
    found = the_finding(kind)
    assert (found["where"], found["what"]) == (f"function {GATE}", what)
    assert found["commands"][-1] == "chalice deploy --stage dev"


def test_a_bus_that_is_there_or_elsewhere_is_right(sound: Scene) -> None:
    boto3.client("events").create_event_bus(Name="chat")
    elsewhere = "arn:aws:events:us-east-1:210987654321:event-bus/theirs"
    for bus in ("chat", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/chat", elsewhere):
        sound.awslambda.update_function_configuration(
            FunctionName=GATE, Environment={"Variables": {"EVENT_BUS": bus}}
        )
        assert findings() == []


# May EventBridge invoke the retry?


def test_before_the_first_hold_no_permission_is_missing(sound: Scene) -> None:
    """The gate sees to it itself, right before its first hold."""
    sound.pipeline("infra")
    sound.k8s()
    assert findings() == []


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_hold_whose_rule_may_not_invoke_the_retry(sound: Scene, by_hand: bool) -> None:
    hold(sound)
    sound.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
    found = the_finding("retry-permission")
    assert found["means"] == "No hold ends. k8s waits now, and will not start again."
    if by_hand:
        paste(found)
    else:
        mend()
    assert findings() == []
    sound.wait(minutes=12)
    assert sound.statuses() == ["Succeeded", "Failed"]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_statement_that_keeps_the_gate_from_making_its_own(sound: Scene, by_hand: bool) -> None:
    """AddPermission refuses an id that is there, and the gate takes that for done: so its first
    hold would be its last.
    """
    allow(sound, f"{RULES}something-else")
    found = the_finding("retry-permission")
    assert "its statement pipeline-gate-rules says something else" in found["what"]
    if by_hand:
        paste(found)
    else:
        mend()
    assert findings() == []
    hold(sound)
    sound.wait(minutes=12)
    assert sound.statuses() == ["Succeeded", "Failed"]


@pytest.mark.parametrize(
    ("source", "more", "right"),
    [
        (f"{RULES}pipeline-gate-*", {}, True),
        (f"{RULES}pipeline-gate-dev-*", {}, True),
        (f"{RULES}*", {}, True),
        ("arn:aws:events:*:*:*", {}, True),
        ("arn:aws:events:*", {}, False),  # ArnLike wants six parts
        (None, {}, True),
        (f"{RULES}pipeline-gate-*", {"SourceAccount": ACCOUNT}, True),
        (f"{RULES}pipeline-gate-*", {"SourceAccount": "210987654321"}, False),
        (f"{RULES}pipeline-gate-prod-*", {}, False),
        (f"{RULES}pipeline-gate-dev-00000000-0000-4000-8000-000000000000", {}, False),
        (f"arn:aws:events:us-east-1:{ACCOUNT}:rule/pipeline-gate-*", {}, False),
        (f"{RULES}pipeline-gate-*", {"Principal": "sns.amazonaws.com"}, False),
        (f"{RULES}pipeline-gate-*", {"Action": "lambda:GetFunction"}, False),
        (f"{RULES}pipeline-gate-*", {"Action": "lambda:*"}, True),
    ],
)
def test_who_is_let_in(sound: Scene, source: str | None, more: dict[str, Any], right: bool) -> None:
    hold(sound)
    sound.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
    allow(sound, source, statement="by-hand", **more)
    assert (findings() == []) is right
    sound.wait(minutes=12)
    assert (
        sound.statuses() == ["Succeeded", "Failed"]
    ) is right  # doctor says what EventBridge does


def test_a_condition_on_what_a_rule_does_not_tell_lets_nobody_in() -> None:
    allow = {
        "Sid": "pipeline-gate-rules",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
    }

    def found(**more: Any) -> list[str]:
        retry = Function(
            RETRY, role="", handler="app.retry", seconds=900, statements=({**allow, **more},)
        )
        facts = Facts(
            MONDAY_NOON,
            "aws",
            REGION,
            ACCOUNT,
            deployed=(Deployed("dev", True, True),),
            functions={RETRY: retry},
        )
        return [one.kind for one in invocation.findings(facts)]

    assert found() == []
    assert found(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}) == ["retry-permission"]
