"""What AWS told, as plain data. What it did not tell is None or is not there, and stands in
`unseen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.deployment import Deployment
from chalicelib.holds.fate import HoldFate
from chalicelib.holds.hold import Hold
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import Execution
from gatectl.functions import Deployed


@dataclass(frozen=True)
class Function:
    """The gate or the retry of a deployment. `code`: its hash; `reserved`: its reserved
    concurrency, where it has one.

    `statements`: its resource policy's; None where that could not be looked at.
    """

    name: str
    role: str
    handler: str
    seconds: int
    code: str = ""
    state: str = "Active"
    state_reason: str = ""
    update: str = "Successful"
    update_reason: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None
    statements: tuple[Mapping[str, Any], ...] | None = ()


@dataclass(frozen=True)
class Question:
    """May `role` (an ARN) do each of `actions` on each of `resources`, under the condition keys of
    `context`?
    """

    role: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Refusal:
    """What a role may not do. `by`: what forbids it, where its own policies do not merely say
    nothing. `unknown`: the condition keys on which it depends, and which only a real call has.
    """

    action: str
    resource: str
    by: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """To a Question: what is refused of it; or that there is no such role."""

    refused: tuple[Refusal, ...] = ()
    no_role: bool = False


@dataclass(frozen=True)
class Unseen:
    """What could not be looked at, and why: which action AWS denied."""

    what: str
    why: str


@dataclass(frozen=True)
class Facts:
    """`executions`: of the pipelines that holds are about. `fates`: what became of each rule's hold,
    by the rule's name. `elsewhere`: the stages of upstreams in
    other regions of this account, by ARN; none: there is no such pipeline. `buses`: whether those
    that the functions name are there. `policies`: inline policies of roles, by role and name, as
    far as one is to be written; {}: there is none yet.
    """

    now: datetime
    partition: str
    region: str
    account: str
    deployed: tuple[Deployed, ...] | None = None
    functions: Mapping[str, Function] = field(default_factory=dict)
    pipelines: Mapping[str, Pipeline] | None = None
    rules: tuple[HoldRule, ...] | None = None
    rules_in_all: int | None = None
    executions: Mapping[str, tuple[Execution, ...]] = field(default_factory=dict)
    fates: Mapping[str, HoldFate] = field(default_factory=dict)
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buses: Mapping[str, bool] = field(default_factory=dict)
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    policies: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()

    def deployment(self, stage: str) -> Deployment:
        return Deployment(self.partition, self.region, self.account, stage)

    def gated_by(self, stage: str) -> list[Pipeline]:
        """The pipelines with a gate that is deployed here as `stage`."""
        there = (self.pipelines or {}).values()
        return [
            one
            for one in there
            if any(gate.deployed_as == stage and self.is_here(gate.function) for gate in one.gates)
        ]

    def is_here(self, function: str) -> bool:
        """Whether a function, as a gate action names it, is one of this region and account: an ARN
        may be of others.
        """
        _, _, _, region, account, *_ = (
            function.split(":")
            if function.startswith("arn:")
            else ("", "", "", self.region, self.account)
        )
        return region == self.region and account == self.account

    def holds_of(self, stage: str) -> list[Hold]:
        """The holds that rules of the deployment `stage` keep."""
        prefix = self.deployment(stage).rule_prefix
        return [
            rule.hold
            for rule in self.rules or ()
            if rule.hold and rule.name == prefix + rule.hold.execution
        ]

    def who_is_held(self, stage: str) -> str:
        """A sentence to add, or nothing."""
        held = sorted({hold.pipeline for hold in self.holds_of(stage)})
        return (
            f" {join_names(held)} {'waits' if len(held) == 1 else 'wait'} now, and will not start again."
            if held
            else ""
        )
