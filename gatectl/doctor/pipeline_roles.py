"""May the pipelines' roles invoke the gate?"""

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
        """The name of the function, without alias or version."""
        return self.gate.rpartition("function:")[2].partition(":")[0]

    @property
    def policy(self) -> Policy:
        """The one that --mend writes."""
        return self.role_name, f"invoke-{self.function}"


def list_questions(evidence: DoctorEvidence) -> list[PolicyQuestion]:
    return [_build_question(evidence, invoker) for invoker in _list_invokers(evidence)]


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    for invoker in _list_invokers(evidence):
        yield from _check_invoker(evidence, invoker)
    for policy, (pipelines, functions) in _list_missing_permissions(evidence).items():
        yield _describe_missing_permissions(evidence, policy, sorted(pipelines), sorted(functions))


def list_policies(evidence: DoctorEvidence) -> list[Policy]:
    """Return the inline policies that --mend would write: their content has to be read first."""
    return list(_list_missing_permissions(evidence))


def _list_invokers(evidence: DoctorEvidence) -> list[Invoker]:
    """An action's own role takes the place of the pipeline's (model: ActionDeclaration, roleArn).
    One of another account acts there, on that account's functions (guide:
    pipelines-create-cross-account).
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
    where, owners = f"role {invoker.role_name}", _name_owners(invoker.pipelines)
    if answer.no_role:
        yield Finding(
            "no-role",
            "error",
            where,
            f"There is no such role, {owners}.",
            "CodePipeline can do nothing there.",
            "Give the pipeline a role that is there.",
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
                f"This role, {owners}, may not invoke {invoker.function}: {refusal.by} forbids it.",
                FAILS,
                "Whoever made that policy has to allow lambda:InvokeFunction.",
            )


def _list_missing_permissions(
    evidence: DoctorEvidence,
) -> dict[Policy, tuple[set[str], set[str]]]:
    """By the policy that would allow them: the pipelines, and the ARNs of the functions, which may
    be several ways of naming one. The role lacks nothing but a statement that lets it invoke them.
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
    """Whether the function's own policy names the role, which is enough within an account (guide:
    reference_policies_evaluation-logic).
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
    """One policy allows them all, and keeps what it allows already."""
    role, name = policy
    document = evidence.policies.get(policy)
    calls: tuple[AwsCommand, ...] = ()
    if document is None:
        how = (
            f"Allow it lambda:InvokeFunction on {join_names(resources)}: "
            f"whether it has a policy {name}, which --mend would write, is not known."
        )
    else:
        parameters = {
            "RoleName": role,
            "PolicyName": name,
            "PolicyDocument": _build_document(document, resources),
        }
        calls = (AwsCommand("iam", "put_role_policy", parameters),)
        keeps = f": its policy {name} keeps what it says, and allows this, too"
        how = f"Let it invoke the function{keeps if document else ''}."
    # Functions, each with its alias or version if it is named with one.
    functions = join_names([resource.rpartition("function:")[2] for resource in resources])
    return Finding(
        "pipeline-role",
        "error",
        f"role {role}",
        f"This role, {_name_owners(pipelines)}, may not invoke {functions}.",
        FAILS,
        how,
        calls=calls,
        consent=True,
    )


def _name_owners(pipelines: Sequence[str]) -> str:
    return f"which {join_names(pipelines)} {'has' if len(pipelines) == 1 else 'have'}"


def _build_document(present: Mapping[str, Any], resources: Sequence[str]) -> str:
    """What the policy says already ({}: there is none yet), and that these may be invoked."""
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
