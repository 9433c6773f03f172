"""Reads the functions of the gate's deployments."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gatectl.findings.facts import Function
from gatectl.findings.looks import Looks
from gatectl.functions import Deployed

SECONDS = 3
"""(model: FunctionConfiguration, Timeout: "The default is 3 seconds")"""


def functions(client: Any, looks: Looks, deployed: Iterable[Deployed]) -> dict[str, Function]:
    """Those of `deployed` that are there, by name. `client`: boto3's, of Lambda."""
    names = [
        name
        for one in deployed
        for name, there in ((one.gate, one.has_gate), (one.retry, one.has_retry))
        if there
    ]
    return {name: function for name in names if (function := _function(client, looks, name))}


def _function(client: Any, looks: Looks, name: str) -> Function | None:
    def ask(what: str, operation: str, gone: dict[str, Any]) -> dict[str, Any] | None:
        ask_one = getattr(client, operation)
        action = f"lambda:{''.join(word.title() for word in operation.split('_'))}"
        return looks.at(what, action, lambda: dict(ask_one(FunctionName=name)), gone)

    # GetFunction would tell all but the policy in one call; but it also hands out the code, which
    # not everybody may read.
    told = ask(f"how {name} is set up", "get_function_configuration", {})
    if not told:
        return None
    concurrency = ask(f"how often {name} may run", "get_function_concurrency", {})
    policy = ask(f"who may invoke {name}", "get_policy", {"Policy": '{"Statement": []}'})
    return Function(
        name,
        role=told["Role"],
        handler=told.get("Handler", ""),
        seconds=told.get("Timeout", SECONDS),
        code=told.get("CodeSha256", ""),
        state=told.get("State", "Active"),
        state_reason=told.get("StateReason", ""),
        update=told.get("LastUpdateStatus", "Successful"),
        update_reason=told.get("LastUpdateStatusReason", ""),
        environment=told.get("Environment", {}).get("Variables", {}),
        reserved=(concurrency or {}).get("ReservedConcurrentExecutions"),
        statements=tuple(json.loads(policy["Policy"])["Statement"]) if policy else None,
    )
