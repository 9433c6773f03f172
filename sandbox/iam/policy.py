"""What a policy document says about a request (guide: reference_policies_evaluation-logic)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sandbox.iam import conditions
from sandbox.iam.wildcards import Context, action_matches, resource_matches

Document = Mapping[str, Any]
"""A policy as json.loads gives it."""


@dataclass(frozen=True)
class PolicyRequest:
    """An action ("events:PutRule") on a resource (an ARN, or "*" for actions without one), under
    the condition keys of `context`.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """A role's session, as the Principal of a resource policy may name it."""

    account: str
    role_arn: str
    session_arn: str


class PolicyVerdict(Enum):
    """What policies say about a request: nothing, allow, or deny, which overrides every allow."""

    SILENCE = "silence"
    ALLOW = "allow"
    DENY = "deny"


def judge(documents: Iterable[Document], request: PolicyRequest) -> PolicyVerdict:
    """What identity policies (or boundaries, or session policies) together say about a request."""
    return _combine(
        _judge_statement(statement, request)
        for document in documents
        for statement in _as_list(document.get("Statement"))
    )


def judge_resource_policy(
    document: Document, request: PolicyRequest, caller: Caller
) -> tuple[PolicyVerdict, bool]:
    """What a resource's own policy says about the request of `caller`, and whether it names the
    caller or every principal.

    If it allows only the caller's account, it leaves the decision to the caller's own policies
    (guide: reference_policies_elements_principal). A trust policy has no Resource: it speaks of the
    role that has it.
    """
    statements = _as_list(document.get("Statement"))
    named = _combine(
        _judge_statement(statement, request, request.resource)
        for statement in statements
        if _names_caller(statement, caller, account=False)
    )
    if named is not PolicyVerdict.SILENCE:
        return named, True
    return _combine(
        _judge_statement(statement, request, request.resource)
        for statement in statements
        if _names_caller(statement, caller, account=True)
    ), False


def list_context_keys(documents: Iterable[Document], request: PolicyRequest) -> set[str]:
    """The condition keys, in lower case, on which the policies' verdict about a request depends."""
    statements = [
        statement for document in documents for statement in _as_list(document.get("Statement"))
    ]
    concerned = [
        statement
        for statement in statements
        if _covers_action(statement, request.action) and _covers_resource(statement, request, "")
    ]
    return {
        key.lower()
        for statement in concerned
        for keys in statement.get("Condition", {}).values()
        for key in keys
    }


def _combine(verdicts: Iterable[PolicyVerdict]) -> PolicyVerdict:
    combined = PolicyVerdict.SILENCE
    for verdict in verdicts:
        if verdict is PolicyVerdict.DENY:
            return verdict
        if verdict is PolicyVerdict.ALLOW:
            combined = verdict
    return combined


def _judge_statement(
    statement: Mapping[str, Any], request: PolicyRequest, default_resource: str = ""
) -> PolicyVerdict:
    if not (
        _covers_action(statement, request.action)
        and _covers_resource(statement, request, default_resource)
    ):
        return PolicyVerdict.SILENCE
    says = PolicyVerdict.ALLOW if statement.get("Effect") == "Allow" else PolicyVerdict.DENY
    try:
        applies = conditions.block_holds(statement.get("Condition", {}), request.context)
    except conditions.UnknownOperator:
        applies = (
            says is PolicyVerdict.DENY
        )  # the safe side: better a denial too many than one too few
    return says if applies else PolicyVerdict.SILENCE


def _covers_action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(
            action_matches(pattern, action) for pattern in _as_list(statement["NotAction"])
        )
    return any(action_matches(pattern, action) for pattern in _as_list(statement.get("Action")))


def _covers_resource(
    statement: Mapping[str, Any], request: PolicyRequest, default_resource: str
) -> bool:
    if "NotResource" in statement:
        return not any(
            resource_matches(pattern, request.resource, request.context)
            for pattern in _as_list(statement["NotResource"])
        )
    patterns = _as_list(statement.get("Resource", default_resource))
    return any(
        pattern == request.resource or resource_matches(pattern, request.resource, request.context)
        for pattern in patterns
    )


def _names_caller(statement: Mapping[str, Any], caller: Caller, *, account: bool) -> bool:
    """Whether the statement's Principal is this caller or every principal, or with `account` the
    caller's account.
    """
    if "NotPrincipal" in statement:  # not understood, so again the safe side
        return statement.get("Effect") == "Deny"
    principal = statement.get("Principal", {})
    names = [principal] if isinstance(principal, str) else _as_list(principal.get("AWS"))
    if account:
        return any(
            name == caller.account
            or (name.startswith("arn:") and name.endswith(f":iam::{caller.account}:root"))
            for name in names
        )
    return any(name in ("*", caller.role_arn, caller.session_arn) for name in names)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
