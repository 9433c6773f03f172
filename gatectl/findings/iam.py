"""Asks IAM what a role may do, without doing it (model: SimulatePrincipalPolicy)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gatectl.findings.facts import Answer, Question, Refusal
from gatectl.findings.looks import Looks


def answer(client: Any, looks: Looks, question: Question) -> Answer | None:
    """None where the caller may not ask. `client`: boto3's, of IAM."""
    role = question.role.rpartition("/")[2]
    return looks.at(
        f"what the role {role} may do",
        "iam:SimulatePrincipalPolicy",
        lambda: _ask(client, question),
        Answer(no_role=True),
    )


def policy(client: Any, looks: Looks, role: str, name: str) -> Mapping[str, Any] | None:
    """The document of a role's inline policy; {} where there is none, None where the caller may not
    see it.
    """

    def ask() -> Mapping[str, Any]:
        document: Mapping[str, Any] = client.get_role_policy(RoleName=role, PolicyName=name)[
            "PolicyDocument"
        ]
        return document

    none: Mapping[str, Any] = {}
    return looks.at(f"the policy {name} of the role {role}", "iam:GetRolePolicy", ask, none)


def _ask(client: Any, question: Question) -> Answer:
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": _type(key)}
        for key, value in question.context
    ]
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=question.role,
        ActionNames=list(question.actions),
        ResourceArns=list(question.resources),
        ContextEntries=context,
    )
    return Answer(
        tuple(
            refusal
            for page in pages
            for result in page["EvaluationResults"]
            for refusal in _refusals(result)
        )
    )


def _type(key: str) -> str:
    """EventBridge's keys have several values, a call's own for each target or entry (guide:
    list_amazoneventbridge).
    """
    return "stringList" if key.startswith("events:") else "string"


def _refusals(result: Mapping[str, Any]) -> Iterator[Refusal]:
    """One result is about all resources; each one's own stands under it, where "*" was not asked
    (model: EvaluationResult).
    """
    whole = {"EvalResourceName": "*", "EvalResourceDecision": result["EvalDecision"]}
    for one in result.get("ResourceSpecificResults") or [whole]:
        if one["EvalResourceDecision"] != "allowed":
            told = {**result, **one}
            yield Refusal(
                result["EvalActionName"], one["EvalResourceName"], _by(told), _unknown(told)
            )


def _unknown(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The condition keys that only a real call has. Those of other services cannot matter, whether
    AWS names them or not.
    """
    if told["EvalResourceDecision"] == "explicitDeny":
        return ()
    own = ("aws:", f"{told['EvalActionName'].partition(':')[0]}:")
    return tuple(key for key in told.get("MissingContextValues", ()) if key.lower().startswith(own))


def _by(told: Mapping[str, Any]) -> str:
    """What forbids it, where more than a missing statement does."""
    if not told.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "a service control policy"
    if not told.get("PermissionsBoundaryDecisionDetail", {}).get(
        "AllowedByPermissionsBoundary", True
    ):
        return "its permissions boundary"
    return "an explicit deny" if told["EvalResourceDecision"] == "explicitDeny" else ""
