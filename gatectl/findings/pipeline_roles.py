"""May the pipelines' roles invoke the gate?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chalicelib.phrases import join_names
from gatectl.findings.facts import Answer, Facts, Question, Refusal
from gatectl.findings.finding import Call, Finding
from gatectl.findings.function_roles import depends
from gatectl.findings.invocation import allows_to_invoke

FAILS = "The gate action fails at once, and nothing goes past it."


@dataclass(frozen=True)
class Invoker:
    """A role that has to invoke the function `gate`, for `pipelines`."""

    role: str
    gate: str
    pipelines: tuple[str, ...]


def questions(facts: Facts) -> list[Question]:
    return [_invocation(facts, one) for one in _invokers(facts)]


def findings(facts: Facts) -> Iterator[Finding]:
    for invoker in _invokers(facts):
        yield from _invoker(facts, invoker)
    for _, group in groupby(_lacking(facts), key=lambda one: _policy_of(one[0])):
        yield _to_be_let(facts, list(group))


def policies(facts: Facts) -> list[tuple[str, str]]:
    """The inline policies, by role and name, that would be written: what they say by now is to be
    known before.
    """
    return list(dict.fromkeys(_policy_of(invoker) for invoker, _ in _lacking(facts)))


def _invokers(facts: Facts) -> list[Invoker]:
    """An action's own role takes the place of the pipeline's (model: ActionDeclaration, roleArn).
    One of another account acts there, on that account's functions (guide:
    pipelines-create-cross-account).
    """
    pipelines: dict[tuple[str, str], list[str]] = {}
    for pipeline in (facts.pipelines or {}).values():
        for gate in pipeline.gates:
            names = pipelines.setdefault((gate.role or pipeline.role, gate.function), [])
            if pipeline.name not in names:
                names.append(pipeline.name)
    here = f":{facts.account}:"
    return [
        Invoker(role, gate, tuple(names))
        for (role, gate), names in sorted(pipelines.items())
        if here in role
    ]


def _invocation(facts: Facts, invoker: Invoker) -> Question:
    arn = f"arn:{facts.partition}:lambda:{facts.region}:{facts.account}:function:{invoker.gate}"
    return Question(
        invoker.role,
        ("lambda:InvokeFunction",),
        (invoker.gate if invoker.gate.startswith("arn:") else arn,),
    )


def _invoker(facts: Facts, invoker: Invoker) -> Iterator[Finding]:
    question = _invocation(facts, invoker)
    if question not in facts.answers:
        return
    where, answer = f"role {_role(invoker)}", facts.answers[question]
    if answer.no_role:
        what = f"There is no such role, {_whose(invoker.pipelines)}."
        yield Finding(
            "no-role",
            "error",
            where,
            what,
            "CodePipeline can do nothing there.",
            "Give the pipeline a role that is there.",
        )
        return
    for refusal in answer.refused:
        if refusal.unknown:
            yield from depends(where, [refusal])
        elif refusal.by:
            what = (
                f"This role, {_whose(invoker.pipelines)}, may not invoke {_name(invoker)}: "
                f"{refusal.by} forbids it."
            )
            yield Finding(
                "pipeline-role",
                "error",
                where,
                what,
                FAILS,
                "Whoever made that policy has to allow lambda:InvokeFunction.",
            )


def _lacking(facts: Facts) -> list[tuple[Invoker, Refusal]]:
    """Who lacks nothing but a statement that allows it; those of one role and function one after
    the other.
    """
    lacking = [
        (invoker, refusal)
        for invoker in _invokers(facts)
        for refusal in facts.answers.get(_invocation(facts, invoker), Answer()).refused
        if not refusal.unknown and not refusal.by and not _let_in_by_the_function(facts, invoker)
    ]
    return sorted(lacking, key=lambda one: _policy_of(one[0]))


def _to_be_let(facts: Facts, lacking: Sequence[tuple[Invoker, Refusal]]) -> Finding:
    """Of one role and function, which may be named in several ways: one policy allows them all, and
    keeps what it says already.
    """
    invoker, (role, policy) = lacking[0][0], _policy_of(lacking[0][0])
    pipelines = sorted({name for one, _ in lacking for name in one.pipelines})
    resources = sorted({refusal.resource for _, refusal in lacking})
    there = facts.policies.get((role, policy))
    calls: tuple[Call, ...] = ()
    if there is None:
        unknown = f"whether it has a policy {policy}, which --mend would write, is not known"
        how = f"Allow it lambda:InvokeFunction on {join_names(resources)}: {unknown}."
    else:
        calls = (
            Call(
                "iam",
                "put_role_policy",
                {
                    "RoleName": role,
                    "PolicyName": policy,
                    "PolicyDocument": _document(there, resources),
                },
            ),
        )
        keeps = f": its policy {policy} keeps what it says, and allows this, too" if there else ""
        how = f"Let it invoke the function{keeps}."
    what = f"This role, {_whose(pipelines)}, may not invoke {_names(resources)}."
    return Finding(
        "pipeline-role",
        "error",
        f"role {_role(invoker)}",
        what,
        FAILS,
        how,
        calls=calls,
        consent=True,
    )


def _role(invoker: Invoker) -> str:
    return invoker.role.rpartition("/")[2]


def _name(invoker: Invoker) -> str:
    return invoker.gate.rpartition("function:")[2].partition(":")[0]


def _names(resources: Sequence[str]) -> str:
    """Functions, each with its alias or version where it is named with one."""
    return join_names([one.rpartition("function:")[2] for one in resources])


def _whose(pipelines: Sequence[str]) -> str:
    return f"which {join_names(pipelines)} {'has' if len(pipelines) == 1 else 'have'}"


def _policy_of(invoker: Invoker) -> tuple[str, str]:
    """The role, and the name of its inline policy that --mend writes."""
    return _role(invoker), f"invoke-{_name(invoker)}"


def _document(there: Mapping[str, Any], resources: Sequence[str]) -> str:
    """What the policy says already ({}: it is not there yet), and that these may be invoked."""
    said = there.get("Statement", [])
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
    return json.dumps(
        {
            "Version": "2012-10-17",
            **there,
            "Statement": [*(said if isinstance(said, list) else [said]), statement],
        }
    )


def _let_in_by_the_function(facts: Facts, invoker: Invoker) -> bool:
    """Whether the function's own policy names the role, which is enough within an account (guide:
    reference_policies_evaluation-logic).
    """
    function = facts.functions.get(_name(invoker))
    statements = (
        [
            one
            for one in (function.statements or ())
            if allows_to_invoke(one) and not one.get("Condition")
        ]
        if function
        else []
    )
    principals = [one.get("Principal") for one in statements]
    named = [one.get("AWS") if isinstance(one, Mapping) else one for one in principals]
    return any(
        invoker.role == one or (isinstance(one, list) and invoker.role in one) for one in named
    )
