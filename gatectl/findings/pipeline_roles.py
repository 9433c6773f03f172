"""May the pipelines' roles invoke the gate?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.wording import some
from gatectl.findings.facts import Facts, Question, Refusal
from gatectl.findings.finding import Call, Finding
from gatectl.findings.function_roles import depends
from gatectl.findings.invocation import allows_to_invoke


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


def _invokers(facts: Facts) -> list[Invoker]:
    """An action's own role takes the place of the pipeline's (model: ActionDeclaration, roleArn). One of another account acts there, on
    that account's functions (guide: pipelines-create-cross-account)."""
    pipelines: dict[tuple[str, str], list[str]] = {}
    for pipeline in (facts.pipelines or {}).values():
        for gate in pipeline.gates:
            names = pipelines.setdefault((gate.role or pipeline.role, gate.function), [])
            if pipeline.name not in names:
                names.append(pipeline.name)
    here = f":{facts.account}:"
    return [Invoker(role, gate, tuple(names)) for (role, gate), names in sorted(pipelines.items()) if here in role]


def _invocation(facts: Facts, invoker: Invoker) -> Question:
    arn = f"arn:{facts.partition}:lambda:{facts.region}:{facts.account}:function:{invoker.gate}"
    return Question(invoker.role, ("lambda:InvokeFunction",), (invoker.gate if invoker.gate.startswith("arn:") else arn,))


def _invoker(facts: Facts, invoker: Invoker) -> Iterator[Finding]:
    question = _invocation(facts, invoker)
    if question not in facts.answers:
        return
    name, answer = invoker.role.rpartition("/")[2], facts.answers[question]
    where, whose = f"role {name}", f"which {some(invoker.pipelines)} {'has' if len(invoker.pipelines) == 1 else 'have'}"
    if answer.no_role:
        what = f"There is no such role, {whose}."
        yield Finding("no-role", "error", where, what, "CodePipeline can do nothing there.", "Give the pipeline a role that is there.")
        return
    for refusal in answer.refused:
        if refusal.unknown:
            yield from depends(where, [refusal])
            continue
        missing = not refusal.by
        if missing and _let_in_by_the_function(facts, invoker):
            continue
        policy = {"RoleName": name, "PolicyName": f"invoke-{_name(invoker)}", "PolicyDocument": _policy(refusal)}
        yield Finding(
            "pipeline-role",
            "error",
            where,
            f"This role, {whose}, may not invoke {_name(invoker)}{'' if missing else f': {refusal.by} forbids it'}.",
            "The gate action fails at once, and nothing goes past it.",
            "Let it invoke the function." if missing else "Whoever made that policy has to allow lambda:InvokeFunction.",
            calls=(Call("iam", "put_role_policy", policy),) if missing else (),
            consent=True,
        )


def _name(invoker: Invoker) -> str:
    return invoker.gate.rpartition("function:")[2].partition(":")[0]


def _policy(refusal: Refusal) -> str:
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": refusal.resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _let_in_by_the_function(facts: Facts, invoker: Invoker) -> bool:
    """Whether the function's own policy names the role, which is enough within an account (guide: reference_policies_evaluation-logic)."""
    function = facts.functions.get(_name(invoker))
    statements = [one for one in (function.statements or ()) if allows_to_invoke(one) and not one.get("Condition")] if function else []
    principals = [one.get("Principal") for one in statements]
    named = [one.get("AWS") if isinstance(one, Mapping) else one for one in principals]
    return any(invoker.role == one or (isinstance(one, list) and invoker.role in one) for one in named)
