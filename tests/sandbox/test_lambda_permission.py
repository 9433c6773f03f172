"""A function's resource policy, through boto3 as the gate uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from moto.awslambda.models import LambdaFunction

from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.permission import allows_invocation
from tests.sandbox.functions import deploy, lambda_world
from tests.support import clients

EVENTS = "events.amazonaws.com"
RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/"


@pytest.fixture(autouse=True)
def function() -> Iterator[LambdaFunction]:
    with lambda_world(Mock()):
        yield deploy()


@pytest.fixture
def client() -> Any:
    return clients.client("lambda")


def statement(**changes: Any) -> dict[str, Any]:
    """The parameters of AddPermission."""
    request = {"FunctionName": "f", "StatementId": "gate", "Action": "lambda:InvokeFunction"}
    return {**request, "Principal": EVENTS, "SourceArn": f"{RULES}gate-*", **changes}


def allowed(function: LambdaFunction, rule: str = f"{RULES}gate-1", arn: str | None = None) -> bool:
    return allows_invocation(function, arn or function.function_arn, EVENTS, rule, ACCOUNT)


def test_one_statement_with_a_wildcard_covers_later_rules_and_no_others(
    client: Any, function: LambdaFunction
) -> None:
    assert not allowed(function)
    client.add_permission(**statement())
    assert allowed(function)
    assert not allowed(function, f"{RULES}other-1")
    assert not allowed(function, f"arn:aws:events:us-east-1:{ACCOUNT}:rule/gate-1")
    arn = function.function_arn
    assert not allows_invocation(function, arn, "s3.amazonaws.com", f"{RULES}gate-1", ACCOUNT)


@pytest.mark.parametrize(
    ("changes", "is_allowed"),
    [
        ({"SourceAccount": ACCOUNT}, True),
        ({"Action": "lambda:*"}, True),
        ({"SourceArn": f"{RULES}gate-?"}, True),
        ({"SourceAccount": "210987654321"}, False),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Principal": "s3.amazonaws.com"}, False),
        ({"Principal": ACCOUNT}, False),
        ({"Principal": "*"}, False),
        ({"PrincipalOrgID": "o-1234567890"}, False),
        ({"Qualifier": "1"}, False),
        ({"SourceArn": "arn:aws:*"}, False),
    ],
)
def test_what_a_statement_allows(
    client: Any, function: LambdaFunction, changes: dict[str, Any], is_allowed: bool
) -> None:
    client.publish_version(FunctionName="f")
    client.add_permission(**statement(**changes))
    assert allowed(function) is is_allowed


def test_condition_keys_are_case_insensitive_and_unknown_ones_allow_nothing(
    function: LambdaFunction,
) -> None:
    entry: dict[str, Any] = {
        "Sid": "x",
        "Effect": "Allow",
        "Principal": {"Service": EVENTS},
        "Action": "lambda:InvokeFunction",
        "Resource": function.function_arn,
        "Condition": {"StringLike": {"aws:SourceARN": f"{RULES}*"}},
    }
    function.policy.statements.append(entry)
    assert allowed(function)
    entry["Condition"] = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
    assert not allowed(function)


def test_a_qualified_function_has_a_policy_of_its_own(
    client: Any, function: LambdaFunction
) -> None:
    client.publish_version(FunctionName="f")
    client.add_permission(**statement())
    client.add_permission(**statement(Qualifier="1"))
    assert allowed(function, arn=f"{function.function_arn}:1")
    assert not allowed(function, arn=f"{function.function_arn}:2")


def test_an_existing_statement_id_is_a_conflict(client: Any, function: LambdaFunction) -> None:
    client.add_permission(**statement())
    with clients.refused(
        "ResourceConflictException", "The statement id (gate) provided already exists"
    ) as error:
        client.add_permission(**statement(SourceArn=f"{RULES}other-*"))
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert not allowed(function, f"{RULES}other-1")


def test_get_policy_shows_the_source_as_arn_like_and_remove_permission_ends_it(
    client: Any, function: LambdaFunction
) -> None:
    client.add_permission(**statement())
    (entry,) = json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"]
    assert entry == {
        "Sid": "gate",
        "Effect": "Allow",
        "Principal": {"Service": EVENTS},
        "Action": "lambda:InvokeFunction",
        "Resource": function.function_arn,
        "Condition": {"ArnLike": {"AWS:SourceArn": f"{RULES}gate-*"}},
    }
    client.remove_permission(FunctionName="f", StatementId="gate")
    assert not allowed(function)
    with clients.refused("ResourceNotFoundException"):
        client.remove_permission(FunctionName="f", StatementId="gate")
    with clients.refused("ResourceNotFoundException"):
        client.get_policy(FunctionName="f")
