"""SimulatePrincipalPolicy: what a role would be allowed to do, by its own policies and its
boundary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.account import ACCOUNT, REGION
from sandbox.inprocess import in_process
from tests.conftest import executor
from tests.sandbox.worker import ALL, ROLE, Worker, document
from tests.support.clients import refused

RULES = [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}" for name in ("mine", "yours")]
PUT_MINE = {"Effect": "Allow", "Action": "events:PutRule", "Resource": RULES[0]}
TARGETS = {
    **ALL,
    "Action": "events:PutTargets",
    "Condition": {"StringEquals": {"events:TargetArn": "a"}},
}


@pytest.fixture
def worker() -> Iterator[Worker]:
    with in_process(executor()):
        yield Worker()


def simulate(worker: Worker, *actions: str, **members: Any) -> list[dict[str, Any]]:
    request = {"PolicySourceArn": ROLE, "ActionNames": list(actions), **members}
    answer = worker.iam.simulate_principal_policy(**request)
    results: list[dict[str, Any]] = answer["EvaluationResults"]
    return results


def decide(worker: Worker, *actions: str, **members: Any) -> list[str]:
    return [result["EvalDecision"] for result in simulate(worker, *actions, **members)]


def test_what_the_policies_allow_and_what_they_do_not(worker: Worker) -> None:
    deny = ALL | {"Effect": "Deny", "Action": "lambda:Delete*"}
    worker.may(PUT_MINE, ALL | {"Action": "lambda:*"}, deny)
    actions = ("events:PutRule", "lambda:ListFunctions", "lambda:DeleteFunction")
    decided = decide(worker, *actions, ResourceArns=RULES[:1])
    assert decided == ["allowed", "allowed", "explicitDeny"]
    assert decide(worker, "events:DeleteRule") == ["implicitDeny"]


def test_one_result_an_action_and_the_most_restrictive_decision_for_all_resources(
    worker: Worker,
) -> None:
    worker.may(PUT_MINE)
    (result,) = simulate(worker, "events:PutRule", ResourceArns=RULES)
    assert result["EvalDecision"] == "implicitDeny"
    assert "EvalResourceName" not in result  # AWS has a template there: one answer for all
    each = [
        (decision["EvalResourceName"], decision["EvalResourceDecision"])
        for decision in result["ResourceSpecificResults"]
    ]
    assert each == [(RULES[0], "allowed"), (RULES[1], "implicitDeny")]
    worker.may(ALL, PUT_MINE | {"Effect": "Deny"})
    assert decide(worker, "events:PutRule", ResourceArns=RULES) == ["explicitDeny"]


def test_without_a_resource_all_are_meant(worker: Worker) -> None:
    worker.may(PUT_MINE)
    (result,) = simulate(worker, "events:PutRule")
    assert result["EvalDecision"] == "implicitDeny"
    assert "ResourceSpecificResults" not in result


def test_a_condition_wants_its_key(worker: Worker) -> None:
    worker.may(TARGETS)

    def decide_with(*values: str) -> tuple[str, list[str]]:
        key = {"ContextKeyName": "events:TargetArn", "ContextKeyType": "stringList"}
        entries = [{**key, "ContextKeyValues": list(values)}] if values else []
        (result,) = simulate(worker, "events:PutTargets", ContextEntries=entries)
        return result["EvalDecision"], result["MissingContextValues"]

    assert decide_with() == ("implicitDeny", ["events:targetarn"])
    assert decide_with("a") == ("allowed", [])
    assert decide_with("b") == ("implicitDeny", [])
    (result,) = simulate(worker, "events:PutTargets", ResourceArns=RULES[:1])
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == ["events:targetarn"]
    (result,) = simulate(worker, "events:PutRule")  # the statement is not about this action
    assert result["MissingContextValues"] == []


def test_a_boundary_takes_away_and_is_named(worker: Worker) -> None:
    worker.may(ALL)
    worker.bound(PUT_MINE)
    results = simulate(worker, "events:PutRule", "events:DeleteRule", ResourceArns=RULES[:1])
    for result, decision, allowed in zip(
        results, ("allowed", "implicitDeny"), (True, False), strict=True
    ):
        assert result["EvalDecision"] == decision
        detail = {"AllowedByPermissionsBoundary": allowed}
        assert result["PermissionsBoundaryDecisionDetail"] == detail


def test_managed_policies_count_too(worker: Worker) -> None:
    worker.attach(PUT_MINE)
    assert decide(worker, "events:PutRule", ResourceArns=RULES[:1]) == ["allowed"]


def test_pages(worker: Worker) -> None:
    worker.may(PUT_MINE)
    actions = [f"events:Action{number}" for number in range(101)]
    paginator = worker.iam.get_paginator("simulate_principal_policy")
    pages = paginator.paginate(
        PolicySourceArn=ROLE, ActionNames=actions[:5], PaginationConfig={"PageSize": 2}
    )
    assert [
        ([result["EvalActionName"] for result in page["EvaluationResults"]], page["IsTruncated"])
        for page in pages
    ] == [(actions[:2], True), (actions[2:4], True), (actions[4:5], False)]
    page = worker.iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=actions)
    assert (len(page["EvaluationResults"]), page["IsTruncated"], page["Marker"]) == (
        100,
        True,
        "100",
    )


NUMBER = {"ContextKeyName": "aws:x", "ContextKeyValues": ["1"], "ContextKeyType": "number"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/missing"}, "NoSuchEntity"),
        ({"PolicySourceArn": "arn:aws:iam::210987654321:role/worker"}, "NoSuchEntity"),
        ({"PolicySourceArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/x"}, "InvalidInput"),
        ({"ActionNames": ["PutRule"]}, "InvalidInput"),
        ({"ActionNames": ["events:" + "x" * 122]}, "InvalidInput"),
        ({"ResourceArns": ["x" * 2049]}, "InvalidInput"),
        ({"ContextEntries": [NUMBER]}, "InvalidInput"),
        ({"ResourcePolicy": document(ALL)}, "InvalidInput"),
        ({"MaxItems": 1001}, "InvalidInput"),
        ({"Marker": "far away"}, "InvalidInput"),
    ],
)
def test_what_aws_refuses(worker: Worker, wrong: dict[str, Any], code: str) -> None:
    with refused(code):
        simulate(worker, "events:PutRule", **wrong)


@pytest.mark.parametrize(
    "members",
    [
        {"PolicyInputList": [document(ALL)]},
        {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/person"},
    ],
)
def test_what_the_sandbox_cannot_it_says(worker: Worker, members: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        simulate(worker, "events:PutRule", **members)
