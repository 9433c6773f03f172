"""SimulatePrincipalPolicy: what a role would be allowed to do, by its own policies and its
boundary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.account import ACCOUNT, REGION
from sandbox.inprocess import in_process
from sandbox.server import SandboxServer
from tests.conftest import executor
from tests.sandbox.clients import client, server_client

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
RULES = [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}" for name in ("mine", "yours")]
PUT_MINE = {"Effect": "Allow", "Action": "events:PutRule", "Resource": RULES[0]}
TARGETS = {
    "Effect": "Allow",
    "Action": "events:PutTargets",
    "Resource": "*",
    "Condition": {"StringEquals": {"events:TargetArn": "a"}},
}
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
NOBODY_ELSE: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Worker:
    """A role, and what IAM says of it."""

    def __init__(self, iam: Any) -> None:
        self.iam = iam
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(NOBODY_ELSE))

    def may(self, *statements: dict[str, Any]) -> None:
        self.iam.put_role_policy(
            RoleName="worker", PolicyName="inline", PolicyDocument=document(*statements)
        )

    def bound(self, *statements: dict[str, Any]) -> None:
        arn = self.iam.create_policy(PolicyName="boundary", PolicyDocument=document(*statements))[
            "Policy"
        ]["Arn"]
        self.iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=arn)

    def ask(self, *actions: str, **members: Any) -> list[dict[str, Any]]:
        request = {"PolicySourceArn": ROLE, "ActionNames": list(actions), **members}
        results: list[dict[str, Any]] = self.iam.simulate_principal_policy(**request)[
            "EvaluationResults"
        ]
        return results

    def decisions(self, *actions: str, **members: Any) -> list[str]:
        return [result["EvalDecision"] for result in self.ask(*actions, **members)]


@pytest.fixture
def worker() -> Iterator[Worker]:
    with in_process(executor()):
        yield Worker(client("iam"))


def test_what_the_policies_allow_and_what_they_do_not(worker: Worker) -> None:
    worker.may(
        PUT_MINE, ALL | {"Action": "lambda:*"}, ALL | {"Effect": "Deny", "Action": "lambda:Delete*"}
    )
    decided = worker.decisions(
        "events:PutRule", "lambda:ListFunctions", "lambda:DeleteFunction", ResourceArns=RULES[:1]
    )
    assert decided == ["allowed", "allowed", "explicitDeny"]
    assert worker.decisions("events:DeleteRule") == ["implicitDeny"]


def test_one_result_an_action_and_the_most_restrictive_decision_for_all_resources(
    worker: Worker,
) -> None:
    worker.may(PUT_MINE)
    (result,) = worker.ask("events:PutRule", ResourceArns=RULES)
    assert result["EvalDecision"] == "implicitDeny"
    each = [
        (decision["EvalResourceName"], decision["EvalResourceDecision"])
        for decision in result["ResourceSpecificResults"]
    ]
    assert each == [(RULES[0], "allowed"), (RULES[1], "implicitDeny")]
    worker.may(ALL, PUT_MINE | {"Effect": "Deny"})
    assert worker.decisions("events:PutRule", ResourceArns=RULES) == ["explicitDeny"]


def test_without_a_resource_all_are_meant(worker: Worker) -> None:
    worker.may(PUT_MINE)
    (result,) = worker.ask("events:PutRule")
    assert result["EvalDecision"] == "implicitDeny"
    assert "ResourceSpecificResults" not in result


def test_no_resource_can_be_read_from_the_result_of_an_action(worker: Worker) -> None:
    """AWS has a template there, since it answers once for all resources."""
    worker.may(PUT_MINE)
    assert "EvalResourceName" not in worker.ask("events:PutRule", ResourceArns=RULES[:1])[0]


def test_a_condition_wants_its_key(worker: Worker) -> None:
    worker.may(TARGETS)
    (result,) = worker.ask("events:PutTargets", ResourceArns=RULES[:1])
    assert (result["EvalDecision"], result["MissingContextValues"]) == (
        "implicitDeny",
        ["events:targetarn"],
    )
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == ["events:targetarn"]
    entry = {"ContextKeyName": "events:TargetArn", "ContextKeyType": "stringList"}
    assert worker.decisions(
        "events:PutTargets", ContextEntries=[{**entry, "ContextKeyValues": ["a"]}]
    ) == ["allowed"]
    (result,) = worker.ask(
        "events:PutTargets", ContextEntries=[{**entry, "ContextKeyValues": ["b"]}]
    )
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", [])
    assert (
        worker.ask("events:PutRule")[0]["MissingContextValues"] == []
    )  # the statement is not about this action


def test_a_boundary_takes_away_and_is_named(worker: Worker) -> None:
    worker.may(ALL)
    worker.bound(PUT_MINE)
    (allowed, denied) = worker.ask("events:PutRule", "events:DeleteRule", ResourceArns=RULES[:1])
    assert (allowed["EvalDecision"], allowed["PermissionsBoundaryDecisionDetail"]) == (
        "allowed",
        {"AllowedByPermissionsBoundary": True},
    )
    assert (denied["EvalDecision"], denied["PermissionsBoundaryDecisionDetail"]) == (
        "implicitDeny",
        {"AllowedByPermissionsBoundary": False},
    )


def test_managed_policies_count_too(worker: Worker) -> None:
    arn = worker.iam.create_policy(PolicyName="managed", PolicyDocument=document(PUT_MINE))[
        "Policy"
    ]["Arn"]
    worker.iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    assert worker.decisions("events:PutRule", ResourceArns=RULES[:1]) == ["allowed"]


def test_pages(worker: Worker) -> None:
    worker.may(PUT_MINE)
    actions = [f"events:Action{number}" for number in range(5)]
    paginator = worker.iam.get_paginator("simulate_principal_policy")
    pages = list(
        paginator.paginate(
            PolicySourceArn=ROLE, ActionNames=actions, PaginationConfig={"PageSize": 2}
        )
    )
    assert [
        [result["EvalActionName"] for result in page["EvaluationResults"]] for page in pages
    ] == [actions[:2], actions[2:4], actions[4:]]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    simulation = worker.iam.simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=[f"events:Action{number}" for number in range(101)]
    )
    assert (
        len(simulation["EvaluationResults"]),
        simulation["IsTruncated"],
        simulation["Marker"],
    ) == (100, True, "100")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, "NoSuchEntity"),
        ({"PolicySourceArn": "arn:aws:iam::210987654321:role/worker"}, "NoSuchEntity"),
        ({"PolicySourceArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/x"}, "InvalidInput"),
        ({"ActionNames": ["PutRule"]}, "InvalidInput"),
        ({"ActionNames": ["events:" + "x" * 122]}, "InvalidInput"),
        ({"ResourceArns": ["x" * 2049]}, "InvalidInput"),
        (
            {
                "ContextEntries": [
                    {
                        "ContextKeyName": "aws:x",
                        "ContextKeyValues": ["1"],
                        "ContextKeyType": "number",
                    }
                ]
            },
            "InvalidInput",
        ),
        ({"ResourcePolicy": document(ALL)}, "InvalidInput"),
        ({"MaxItems": 1001}, "InvalidInput"),
        ({"Marker": "far away"}, "InvalidInput"),
    ],
)
def test_what_aws_refuses(worker: Worker, wrong: dict[str, Any], code: str) -> None:
    request = {"PolicySourceArn": ROLE, "ActionNames": ["events:PutRule"], **wrong}
    with pytest.raises(ClientError) as caught:
        worker.iam.simulate_principal_policy(**request)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    "members",
    [
        {"PolicyInputList": [document(ALL)]},
        {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/person"},
    ],
)
def test_what_the_sandbox_cannot_it_says(worker: Worker, members: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        worker.ask("events:PutRule", **members)


def test_a_server_simulates_too() -> None:
    with SandboxServer() as server:
        worker = Worker(server_client(server, "iam"))
        worker.may(PUT_MINE)
        assert worker.decisions("events:PutRule", "events:DeleteRule", ResourceArns=RULES[:1]) == [
            "allowed",
            "implicitDeny",
        ]
