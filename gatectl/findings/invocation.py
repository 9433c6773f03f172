"""May the gate's rules invoke the retry?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from chalicelib.aws.lambda_permission import STATEMENT
from gatectl.findings.facts import Facts, Function
from gatectl.findings.finding import Call, Finding
from gatectl.findings.functions import RETRY_STOPS


def findings(facts: Facts) -> Iterator[Finding]:
    for deployed in facts.deployed or ():
        retry = facts.functions.get(deployed.retry)
        if retry:
            yield from _retry(facts, retry, deployed.stage)


def _retry(facts: Facts, retry: Function, stage: str) -> Iterator[Finding]:
    """The gate lets EventBridge in right before its first hold, so until then nothing is missing.
    But a statement of the gate's own id that says something else stays as it is: AddPermission
    refuses that id, and the gate takes it for done (model: AddPermission).
    """
    deployment = facts.deployment(stage)
    rules = f"arn:{facts.partition}:events:{facts.region}:{facts.account}:rule/{deployment.rule_prefix}*"
    if retry.statements is None or any(
        _lets_in(one, rules, facts.account) for one in retry.statements
    ):
        return
    misleading = any(one.get("Sid") == STATEMENT for one in retry.statements)
    if not misleading and not facts.holds_of(stage):
        return
    one = {"FunctionName": retry.name, "StatementId": STATEMENT}
    permission = {
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": deployment.all_rules_arn,
    }
    add, remove = (
        Call("lambda", "add_permission", {**one, **permission}),
        Call("lambda", "remove_permission", one),
    )
    what = (
        f"its statement {STATEMENT} says something else"
        if misleading
        else "no statement of its resource policy says so"
    )
    yield Finding(
        "retry-permission",
        "error",
        f"function {retry.name}",
        f"The gate's EventBridge rules may not invoke it: {what}.",
        f"No hold ends.{facts.who_is_held(stage)}" if facts.holds_of(stage) else RETRY_STOPS,
        "Let them invoke it.",
        calls=(remove, add) if misleading else (add,),
    )


def _lets_in(statement: Mapping[str, Any], rules: str, account: str) -> bool:
    """Whether a statement lets EventBridge invoke on behalf of every rule that the pattern `rules`
    matches.
    """
    principal = statement.get("Principal")
    services = _listed(principal.get("Service")) if isinstance(principal, Mapping) else [principal]
    given = {"aws:sourcearn": rules, "aws:sourceaccount": account}
    return (
        allows_to_invoke(statement)
        and bool({"events.amazonaws.com", "*"} & set(services))
        and all(
            key.lower() in given
            and any(_like(operator, str(one), given[key.lower()]) for one in _listed(wanted))
            for operator, condition in statement.get("Condition", {}).items()
            for key, wanted in condition.items()
        )
    )


def allows_to_invoke(statement: Mapping[str, Any]) -> bool:
    """Whether a statement of a function's policy is about this at all, whomever it lets in."""
    actions = _listed(statement.get("Action"))
    return statement.get("Effect") == "Allow" and any(
        fnmatchcase("lambda:invokefunction", str(one).lower()) for one in actions
    )


def _like(operator: str, pattern: str, value: str) -> bool:
    """ArnLike compares each of an ARN's six parts by itself (guide:
    reference_policies_elements_condition_operators, ARN).
    """
    if not operator.startswith("Arn"):
        return fnmatchcase(value, pattern)
    wanted, parts = pattern.split(":", 5), value.split(":", 5)
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
