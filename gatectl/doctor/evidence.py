"""What was read from AWS. What could not be read is None or missing, and is in `unseen`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.account.pipeline import Pipeline
from chalicelib.account.waits import HoldRule
from chalicelib.aws.iam import PolicyAnswer, PolicyQuestion
from chalicelib.aws.lambda_functions import FunctionSettings
from chalicelib.deployment import Deployment
from chalicelib.holds.fate import Evidence, HoldFate, Standing, find_fate
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import read_stage
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import Execution
from gatectl.functions import DeployedFunctions


@dataclass(frozen=True)
class GateFunction(FunctionSettings):
    """The gate or retry function. `reserved`: its reserved concurrency, or None. `statements`: of
    its resource policy; None if that could not be read.
    """

    reserved: int | None = None
    statements: tuple[Mapping[str, Any], ...] | None = ()

    @property
    def event_bus(self) -> str:
        return self.environment.get("EVENT_BUS", "")


@dataclass(frozen=True)
class Unseen:
    """What could not be read, and why. `function`: the name of the function it is about, or ""."""

    subject: str
    why: str
    function: str = ""


@dataclass(frozen=True)
class DoctorEvidence:
    """`executions`: those of held pipelines and their upstreams. `fates`: what became of the holds,
    by the rules' names. `elsewhere`: the stages of upstreams in other regions of this account, by
    ARN; empty if there is no such pipeline. `buses`: whether the functions' event buses exist.
    `sharing_regions`: the other regions, as far as they were checked, in which a function of the
    same name uses a function's role, by the function's name.
    `policies`: the inline policies that --mend would write, by role and name; {} if there is none.
    """

    now: datetime
    partition: str
    region: str
    account: str
    deployed: tuple[DeployedFunctions, ...] | None = None
    functions: Mapping[str, GateFunction] = field(default_factory=dict)
    pipelines: Mapping[str, Pipeline] | None = None
    rules: tuple[HoldRule, ...] | None = None
    rules_in_all: int | None = None
    executions: Mapping[str, tuple[Execution, ...]] = field(default_factory=dict)
    fates: Mapping[str, HoldFate] = field(default_factory=dict)
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buses: Mapping[str, bool] = field(default_factory=dict)
    sharing_regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Mapping[PolicyQuestion, PolicyAnswer] = field(default_factory=dict)
    policies: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()

    def deployment(self, stage: str) -> Deployment:
        return Deployment(self.partition, self.region, self.account, stage)

    def name_resource(self, service: str, resource: str, region: str | None = None) -> str:
        """Return the ARN of a resource of this account, by default in this region."""
        place = f"{region or self.region}:{self.account}"
        return f"arn:{self.partition}:{service}:{place}:{resource}"

    def list_gated(self, stage: str) -> list[Pipeline]:
        """Return the pipelines with a gate that is deployed here as `stage`."""
        return [
            pipeline
            for pipeline in (self.pipelines or {}).values()
            if any(
                gate.deployed_as == stage and self.is_here(gate.function) for gate in pipeline.gates
            )
        ]

    def is_here(self, function: str) -> bool:
        """Return whether a function that a gate action names is in this region and account."""
        if not function.startswith("arn:"):
            return True
        _, _, _, region, account, *_ = function.split(":")
        return region == self.region and account == self.account

    def find_fate(self, rule: HoldRule, hold: Hold) -> HoldFate:
        """Return what became of the hold that `rule` keeps, as far as was read."""
        exists = self.pipelines is None or hold.pipeline in self.pipelines
        stage = read_stage(rule.name, hold.execution)
        unread = Evidence(
            hold.pipeline,
            hold.execution,
            stage,
            pipeline_exists=exists,
            executions=self.executions.get(hold.pipeline),
        )
        return self.fates.get(rule.name) or find_fate(unread)

    def list_holds(self, stage: str | None = None) -> list[tuple[Hold, Standing]]:
        """Return the holds that have not ended, of all deployments or of `stage`."""
        holds = [
            (rule.hold, self.find_fate(rule, rule.hold).standing)
            for rule in self.rules or ()
            if rule.hold and stage in (None, read_stage(rule.name, rule.hold.execution))
        ]
        return [(hold, standing) for hold, standing in holds if standing is not Standing.ENDED]

    def list_held(self, stage: str | None = None) -> list[Hold]:
        """Return the holds of executions that are waiting now, as far as is known."""
        holds = self.list_holds(stage)
        return [hold for hold, standing in holds if standing is not Standing.MOVED_ON]

    def describe_held(self, stage: str) -> str:
        """Return a sentence about the pipelines that are waiting, or ""."""
        names = sorted({hold.pipeline for hold in self.list_held(stage)})
        verb = "is" if len(names) == 1 else "are"
        return f" {join_names(names)} {verb} waiting and will not continue." if names else ""
