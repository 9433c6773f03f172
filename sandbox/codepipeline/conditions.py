"""A stage's entry condition: rules that are checked before the stage's actions run (guide:
stage-conditions).

The stage is in progress, and locked, while its rules run (guide: stage-conditions, "Overriding
stage conditions").
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.clock import utcnow
from sandbox.codepipeline import actions, providers
from sandbox.codepipeline.execution import (
    ConditionExecution,
    Declaration,
    RuleExecution,
    StageExecution,
)
from sandbox.codepipeline.pipeline import Pipeline


def find_condition(stage: Declaration) -> Declaration | None:
    """The stage's entry condition, if it has one. It cannot have several (model: ConditionList)."""
    conditions: list[Declaration] = (stage.get("beforeEntry") or {}).get("conditions") or []
    return conditions[0] if conditions else None


def check_condition(
    pipeline: Pipeline, passage: StageExecution, condition: Declaration, on_end: Callable[[], None]
) -> None:
    """Start all rules of the condition together (guide: "an ordered set of rules that are evaluated
    together").

    `on_end` is called each time one of them has succeeded or failed; `passage.entry` then says how
    the condition stands.
    """
    entry = passage.entry = ConditionExecution(condition.get("result", "FAIL"))

    def rule_ended() -> None:
        _settle_condition(pipeline, entry)
        on_end()

    for declaration in condition["rules"]:
        rule = RuleExecution(passage, declaration, rule_ended)
        entry.rules[rule.name] = rule
        passage.execution.rules.append(rule)
        pipeline.rules.append(rule)
    passage.execution.updated = utcnow()
    for rule in entry.rules.values():
        providers.start(pipeline, rule)


def _settle_condition(pipeline: Pipeline, entry: ConditionExecution) -> None:
    """A failed rule fails the condition; otherwise all rules must succeed (guide:
    concepts-how-it-works-conditions).

    It fails at once, and running rules are abandoned: AWS does not say.
    """
    statuses = {rule.status for rule in entry.rules.values()}
    if entry.status != "InProgress":
        return
    if "Failed" in statuses:
        entry.end("Failed")
        abandon_rules(pipeline, entry)
    elif statuses == {"Succeeded"}:
        entry.end("Succeeded")


def abandon_rules(pipeline: Pipeline, entry: ConditionExecution) -> None:
    for rule in entry.rules.values():
        if rule.status == "InProgress":
            actions.abandon(pipeline, rule, "ABANDONED")
