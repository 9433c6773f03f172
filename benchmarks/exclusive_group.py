"""Pipelines that exclude each other: each has a gate that waits for all others of its group.

All are started together, in the sandbox's backend. They have to take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import cast

from moto.codepipeline.models import codepipeline_backends

from benchmarks.pipelines import create_pipeline, make_gate_stage
from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ActionExecution, PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.codepipeline.pipeline import OutcomeHook, Pipeline

DEPLOY_SECONDS = 8.0
SECONDS_UNTIL_STOP = 4.0
"""How long the pipeline that is stopped has deployed by then."""
MAX_RATIO = 1.6
MAX_SECONDS_PER_TURN = 20
"""The target: all get through within MAX_RATIO times the sum of their deploys, plus this."""


class Disturbance(Enum):
    """What happens to one pipeline of a group."""

    NONE = ""
    FAILURE = "one fails"
    STOP = "one is stopped"
    REMOVAL = "one rule removed"


@dataclass(frozen=True)
class ExclusiveGroup:
    """`count` pipelines that exclude each other. `mode`: how their gates hold.

    `source_seconds`: how long each execution takes from its start to its gate.
    """

    count: int
    mode: str
    disturbance: Disturbance = Disturbance.NONE
    source_seconds: float = 3.0

    @property
    def label(self) -> str:
        parts = (f"{self.count} pipelines", self.mode, self.disturbance.value)
        return ", ".join(part for part in parts if part)

    @property
    def turns(self) -> int:
        """How many pipelines deploy."""
        return self.count - (self.disturbance is Disturbance.REMOVAL)

    @property
    def deploy_seconds(self) -> float:
        """The sum of their deploys."""
        if self.disturbance is Disturbance.STOP:
            return DEPLOY_SECONDS * (self.turns - 1) + SECONDS_UNTIL_STOP
        return DEPLOY_SECONDS * self.turns

    @property
    def max_seconds(self) -> float:
        """The time within which all have to get through."""
        return MAX_RATIO * self.deploy_seconds + MAX_SECONDS_PER_TURN * self.turns


@dataclass(frozen=True)
class TurnFigures:
    """What happened to a group from its start on."""

    seconds: float
    """Until the last deploy ended, or until now if not all have deployed."""
    failures: int
    """How often an execution of any of them failed: the same one can, if its stage is retried."""
    overlaps: int
    """Deploys that began while another one was running."""
    missed: int
    """Pipelines that did not deploy exactly once, except the one that lost its rule."""


class RunningGroup:
    """A group whose pipelines were created and started now. The caller holds the world's lock
    whenever it uses it. `function`: the name of the gate.
    """

    def __init__(self, group: ExclusiveGroup, function: str) -> None:
        self.group = group
        self._names = [
            f"{group.label.replace(', ', '-').replace(' ', '-')}-{number}"
            for number in range(1, group.count + 1)
        ]
        self._backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        self._backend.outcome = self._decide_outcome(self._backend.outcome)
        self._started = utcnow()
        self._disturbed: str | None = None
        for name in self._names:
            upstreams = [other for other in self._names if other != name]
            gate = make_gate_stage(name, *upstreams, function=function, hold=group.mode)
            create_pipeline(self._backend, name, [gate])

    @property
    def seconds(self) -> float:
        """Since the start."""
        return (utcnow() - self._started).total_seconds()

    @property
    def has_ended(self) -> bool:
        """Whether every pipeline has deployed that can."""
        return all(
            any(action.status != "InProgress" for action in _list_deploys(pipeline))
            for pipeline in self._pipelines
            if pipeline.name != self._pipeline_without_rule
        )

    def disturb(self) -> None:
        """Do what the group's disturbance is, once the moment for it has come."""
        if self._disturbed:
            return
        deploying = [pipeline for pipeline in self._pipelines if _find_deploy(pipeline)]
        if self.group.disturbance is Disturbance.STOP:
            self._stop_one(deploying)
        elif self.group.disturbance is Disturbance.REMOVAL and deploying:
            self._remove_one_rule([item for item in self._pipelines if item not in deploying])

    def count_rules(self) -> int:
        """The rules that hold its pipelines."""
        return sum(
            self._find_rule(execution) is not None
            for pipeline in self._pipelines
            for execution in pipeline.history
        )

    def read_figures(self) -> TurnFigures:
        deploys = [_list_deploys(pipeline) for pipeline in self._pipelines]
        periods = [_find_period(action) for actions in deploys for action in actions]
        last_end = max((end for _, end in periods), default=utcnow())
        return TurnFigures(
            seconds=(last_end - self._started).total_seconds() if self.has_ended else self.seconds,
            failures=sum(
                action.status == "Failed"
                for pipeline in self._pipelines
                for action in pipeline.actions
            ),
            overlaps=_count_overlaps(periods),
            missed=sum(
                len(actions) > 1 or (not actions and pipeline.name != self._pipeline_without_rule)
                for pipeline, actions in zip(self._pipelines, deploys, strict=True)
            ),
        )

    @property
    def _pipelines(self) -> list[Pipeline]:
        return [self._backend.pipelines[name] for name in self._names]

    @property
    def _pipeline_without_rule(self) -> str | None:
        return self._disturbed if self.group.disturbance is Disturbance.REMOVAL else None

    def _decide_outcome(self, decide_other_outcome: OutcomeHook | None) -> OutcomeHook:
        """How the actions of the group's pipelines go; those of other groups are as before."""

        def decide_outcome(
            execution: PipelineExecution, stage: str, action: str
        ) -> tuple[float, str]:
            name = execution.pipeline_name
            if name not in self._names and decide_other_outcome:
                return decide_other_outcome(execution, stage, action)
            if stage == "Source":
                return self.group.source_seconds, "Succeeded"
            fails = self.group.disturbance is Disturbance.FAILURE and name == self._names[0]
            return DEPLOY_SECONDS, "Failed" if fails else "Succeeded"

        return decide_outcome

    def _stop_one(self, deploying: Sequence[Pipeline]) -> None:
        """A person stops the pipeline that deploys first."""
        for pipeline in deploying:
            action = _find_deploy(pipeline)
            if action and (utcnow() - action.started).total_seconds() >= SECONDS_UNTIL_STOP:
                request = {
                    "pipelineName": pipeline.name,
                    "pipelineExecutionId": action.execution.id,
                    "abandon": True,
                }
                self._backend.stop_pipeline_execution(request)
                self._disturbed = pipeline.name

    def _remove_one_rule(self, waiting: Sequence[Pipeline]) -> None:
        """A person removes the first rule of a pipeline that is waiting."""
        for pipeline in waiting:
            execution = pipeline.history[-1]
            rule = self._find_rule(execution)
            if rule and execution.status == "Failed":
                events = eventbridge.backend(ACCOUNT, REGION)
                events.remove_targets(rule, "default", ["retry"])
                events.delete_rule(rule, "default")
                self._disturbed = pipeline.name
                return

    def _find_rule(self, execution: PipelineExecution) -> str | None:
        bus = eventbridge.backend(ACCOUNT, REGION).describe_event_bus("default")
        return next((name for name in bus.rules if name.endswith(execution.id)), None)


def _list_deploys(pipeline: Pipeline) -> list[ActionExecution]:
    return [action for action in pipeline.actions if action.name == "Deploy"]


def _find_deploy(pipeline: Pipeline) -> ActionExecution | None:
    """The deploy that is running now."""
    deploys = _list_deploys(pipeline)
    return next((action for action in deploys if action.status == "InProgress"), None)


def _find_period(action: ActionExecution) -> tuple[datetime, datetime]:
    """When an action began and ended: it ends now if it is running."""
    return action.started, utcnow() if action.status == "InProgress" else action.updated


def _count_overlaps(periods: Sequence[tuple[datetime, datetime]]) -> int:
    overlaps, latest_end = 0, None
    for start, end in sorted(periods):
        overlaps += latest_end is not None and start < latest_end
        latest_end = max(end, latest_end or end)
    return overlaps
