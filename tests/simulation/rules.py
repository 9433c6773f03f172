"""The gate's rules, as EventBridge keeps them."""

from __future__ import annotations

from moto.events.models import Rule

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION

PREFIX = "pipeline-gate-dev-"
RETRY = "pipeline-gate-dev-retry"


def all_rules() -> dict[str, Rule]:
    """The gate's rules, by their names."""
    rules: dict[str, Rule] = eventbridge.backend(ACCOUNT, REGION).event_buses["default"].rules
    return {name: rule for name, rule in rules.items() if name.startswith(PREFIX)}


def with_target() -> list[str]:
    """The names of those that have a target."""
    return [name for name, rule in all_rules().items() if rule.targets]


def remove(name: str) -> None:
    events = eventbridge.backend(ACCOUNT, REGION)
    if targets := [target["Id"] for target in all_rules()[name].targets]:
        events.remove_targets(name, "default", targets)
    events.delete_rule(name, "default")
