"""May the pipelines' roles invoke the gate function?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.command import AwsCommand
from chalicelib.aws.iam import PolicyAnswer, PolicyQuestion
from chalicelib.phrases import join_names
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.doctor.function_roles import find_unknown
from gatectl.doctor.functions import allows_to_invoke
from gatectl.doctor.pipelines import FAILS

Policy = tuple[str, str]
"""A role, and the name of one of its inline policies."""


@dataclass(frozen=True)
class Invoker:
    """A role that has to invoke the function `gate`, for `pipelines`."""

    role: str
    gate: str
    pipelines: tuple[str, ...]

    @property
    def role_name(self) -> str:
        return self.role.rpartition("/")[2]

    @property
    def function(self) -> str:
        """The function's name, without alias or version."""
        return self.gate.rpartition("function:")[2].partition(":")[0]

    @property
    def policy(self) -> Policy:
        """The policy that --mend writes."""
        return self.role_name, f"invoke-{self.function}"


def list_questions(evidence: DoctorEvidence) -> list[PolicyQuestion]:
    return [_build_question(evidence, invoker) for invoker in _list_invokers(evidence)]


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    for invoker in _list_invokers(evidence):
        yield from _check_invoker(evidence, invoker)
    for policy, (pipelines, functions) in _list_missing_permissions(evidence).items():
        yield _describe_missing_permissions(evidence, policy, sorted(pipelines), sorted(functions))


def list_policies(evidence: DoctorEvidence) -> list[Policy]:
    """Return the inline policies that --mend would write, which have to be read first."""
    return list(_list_missing_permissions(evidence))


def _list_invokers(evidence: DoctorEvidence) -> list[Invoker]:
    """Return the roles of this account that invoke gate functions.

    An action's own role replaces the pipeline's (model: ActionDeclaration, roleArn). A role of
    another account invokes that account's functions (guide: pipelines-create-cross-account).
    """
    pipelines: dict[tuple[str, str], list[str]] = {}
    for pipeline in (evidence.pipelines or {}).values():
        for gate in pipeline.gates:
            names = pipelines.setdefault((gate.role or pipeline.role, gate.function), [])
            if pipeline.name not in names:
                names.append(pipeline.name)
    return [
        Invoker(role, gate, tuple(names))
        for (role, gate), names in sorted(pipelines.items())
        if f":{evidence.account}:" in role
    ]


def _build_question(evidence: DoctorEvidence, invoker: Invoker) -> PolicyQuestion:
    arn = invoker.gate
    if not arn.startswith("arn:"):
        arn = evidence.name_resource("lambda", f"function:{invoker.gate}")
    return PolicyQuestion(invoker.role, ("lambda:InvokeFunction",), (arn,))


def _check_invoker(evidence: DoctorEvidence, invoker: Invoker) -> Iterator[Finding]:
    answer = evidence.answers.get(_build_question(evidence, invoker))
    if answer is None:
        return
    where, names = f"role {invoker.role_name}", join_names(invoker.pipelines)
    if answer.no_role:
        yield Finding(
            "no-role",
            "error",
            where,
            f"This role of {names} does not exist.",
            "CodePipeline can run nothing with it.",
            "Give the pipeline a role that exists.",
        )
        return
    for refusal in answer.refused:
        if refusal.unknown:
            yield from find_unknown(where, [refusal])
        elif refusal.by:
            yield Finding(
                "pipeline-role",
                "error",
                where,
                f"This role of {names} may not invoke {invoker.function}: {refusal.by} forbids it.",
                FAILS,
                "The owner of that policy has to allow lambda:InvokeFunction.",
            )


def _list_missing_permissions(
    evidence: DoctorEvidence,
) -> dict[Policy, tuple[set[str], set[str]]]:
    """Return the pipelines, and the ARNs of the functions, that a statement in each policy would
    let the role invoke. Several ARNs may name one function. Nothing else forbids the calls.
    """
    missing: dict[Policy, tuple[set[str], set[str]]] = {}
    for invoker in sorted(_list_invokers(evidence), key=lambda invoker: invoker.policy):
        answer = evidence.answers.get(_build_question(evidence, invoker), PolicyAnswer())
        for refusal in answer.refused:
            if not refusal.unknown and not refusal.by and not _is_let_in(evidence, invoker):
                pipelines, functions = missing.setdefault(invoker.policy, (set(), set()))
                pipelines.update(invoker.pipelines)
                functions.add(refusal.resource)
    return missing


def _is_let_in(evidence: DoctorEvidence, invoker: Invoker) -> bool:
    """Return whether the function's own policy allows the role, which is enough within an account
    (guide: reference_policies_evaluation-logic).
    """
    function = evidence.functions.get(invoker.function)
    statements = function.statements or () if function else ()
    for statement in statements:
        principal = statement.get("Principal")
        names = principal.get("AWS") if isinstance(principal, Mapping) else principal
        is_named = invoker.role in names if isinstance(names, list) else invoker.role == names
        if is_named and allows_to_invoke(statement) and not statement.get("Condition"):
            return True
    return False


def _describe_missing_permissions(
    evidence: DoctorEvidence, policy: Policy, pipelines: list[str], resources: list[str]
) -> Finding:
    """Return the finding. Its fix adds a statement for all functions to one policy."""
    role, name = policy
    document = evidence.policies.get(policy)
    calls: tuple[AwsCommand, ...] = ()
    if document is None:
        how = (
            f"Allow it lambda:InvokeFunction on {join_names(resources)}. --mend cannot do this, "
            f"because it could not read the role's policy {name}."
        )
    else:
        parameters = {
            "RoleName": role,
            "PolicyName": name,
            "PolicyDocument": _build_document(document, resources),
        }
        calls = (AwsCommand("iam", "put_role_policy", parameters),)
        keeps = f" Its policy {name} keeps its other statements."
        how = f"Allow it to invoke the function.{keeps if document else ''}"
    # The functions' names, with the alias or version if they have one.
    functions = join_names([resource.rpartition("function:")[2] for resource in resources])
    return Finding(
        "pipeline-role",
        "error",
        f"role {role}",
        f"This role of {join_names(pipelines)} may not invoke {functions}.",
        FAILS,
        how,
        calls=calls,
        consent=True,
        question="Change this policy now?",
    )


def _build_document(present: Mapping[str, Any], resources: Sequence[str]) -> str:
    """Return the policy ({} if it does not exist yet) with a statement that allows these calls."""
    statements = present.get("Statement", [])
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
    return json.dumps(
        {
            "Version": "2012-10-17",
            **present,
            "Statement": [
                *(statements if isinstance(statements, list) else [statements]),
                statement,
            ],
        }
    )
