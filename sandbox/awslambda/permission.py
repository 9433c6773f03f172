"""A function's resource policy: who may invoke it without a role of their own, and AddPermission as
AWS has it.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction
from moto.awslambda.policy import Policy

from sandbox.world import current

moto_add_statement = Policy.add_statement


class StatementExistsError(LambdaClientError):
    """(model: AddPermission, ResourceConflictException, HTTP 409)"""

    code = 409

    def __init__(self, sid: str) -> None:
        super().__init__(
            "ResourceConflictException",
            f"The statement id ({sid}) provided already exists. Please provide a new statement "
            "id, or remove the existing statement.",
        )


def add_statement(policy: Policy, raw: str, qualifier: str | None = None) -> tuple[Any, str]:
    """moto's Policy.add_statement, but a StatementId that the policy has already is a conflict;
    moto appends it once more.
    """
    sid = json.loads(raw).get("StatementId")
    with current().lock:
        # Each qualifier has a policy of its own (guide: access-control-resource-based).
        resource = _resource(policy, qualifier)
        if any(
            statement["Sid"] == sid and statement["Resource"] == resource
            for statement in policy.statements
        ):
            raise StatementExistsError(sid)
        return moto_add_statement(policy, raw, qualifier)


def _resource(policy: Policy, qualifier: str | None) -> str:
    arn = (
        policy.parent.function_arn
        if isinstance(policy.parent, LambdaFunction)
        else policy.parent.arn
    )
    return f"{arn}:{qualifier}" if qualifier else arn


def allows(
    function: LambdaFunction,
    function_arn: str,
    service: str,
    source_arn: str | None,
    source_account: str,
) -> bool:
    """Whether the policy lets an AWS service (such as "events.amazonaws.com") invoke `function_arn`
    on behalf of `source_arn`.

    Understands what AddPermission writes: a Service principal, the action lambda:InvokeFunction or
    a wildcard, and conditions on AWS:SourceArn and AWS:SourceAccount; anything else in a statement
    makes it allow nothing.
    """
    facts = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account}
    return any(
        _statement_allows(statement, function_arn, service, facts)
        for statement in function.policy.statements
    )


def _statement_allows(
    statement: dict[str, Any], function_arn: str, service: str, facts: dict[str, str | None]
) -> bool:
    principal = statement.get("Principal")
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Resource") == function_arn.removesuffix(":$LATEST")
        and isinstance(principal, dict)
        and service in _listed(principal.get("Service", []))
        and any(
            _like(action.lower(), "lambda:invokefunction")
            for action in _listed(statement.get("Action", []))
        )
        and all(
            key.lower() in facts
            and any(_holds(operator, str(wanted), facts[key.lower()]) for wanted in _listed(values))
            for operator, condition in statement.get("Condition", {}).items()
            for key, values in condition.items()
        )
    )


def _holds(operator: str, wanted: str, actual: str | None) -> bool:
    if actual is None:
        return False
    match operator:
        case "StringEquals":
            return actual == wanted
        case "StringLike":
            return _like(wanted, actual)
        case "ArnLike":
            # Each of the six parts is compared by itself (guide:
            # reference_policies_elements_condition_operators, ARN).
            parts, actual_parts = wanted.split(":", 5), actual.split(":", 5)
            return len(parts) == len(actual_parts) and all(map(_like, parts, actual_parts))
        case _:
            return False


def _like(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1000)
def _pattern(pattern: str) -> re.Pattern[str]:
    """Policy wildcards: * is any text, ? one character."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
