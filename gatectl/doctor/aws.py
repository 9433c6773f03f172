"""Reads from Lambda and IAM. A call that AWS denies leaves a gap, not an error: the Inspector keeps
what could not be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import (
    NoAnswer,
    NotPermitted,
    PipelineNotFound,
    read_error_code,
    translate_error,
)
from chalicelib.phrases import join_names
from gatectl.doctor.evidence import GateFunction, PolicyAnswer, PolicyQuestion, Refusal, Unseen
from gatectl.doctor.finding import name_action
from gatectl.functions import DeployedFunctions
from gatectl.unseen import group_by_reason

DEFAULT_TIMEOUT_SECONDS = 3
"""(model: FunctionConfiguration, Timeout: "The default is 3 seconds")"""

Value = TypeVar("Value")


def is_gone(error: Exception) -> bool:
    """Whether AWS says that there is no such thing (model: the errors of each service)."""
    return isinstance(error, ClientError) and read_error_code(error) in (
        "ResourceNotFoundException",
        "PipelineNotFoundException",
        "NoSuchEntity",
    )


class Inspector:
    """Makes calls that AWS may deny, and remembers what could not be read."""

    def __init__(self) -> None:
        self._unseen: dict[str, Unseen] = {}

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        return tuple(self._unseen.values())

    def add_unseen_pipelines(self, unseen: Mapping[str, str]) -> None:
        """Remember single pipelines that AWS does not let the caller read, with the reasons."""
        for why, names in group_by_reason(unseen).items():
            subject = f"the pipeline{'s' * (len(names) > 1)} {join_names(names)}"
            self._unseen.setdefault(subject, Unseen(subject, why))

    def inspect(
        self,
        subject: str,
        action: str,
        read: Callable[[], Value],
        missing: Value | None = None,
        *,
        or_unanswered: bool = False,
        function: str = "",
    ) -> Value | None:
        """Return what `read` returns; `missing` if AWS says that there is no such thing; None if
        AWS denies `action`, or with `or_unanswered` does not answer. Then `subject`, which is about
        `function` if it is given, is unseen. Raises NoAnswer or UnexpectedAnswer otherwise.
        """
        try:
            return read()
        except PipelineNotFound:
            return missing
        except (ClientError, BotoCoreError, NotPermitted, NoAnswer) as error:
            if is_gone(error):
                return missing
            problem: Exception = error
            if isinstance(error, (ClientError, BotoCoreError)):
                problem = translate_error(error, action)
            unanswered = or_unanswered and isinstance(problem, NoAnswer)
            if isinstance(problem, NotPermitted) or unanswered:
                self._unseen.setdefault(subject, Unseen(subject, str(problem), function))
                return None
            raise problem from error


# Lambda


def read_functions(
    client: Any, inspector: Inspector, deployed: Iterable[DeployedFunctions]
) -> dict[str, GateFunction]:
    """Return the functions of `deployed` that exist, by name. `client`: boto3's, of Lambda."""
    names = [
        name
        for deployment in deployed
        for name, exists in (
            (deployment.gate, deployment.has_gate),
            (deployment.retry, deployment.has_retry),
        )
        if exists
    ]
    functions = ((name, _read_function(client, inspector, name)) for name in names)
    return {name: function for name, function in functions if function}


def _read_function(client: Any, inspector: Inspector, name: str) -> GateFunction | None:
    def read(
        subject: str, operation: str, missing: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        call, action = getattr(client, operation), name_action("lambda", operation)
        return inspector.inspect(
            subject, action, lambda: dict(call(FunctionName=name)), missing, function=name
        )

    # GetFunction would tell all but the policy in one call; but it also hands out the code, which
    # not everybody may read.
    settings = read(f"how {name} is set up", "get_function_configuration")
    if settings is None:
        return None
    concurrency = read(f"how often {name} may run", "get_function_concurrency")
    policy = read(f"who may invoke {name}", "get_policy", {"Policy": '{"Statement": []}'})
    return GateFunction(
        name,
        role=settings["Role"],
        handler=settings.get("Handler", ""),
        seconds=settings.get("Timeout", DEFAULT_TIMEOUT_SECONDS),
        code=settings.get("CodeSha256", ""),
        state=settings.get("State", "Active"),
        state_reason=settings.get("StateReason", ""),
        update=settings.get("LastUpdateStatus", "Successful"),
        update_reason=settings.get("LastUpdateStatusReason", ""),
        environment=settings.get("Environment", {}).get("Variables", {}),
        reserved=(concurrency or {}).get("ReservedConcurrentExecutions"),
        statements=tuple(json.loads(policy["Policy"])["Statement"]) if policy else None,
    )


# IAM


def read_inline_policy(
    client: Any, inspector: Inspector, role: str, name: str
) -> Mapping[str, Any] | None:
    """Return the document of a role's inline policy; {} if there is none, None if the caller may
    not read it. `client`: boto3's, of IAM.
    """

    def read() -> Mapping[str, Any]:
        document: Mapping[str, Any] = client.get_role_policy(RoleName=role, PolicyName=name)[
            "PolicyDocument"
        ]
        return document

    none: Mapping[str, Any] = {}
    subject = f"the policy {name} of the role {role}"
    return inspector.inspect(subject, "iam:GetRolePolicy", read, none)


def ask_iam(client: Any, inspector: Inspector, question: PolicyQuestion) -> PolicyAnswer | None:
    """Ask what a role may do, without doing it (model: SimulatePrincipalPolicy). None if the caller
    may not ask. `client`: boto3's, of IAM.
    """
    return inspector.inspect(
        f"what the role {question.role.rpartition('/')[2]} may do",
        "iam:SimulatePrincipalPolicy",
        lambda: _simulate(client, question),
        PolicyAnswer(no_role=True),
    )


def _simulate(client: Any, question: PolicyQuestion) -> PolicyAnswer:
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": _find_key_type(key)}
        for key, value in question.context
    ]
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=question.role,
        ActionNames=list(question.actions),
        ResourceArns=list(question.resources),
        ContextEntries=context,
    )
    return PolicyAnswer(
        tuple(
            refusal
            for page in pages
            for result in page["EvaluationResults"]
            for refusal in _parse_refusals(result)
        )
    )


def _find_key_type(key: str) -> str:
    """EventBridge's keys have several values: one for each target or entry of a call (guide:
    list_amazoneventbridge).
    """
    return "stringList" if key.startswith("events:") else "string"


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
