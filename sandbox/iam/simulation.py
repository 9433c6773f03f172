"""SimulatePrincipalPolicy, which moto lacks: what a role's policies would say about a call.

SOURCE (model: iam, SimulatePrincipalPolicy, EvaluationResult, ResourceSpecificResult). It checks
the role's own policies and boundary, not the resources' policies, and has one result for each
action. The decision for one resource is in ResourceSpecificResults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import InvalidInput, NotFoundException
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from sandbox.iam.enforcement import Policies
from sandbox.iam.policy import PolicyRequest, PolicyVerdict, judge, list_context_keys

ALLOWED, IMPLICIT_DENY, EXPLICIT_DENY = (
    "allowed",
    "implicitDeny",
    "explicitDeny",
)  # model: PolicyEvaluationDecisionType
FROM_LEAST_RESTRICTIVE = (ALLOWED, IMPLICIT_DENY, EXPLICIT_DENY)
"""The decision about several resources is the most restrictive of them."""
PARAMETERS = {
    "Action",
    "Version",
    "PolicySourceArn",
    "ActionNames",
    "ResourceArns",
    "ContextEntries",
    "MaxItems",
    "Marker",
    "ResourcePolicy",
}

_ENTITY = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):(?P<kind>user|group|role)/.+")
_CONTEXT_TYPES = {
    f"{kind}{suffix}"
    for kind in ("string", "numeric", "boolean", "ip", "binary", "date")
    for suffix in ("", "List")
}


def simulate_principal_policy(response: IamResponse) -> ActionResult:
    """The operation, as a method of moto's IamResponse. NoSuchEntity for a role that does not
    exist, InvalidInput for what the model forbids; NotImplementedError for what AWS can and the
    sandbox cannot: users and groups, and policies that come with the call.
    """
    request = {name: response._get_param(name) for name in PARAMETERS} | dict(response.params)
    if unknown := request.keys() - PARAMETERS:
        raise NotImplementedError(
            f"the sandbox's SimulatePrincipalPolicy does not know {', '.join(sorted(unknown))}"
        )
    policies = _read_policies(request["PolicySourceArn"], response)
    if request["ResourcePolicy"]:
        raise InvalidInput("Simulation of resource-based policies isn't supported for IAM roles.")
    resources = _check_lengths("ResourceArns", request["ResourceArns"] or ["*"], 1, 2048)
    context = _parse_context(request["ContextEntries"] or [])
    results = [
        _evaluate_action(policies, action, resources, context)
        for action in _parse_actions(request["ActionNames"])
    ]
    return ActionResult(_cut_page(results, int(request["MaxItems"] or 100), request["Marker"]))


def _read_policies(source: str, response: IamResponse) -> Policies:
    entity = _ENTITY.fullmatch(source)
    if not entity:
        raise InvalidInput(f"Invalid Entity Arn: {source}")
    if entity["kind"] != "role":
        raise NotImplementedError("the sandbox simulates the policies of roles only")
    if entity["account"] != response.current_account:
        raise NotFoundException(f"The role {source} cannot be found.")
    iam_backends[response.current_account][response.partition].get_role_by_arn(source)
    return Policies.read_role(source)


def _evaluate_action(
    policies: Policies,
    action: str,
    resources: Sequence[str],
    context: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    each = [
        _evaluate_resource(policies, PolicyRequest(action, resource, context))
        for resource in resources
    ]
    # No EvalResourceName: AWS has a template of ARNs there, and says not to read a resource from
    # it.
    evaluation: dict[str, Any] = {
        "EvalActionName": action,
        "EvalDecision": max(
            (result["EvalResourceDecision"] for result in each), key=FROM_LEAST_RESTRICTIVE.index
        ),
        "MissingContextValues": sorted(
            {key for result in each for key in result["MissingContextValues"]}
        ),
    }
    if policies.boundary is not None:
        allowed = all(
            result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
            for result in each
        )
        evaluation["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return evaluation if resources == ["*"] else {**evaluation, "ResourceSpecificResults": each}


def _evaluate_resource(policies: Policies, request: PolicyRequest) -> dict[str, Any]:
    identity = judge(policies.identity, request)
    boundary = (
        PolicyVerdict.ALLOW if policies.boundary is None else judge([policies.boundary], request)
    )
    decision = (
        ALLOWED
        if identity is boundary is PolicyVerdict.ALLOW
        else EXPLICIT_DENY
        if PolicyVerdict.DENY in (identity, boundary)
        else IMPLICIT_DENY
    )
    documents = [
        *policies.identity,
        *([policies.boundary] if policies.boundary is not None else []),
    ]
    result: dict[str, Any] = {
        "EvalResourceName": request.resource,
        "EvalResourceDecision": decision,
        "MissingContextValues": sorted(
            list_context_keys(documents, request) - request.context.keys()
        ),
    }
    if policies.boundary is not None:
        result["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": boundary is PolicyVerdict.ALLOW
        }
    return result


def _parse_actions(names: Iterable[str]) -> list[str]:
    actions = _check_lengths("ActionNames", names, 3, 128)
    for action in actions:
        if not re.fullmatch(r"[\w-]+:\w+", action):
            raise InvalidInput(
                f"Invalid action: {action}. Each operation must include the service identifier, "
                "such as iam:CreateUser."
            )
    return actions


def _parse_context(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    context = {}
    for entry in entries:
        (name,) = _check_lengths("ContextKeyName", [entry.get("ContextKeyName", "")], 5, 256)
        if entry.get("ContextKeyType", "string") not in _CONTEXT_TYPES:
            raise InvalidInput(f"Invalid ContextKeyType: {entry['ContextKeyType']}")
        context[name.lower()] = tuple(entry.get("ContextKeyValues", ()))
    return context


def _check_lengths(name: str, values: Iterable[str], least: int, most: int) -> list[str]:
    values = list(values)
    for value in values:
        if not least <= len(value) <= most:
            raise InvalidInput(
                f"A member of {name} must have {least} to {most} characters: {value[:100]}"
            )
    return values


def _cut_page(
    results: Sequence[Mapping[str, Any]], size: int, marker: str | None
) -> dict[str, Any]:
    if not 1 <= size <= 1000:
        raise InvalidInput(f"MaxItems must be 1 to 1000, not {size}")
    if marker is not None and not (marker.isdecimal() and int(marker) < len(results)):
        raise InvalidInput(f"Invalid Marker: {marker[:100]}")
    end = int(marker or 0) + size
    answer: dict[str, Any] = {
        "EvaluationResults": results[int(marker or 0) : end],
        "IsTruncated": end < len(results),
    }
    return {**answer, "Marker": str(end)} if end < len(results) else answer
