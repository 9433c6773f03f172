"""IAM: what a role may do, and the policies that are written into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from chalicelib.errors import NotFound, translate_errors

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef


@dataclass(frozen=True)
class PolicyQuestion:
    """May `role` (an ARN) do each of `actions` on each of `resources`, under the condition keys of
    `context`?
    """

    role: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Refusal:
    """What a role may not do. `by`: what forbids it, if more than a missing statement does.
    `unknown`: the condition keys on which it depends, and which only a real call has.
    """

    action: str
    resource: str
    by: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyAnswer:
    """To a PolicyQuestion: what is refused; or that there is no such role."""

    refused: tuple[Refusal, ...] = ()
    no_role: bool = False


class Iam:
    """The roles of an account.

    Every method raises NotPermitted or NoAnswer if AWS denies its call or does not answer.
    """

    def __init__(self, client: IAMClient) -> None:
        self._client = client

    def read_inline_policy(self, role: str, name: str) -> Mapping[str, Any]:
        """Return the document of a role's inline policy; {} if there is none."""
        document: Mapping[str, Any] = {}
        with suppress(NotFound), translate_errors("iam:GetRolePolicy"):
            answer: Any = self._client.get_role_policy(RoleName=role, PolicyName=name)
            document = answer["PolicyDocument"]
        return document

    def read_last_region(self, role: str) -> str:
        """Return the region in which a role was last used (model: RoleLastUsed); "" if IAM has not
        seen it used, or if there is no such role. IAM learns of a use within hours (guide:
        access_policies_last-accessed).
        """
        region = ""
        with suppress(NotFound), translate_errors("iam:GetRole"):
            answer = self._client.get_role(RoleName=role)
            region = answer["Role"].get("RoleLastUsed", {}).get("Region", "")
        return region

    def simulate(self, question: PolicyQuestion) -> PolicyAnswer:
        """Return what a role may do, without doing it (model: SimulatePrincipalPolicy)."""
        context: list[ContextEntryTypeDef] = [
            {
                "ContextKeyName": key,
                "ContextKeyValues": [value],
                # EventBridge's keys have several values: one for each target or entry of a call
                # (guide: list_amazoneventbridge).
                "ContextKeyType": "stringList" if key.startswith("events:") else "string",
            }
            for key, value in question.context
        ]
        with suppress(NotFound), translate_errors("iam:SimulatePrincipalPolicy"):
            pages = self._client.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=question.role,
                ActionNames=question.actions,
                ResourceArns=question.resources,
                ContextEntries=context,
            )
            results = [result for page in pages for result in page["EvaluationResults"]]
            return PolicyAnswer(tuple(chain.from_iterable(map(_parse_refusals, results))))
        return PolicyAnswer(no_role=True)


def _parse_refusals(result: Mapping[str, Any]) -> Iterator[Refusal]:
    """One result is about all resources. The decisions on single ones are nested in it, unless "*"
    was asked about (model: EvaluationResult).
    """
    about_all = {"EvalResourceName": "*", "EvalResourceDecision": result["EvalDecision"]}
    for decision in result.get("ResourceSpecificResults") or [about_all]:
        if decision["EvalResourceDecision"] != "allowed":
            details = {**result, **decision}
            yield Refusal(
                result["EvalActionName"],
                decision["EvalResourceName"],
                _find_forbidder(details),
                _list_unknown_keys(details),
            )


def _list_unknown_keys(details: Mapping[str, Any]) -> tuple[str, ...]:
    """The condition keys that only a real call has. Those of other services cannot matter, whether
    AWS names them or not.
    """
    if details["EvalResourceDecision"] == "explicitDeny":
        return ()
    relevant = ("aws:", f"{details['EvalActionName'].partition(':')[0]}:")
    keys = details.get("MissingContextValues", ())
    return tuple(key for key in keys if key.lower().startswith(relevant))


def _find_forbidder(details: Mapping[str, Any]) -> str:
    """What forbids it, if more than a missing statement does."""
    if not details.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "a service control policy"
    boundary = details.get("PermissionsBoundaryDecisionDetail", {})
    if not boundary.get("AllowedByPermissionsBoundary", True):
        return "its permissions boundary"
    return "an explicit deny" if details["EvalResourceDecision"] == "explicitDeny" else ""
