"""What a policy document says to a request (guide: reference_policies_evaluation-logic)."""

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
class Request:
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


class Answer(Enum):
    """What policies say: nothing, allow, or deny, which outdoes every allow."""

    SILENCE = "silence"
    ALLOW = "allow"
    DENY = "deny"


def judge(documents: Iterable[Document], request: Request) -> Answer:
    """What identity policies (or boundaries, or session policies) together say to the request."""
    return _loudest(
        _statement(statement, request)
        for document in documents
        for statement in _listed(document.get("Statement"))
    )


def judge_resource_policy(
    document: Document, request: Request, caller: Caller
) -> tuple[Answer, bool]:
    """What a resource's own policy says to the request of `caller`, and whether it names the caller
    or everybody.

    Where it allows only the caller's account, it leaves the decision to the caller's own policies
    (guide: reference_policies_elements_principal). A trust policy has no Resource: it speaks of the
    role that has it.
    """
    statements = _listed(document.get("Statement"))
    named = _loudest(
        _statement(one, request, request.resource)
        for one in statements
        if _names(one, caller, account=False)
    )
    if named is not Answer.SILENCE:
        return named, True
    return _loudest(
        _statement(one, request, request.resource)
        for one in statements
        if _names(one, caller, account=True)
    ), False


def context_keys(documents: Iterable[Document], request: Request) -> set[str]:
    """The condition keys, in small letters, on which it depends what these policies say to the
    request.
    """
    statements = [one for document in documents for one in _listed(document.get("Statement"))]
    concerned = [
        one
        for one in statements
        if _covers_action(one, request.action) and _covers_resource(one, request, "")
    ]
    return {
        key.lower()
        for one in concerned
        for keys in one.get("Condition", {}).values()
        for key in keys
    }


def _loudest(answers: Iterable[Answer]) -> Answer:
    loudest = Answer.SILENCE
    for answer in answers:
        if answer is Answer.DENY:
            return answer
        if answer is Answer.ALLOW:
            loudest = answer
    return loudest


def _statement(
    statement: Mapping[str, Any], request: Request, default_resource: str = ""
) -> Answer:
    if not (
        _covers_action(statement, request.action)
        and _covers_resource(statement, request, default_resource)
    ):
        return Answer.SILENCE
    says = Answer.ALLOW if statement.get("Effect") == "Allow" else Answer.DENY
    try:
        applies = conditions.hold(statement.get("Condition", {}), request.context)
    except conditions.UnknownOperator:
        applies = says is Answer.DENY  # the safe side: better a denial too many than one too few
    return says if applies else Answer.SILENCE


def _covers_action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(
            action_matches(pattern, action) for pattern in _listed(statement["NotAction"])
        )
    return any(action_matches(pattern, action) for pattern in _listed(statement.get("Action")))


def _covers_resource(statement: Mapping[str, Any], request: Request, default_resource: str) -> bool:
    if "NotResource" in statement:
        return not any(
            resource_matches(pattern, request.resource, request.context)
            for pattern in _listed(statement["NotResource"])
        )
    patterns = _listed(statement.get("Resource", default_resource))
    return any(
        pattern == request.resource or resource_matches(pattern, request.resource, request.context)
        for pattern in patterns
    )


def _names(statement: Mapping[str, Any], caller: Caller, *, account: bool) -> bool:
    """Whether the statement's Principal is this caller or everybody, or with `account` the caller's
    account.
    """
    if "NotPrincipal" in statement:  # not understood, so again the safe side
        return statement.get("Effect") == "Deny"
    principal = statement.get("Principal", {})
    names = [principal] if isinstance(principal, str) else _listed(principal.get("AWS"))
    if account:
        return any(
            name == caller.account
            or (name.startswith("arn:") and name.endswith(f":iam::{caller.account}:root"))
            for name in names
        )
    return any(name in ("*", caller.role_arn, caller.session_arn) for name in names)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
