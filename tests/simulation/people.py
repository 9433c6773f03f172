"""What people do to the pipelines at any moment: start, push, stop, retry, approve, edit, delete,
release a hold, meddle.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, cast

from moto.codepipeline.models import codepipeline_backends
from moto.core.exceptions import JsonRESTError

from sandbox import awslambda
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import DrivenWorld
from tests.simulation.cast import VARIABLES, Cast, regated
from tests.simulation.places import backend
from tests.simulation.record import Record
from tests.simulation.rules import PREFIX, RETRY, all_rules, remove

ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
MOST_ACTS = 20
"""In one run, so that a run stays short."""
COMMITS = [character * 40 for character in "abcdef"]


class People:
    """They use the sandbox's own backends: their calls never fail for want of AWS."""

    def __init__(self, random: Random, world: DrivenWorld, cast_: Cast, record: Record) -> None:
        self._random = random
        self._world = world
        self._cast = cast_
        self._record = record
        self._acts: list[Callable[[], None]] = [
            *[self.start] * 6,
            *[self.start_both] * 4,
            *[self.push] * 2,
            *[self.stop] * 2,
            *[self.retry_stage] * 2,
            *[self.react] * 6,
            *[self.approve] * 2,
            *[self.edit] * 2,
            *[self.release] * 1,
            *[self.toggle] * 1,
            *[self.roll_back] * 2,
            *[self.override] * 1,
            *[self.meddle] * 1,
        ]
        self.here = True
        self._patience = MOST_ACTS

    @property
    def backend(self) -> CodePipelineBackend:
        return cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])

    def at(self, minute: float, what: Callable[[], None]) -> None:
        """Let somebody do that in so many minutes; what AWS refuses is no matter."""

        def act() -> None:
            with contextlib.suppress(JsonRESTError), self._world.lock:
                if self.here:
                    what()

        self._world.clock.call_at(utcnow() + timedelta(minutes=minute), act, "people")

    def plan(self, acts: int, minutes: float) -> None:
        """Plan the first starts, and `acts` more within `minutes`."""
        random = self._random
        starts = [random.uniform(1, minutes) for _ in range(random.choice((0, 1, 2)))]
        for moment in (0.1, *starts):
            self.at(moment, self.start_both)
        for _ in range(acts):
            self.at(random.uniform(0, minutes), self.act)
        if random.random() < 0.08:
            self.at(random.uniform(0, minutes), self.delete)

    def act(self) -> None:
        self._patience -= 1
        if self.here and self._patience >= 0:
            with contextlib.suppress(JsonRESTError), self._world.lock:
                self._random.choice(self._acts)()

    # Executions

    def start(self) -> None:
        self.start_one(self._random.choice([*self.backend.pipelines]))

    def start_both(self) -> None:
        """An upstream, and soon after it those that depend on it: what the gate is for."""
        for name in self.backend.pipelines:
            seconds = self._random.choice((0, 0, 1, 5, 20))
            if name in self._cast.dependents:
                seconds += self._random.choice((5, 15, 30))
            if self._random.random() < 0.9:
                self.at(seconds / 60, partial(self.start_one, name))

    def start_one(self, name: str) -> None:
        if name not in self.backend.pipelines:
            return
        declared = self.backend.pipelines[name].pipeline.get("variables") or []
        given = [
            {"name": one["name"], "value": self._random.choice(("v1", "v2"))}
            for one in declared
            if self._random.random() < 0.5
        ]
        with contextlib.suppress(JsonRESTError):
            self.backend.start_pipeline_execution({"name": name, "variables": given}, ANN)

    def push(self) -> None:
        name = self._random.choice([*self.backend.pipelines])
        self.push_to(name)
        if self._random.random() < 0.7:
            self.start_one(name)

    def push_to(self, name: str) -> None:
        if name in self.backend.pipelines:
            self.backend.push(name, "Source", self._random.choice(COMMITS))

    def stop(self) -> None:
        running = [
            execution
            for pipeline in self.backend.pipelines.values()
            for execution in pipeline.running.values()
        ]
        if running:
            execution, abandon = self._random.choice(running), self._random.random() < 0.5
            self._tell(f"stops {_named(execution)}{' at once' if abandon else ''}")
            self.backend.stop_pipeline_execution({**_request(execution), "abandon": abandon})

    def retry_stage(self) -> None:
        failed = [
            (execution, stage.name)
            for pipeline in self.backend.pipelines.values()
            for execution in pipeline.history[-3:]
            for stage in execution.stages.values()
            if stage.status in ("Failed", "Stopped")
        ]
        if failed:
            self._retry(*self._random.choice(failed))

    def _retry(self, execution: PipelineExecution, stage: str) -> None:
        mode = self._random.choice(("FAILED_ACTIONS", "ALL_ACTIONS"))
        self._tell(f"retries {stage} of {_named(execution)}")
        self.backend.retry_stage_execution(
            {**_request(execution), "stageName": stage, "retryMode": mode}
        )

    def roll_back(self) -> None:
        """Take the last stage of a pipeline back to an execution that succeeded in it."""
        self.roll_back_one(self._random.choice([*self.backend.pipelines]))

    def roll_back_one(self, name: str) -> None:
        pipeline = self.backend.pipeline(name)
        stage = pipeline.stages[-1].name
        targets = [
            one
            for one in pipeline.history
            if stage in one.stages and one.stages[stage].status == "Succeeded"
        ]
        if targets:
            target = self._random.choice(targets)
            self._tell(f"rolls {stage} of {name} back to {target.id[:8]}")
            request = {"stageName": stage, "targetPipelineExecutionId": target.id}
            self.backend.rollback_stage({"pipelineName": name, **request}, ANN)

    def override(self) -> None:
        """Let an execution into a stage in spite of its entry condition."""
        for pipeline in self.backend.pipelines.values():
            for stage in pipeline.stages:
                latest = stage.latest
                if latest is not None and latest.stages[stage.name].entry is not None:
                    self._tell(f"overrides the condition of {stage.name} for {_named(latest)}")
                    self._record.overridden.add(latest.id)
                    request = {"stageName": stage.name, "conditionType": "BEFORE_ENTRY"}
                    self.backend.override_stage_condition({**_request(latest), **request})
                    return

    def react(self) -> None:
        """See a held execution, and do what comes to mind."""
        executions = [self._record.executions.get(name[-36:]) for name in all_rules()]
        held = [one for one in executions if one and one.pipeline_name in self.backend.pipelines]
        if not held:
            return
        execution = self._random.choice(held)
        match self._random.choice(("retry", "retry", "start", "edit", "stop upstream", "push")):
            case "retry":
                self._retry_failed(execution)
            case "start":
                self.start_one(execution.pipeline_name)
            case "edit":
                self.edit_variables(execution.pipeline_name)
            case "stop upstream":
                self.stop()
            case "push":
                self.backend.push(execution.pipeline_name, "Source", self._random.choice(COMMITS))

    def approve(self) -> None:
        for pipeline in self._record.pipelines.values():
            for token, action in list(pipeline.approvals.items()):
                if action.status == "InProgress" and not pipeline.deleted:
                    verdict = self._random.choice(("Approved", "Approved", "Rejected"))
                    does = "approves" if verdict == "Approved" else "rejects"
                    self._tell(f"{does} {_named(action.execution)}")
                    request = {
                        "pipelineName": pipeline.name,
                        "stageName": action.stage.name,
                        "actionName": action.name,
                        "token": token,
                        "result": {"summary": "", "status": verdict},
                    }
                    backend((pipeline.account_id, pipeline.region)).put_approval_result(request)

    def retry_held(self) -> None:
        """Retry the stage of a held execution, as one may to see whether it is over."""
        if held := [self._record.executions[name[-36:]] for name in all_rules()]:
            self._retry_failed(self._random.choice(held))

    def retry_first(self, execution: str) -> None:
        """Retry the stage of a held execution just before the retry function does."""
        with contextlib.suppress(JsonRESTError), self._world.lock:
            self._retry_failed(self._record.executions[execution])

    def _retry_failed(self, execution: PipelineExecution) -> None:
        stages = [stage.name for stage in execution.stages.values() if stage.status == "Failed"]
        if stages:
            self._retry(execution, stages[-1])

    # Pipelines

    def edit_variables(self, name: str) -> None:
        edited = copy.deepcopy(self.backend.pipeline(name).pipeline)
        edited["variables"] = self._random.choice(VARIABLES)
        self._tell(f"edits the variables of {name}")
        self._record.edits.append((utcnow(), name))
        self.backend.update_pipeline(edited)

    def edit(self) -> None:
        name = self._random.choice([*self.backend.pipelines])
        edited = copy.deepcopy(self.backend.pipelines[name].pipeline)
        match self._random.choice(("variables", "variables", "gate", "mode", "nothing")):
            case "variables":
                edited["variables"] = self._random.choice(VARIABLES)
            case "gate":
                names = [*self._cast.declarations]
                others = names[: names.index(name)] or [other for other in names if other != name]
                regated(self._random, name, edited, others)
            case "mode":
                edited["executionMode"] = self._random.choice(("SUPERSEDED", "QUEUED", "PARALLEL"))
        self._tell(f"edits {name}")
        self._record.edits.append((utcnow(), name))
        self.backend.update_pipeline(edited)

    def delete(self) -> None:
        names = [*self.backend.pipelines]
        if self.here and len(names) > 1:
            name = self._random.choice(names)
            self._tell(f"deletes {name}")
            with self._world.lock:
                self._record.delete(name)
                self.backend.delete_pipeline(name)

    def toggle(self) -> None:
        """Disable or enable the transition into a stage."""
        pipeline = self.backend.pipelines[self._random.choice([*self.backend.pipelines])]
        stage = self._random.choice(pipeline.stages[1:])
        request = {
            "pipelineName": pipeline.name,
            "stageName": stage.name,
            "transitionType": "Inbound",
            "reason": "so",
        }
        if stage.transition.enabled:
            self._tell(f"closes the way into {stage.name} of {pipeline.name}")
            self.backend.disable_stage_transition(request)
        else:
            self.backend.enable_stage_transition(request)

    # The gate's own things

    def release(self) -> None:
        """Remove the rule of a hold, as the message says one may."""
        if names := [*all_rules()]:
            name = self._random.choice(names)
            self._tell(f"removes the rule of {name[-36:-28]}")
            self._record.unruled.add(name[-36:])
            self._record.ruled(name[-36:], None, by_person=True)
            remove(name)

    def meddle(self) -> None:
        """Somebody who may invoke the retry function invokes it with an input of their own."""
        if not self._record.executions:
            return
        execution = self._random.choice([*self._record.executions.values()])
        names = [*all_rules()] or [PREFIX + execution.id]
        told = {
            "rule": self._random.choice(names),
            "pipeline": execution.pipeline_name,
            "execution": execution.id,
            "depends_on": [],
            "since": utcnow().isoformat(),
        }
        held = told["rule"][-36:-28]
        self._tell(f"invokes the retry for {held}, as if it were {_named(execution)}")
        invoke_retry(json.dumps(told))

    def _tell(self, what: str) -> None:
        self._record.story.tell(f"somebody {what}")


def invoke_retry(text: str) -> None:
    """Invoke the retry with this input."""
    awslambda.invoke_async(ACCOUNT, REGION, RETRY, text, service="lambda.amazonaws.com")


def _request(execution: PipelineExecution) -> dict[str, Any]:
    """How a request names an execution."""
    return {"pipelineName": execution.pipeline_name, "pipelineExecutionId": execution.id}


def _named(execution: PipelineExecution) -> str:
    return f"{execution.pipeline_name} {execution.id[:8]}"
