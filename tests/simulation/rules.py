"""The gate's rules, as EventBridge keeps them: one for each held execution, by its id."""

from __future__ import annotations

from moto.events.models import Rule

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION

PREFIX = "pipeline-gate-dev-"
RETRY = "pipeline-gate-dev-retry"


def find_rules() -> dict[str, Rule]:
    rules = eventbridge.backend(ACCOUNT, REGION).event_buses["default"].rules
    return {name[-36:]: rule for name, rule in rules.items() if name.startswith(PREFIX)}


def find_held() -> list[str]:
    """The executions whose rule has a target."""
    return [held for held, rule in find_rules().items() if rule.targets]


def remove_rule(held: str) -> None:
    events, rule = eventbridge.backend(ACCOUNT, REGION), find_rules()[held]
    if targets := [target["Id"] for target in rule.targets]:
        events.remove_targets(rule.name, "default", targets)
    events.removals.clear()  # a person repeats DeleteRule until EventBridge does it
    events.delete_rule(rule.name, "default")
