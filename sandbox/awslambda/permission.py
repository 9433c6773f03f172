"""A function's resource policy, which lets services invoke it without a role, and AddPermission as
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

from sandbox.world import current_world

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
    """moto's Policy.add_statement, except that a StatementId which the policy already has is a
    conflict; moto adds it again.
    """
    sid = json.loads(raw).get("StatementId")
    with current_world().lock:
        # Each qualifier has a policy of its own (guide: access-control-resource-based).
        resource = _build_resource(policy, qualifier)
        if any(
            statement["Sid"] == sid and statement["Resource"] == resource
            for statement in policy.statements
        ):
            raise StatementExistsError(sid)
        return moto_add_statement(policy, raw, qualifier)


def _build_resource(policy: Policy, qualifier: str | None) -> str:
    arn = (
        policy.parent.function_arn
        if isinstance(policy.parent, LambdaFunction)
        else policy.parent.arn
    )
    return f"{arn}:{qualifier}" if qualifier else arn


def allows_invocation(
    function: LambdaFunction,
    function_arn: str,
    service: str,
    source_arn: str | None,
    source_account: str,
) -> bool:
    """Whether the policy lets an AWS service (such as "events.amazonaws.com") invoke `function_arn`
    on behalf of `source_arn`.

    Supports what AddPermission writes: a Service principal, the action lambda:InvokeFunction or a
    wildcard, and conditions on AWS:SourceArn and AWS:SourceAccount. A statement with anything else
    allows nothing.
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
        and service in _as_list(principal.get("Service", []))
        and any(
            _matches_wildcards(action.lower(), "lambda:invokefunction")
            for action in _as_list(statement.get("Action", []))
        )
        and all(
            key.lower() in facts
            and any(
                _condition_holds(operator, str(pattern), facts[key.lower()])
                for pattern in _as_list(values)
            )
            for operator, condition in statement.get("Condition", {}).items()
            for key, values in condition.items()
        )
    )


def _condition_holds(operator: str, pattern: str, actual: str | None) -> bool:
    if actual is None:
        return False
    match operator:
        case "StringEquals":
            return actual == pattern
        case "StringLike":
            return _matches_wildcards(pattern, actual)
        case "ArnLike":
            # Each of the six parts is compared separately (guide:
            # reference_policies_elements_condition_operators, ARN).
            parts, actual_parts = pattern.split(":", 5), actual.split(":", 5)
            return len(parts) == len(actual_parts) and all(
                map(_matches_wildcards, parts, actual_parts)
            )
        case _:
            return False


def _matches_wildcards(pattern: str, text: str) -> bool:
    return _compile_wildcards(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1000)
def _compile_wildcards(pattern: str) -> re.Pattern[str]:
    """Policy wildcards: * is any text, ? one character."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
