"""What people do at any moment: start, push, stop, retry, approve, edit, delete, meddle."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from moto.core.exceptions import JsonRESTError

from sandbox import awslambda
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ActionExecution, PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.inprocess import DrivenWorld
from tests.simulation.cast import VARIABLES, Cast, configure, edit_gate, gates
from tests.simulation.past import let_grow_old
from tests.simulation.places import HOME, backend
from tests.simulation.record import Record, label
from tests.simulation.rules import PREFIX, RETRY, find_rules, remove_rule

ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
MAX_ACTS = 20
"""In one run, so that a run stays short."""
COMMITS = [character * 40 for character in "abcdef"]


class People:
    """They use the sandbox's own backends: their calls never fail for want of AWS."""

    def __init__(self, random: Random, world: DrivenWorld, cast: Cast, record: Record) -> None:
        self._random = random
        self._world = world
        self._cast = cast
        self._record = record
        self.backend = backend(HOME)
        weights = {
            self.start: 6,
            self.start_all: 4,
            self.push: 2,
            self.stop: 2,
            self.retry_stage: 2,
            self.react: 6,
            self.approve: 2,
            self.edit: 2,
            self.remove_rule: 1,
            self.toggle_transition: 1,
            self.roll_back: 2,
            self.override: 1,
            self.meddle: 1,
        }
        self._acts = [act for act, weight in weights.items() for _ in range(weight)]
        self.here = True
        self._acts_left = MAX_ACTS

    def at(self, minute: float, act: Callable[[], None]) -> None:
        """Let a person do that in `minute` minutes. It does not matter if AWS refuses it."""
        when = utcnow() + timedelta(minutes=minute)
        self._world.clock.call_at(when, partial(self._try, act), "people")

    def _try(self, act: Callable[[], None]) -> None:
        with contextlib.suppress(JsonRESTError), self._world.lock:
            if self.here:
                act()

    def plan(self, acts: int, minutes: float) -> None:
        """Plan the first starts, and `acts` more within `minutes`."""
        random = self._random
        starts = [random.uniform(1, minutes) for _ in range(random.choice((0, 1, 2)))]
        for moment in (0.1, *starts):
            self.at(moment, self.start_all)
        for _ in range(acts):
            self.at(random.uniform(0, minutes), self.act)
        if random.random() < 0.08:
            self.at(random.uniform(0, minutes), self.delete)

    def act(self) -> None:
        """Something, as chance has it."""
        self._acts_left -= 1
        if self.here and self._acts_left >= 0:
            self._try(self._random.choice(self._acts))

    # Executions

    def let_grow_old(self, name: str, days: float) -> None:
        let_grow_old(self._record, self.backend.pipeline(name), days)

    def start(self) -> None:
        self.start_one(self._choose_pipeline())

    def _choose_pipeline(self) -> str:
        return self._random.choice([*self.backend.pipelines])

    def start_all(self) -> None:
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
        variables = [
            {"name": variable["name"], "value": self._random.choice(("v1", "v2"))}
            for variable in self.backend.pipelines[name].pipeline.get("variables") or []
            if self._random.random() < 0.5
        ]
        with contextlib.suppress(JsonRESTError):
            self.backend.start_pipeline_execution({"name": name, "variables": variables}, ANN)

    def push(self) -> None:
        name = self._choose_pipeline()
        self.push_to(name)
        if self._random.random() < 0.7:
            self.start_one(name)

    def push_to(self, name: str) -> None:
        if name in self.backend.pipelines:
            self.backend.push(name, "Source", self._random.choice(COMMITS))

    def stop(self) -> None:
        pipelines = self.backend.pipelines.values()
        running = [one for pipeline in pipelines for one in pipeline.running.values()]
        if running:
            execution, abandon = self._random.choice(running), self._random.random() < 0.5
            self._tell(f"stops {label(execution)}{' at once' if abandon else ''}")
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
        self._tell(f"retries {stage} of {label(execution)}")
        request = {**_request(execution), "stageName": stage, "retryMode": mode}
        self.backend.retry_stage_execution(request)

    def roll_back(self) -> None:
        """Roll the last stage of a pipeline back to an execution that succeeded in it."""
        self.roll_back_one(self._choose_pipeline())

    def roll_back_one(self, name: str) -> None:
        pipeline = self.backend.pipeline(name)
        stage = pipeline.stages[-1].name
        passages = [one.stages[stage] for one in pipeline.history if stage in one.stages]
        targets = [one.execution for one in passages if one.status == "Succeeded"]
        if targets:
            target = self._random.choice(targets)
            self._tell(f"rolls {stage} of {name} back to {target.id[:8]}")
            request = {"stageName": stage, "targetPipelineExecutionId": target.id}
            self.backend.rollback_stage({"pipelineName": name, **request}, ANN)

    def override(self) -> None:
        """Override the entry condition of a stage for an execution."""
        for pipeline in self.backend.pipelines.values():
            for stage in pipeline.stages:
                latest = stage.latest
                if latest is not None and latest.stages[stage.name].entry is not None:
                    self._tell(f"overrides the condition of {stage.name} for {label(latest)}")
                    self._record.overridden.add(latest.id)
                    request = {"stageName": stage.name, "conditionType": "BEFORE_ENTRY"}
                    self.backend.override_stage_condition({**_request(latest), **request})
                    return

    def react(self) -> None:
        """See a held execution, and do what comes to mind."""
        executions = [self._record.executions.get(held) for held in find_rules()]
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
                self.push_to(execution.pipeline_name)

    def approve(self) -> None:
        for pipeline in self._record.pipelines.values():
            for token, action in list(pipeline.approvals.items()):
                if action.status == "InProgress" and not pipeline.deleted:
                    status = self._random.choice(("Approved", "Approved", "Rejected"))
                    self._answer_approval(pipeline, token, action, status)

    def approve_one(self, name: str) -> None:
        """Approve what waits for that in one pipeline."""
        pipeline = self.backend.pipeline(name)
        for token, action in list(pipeline.approvals.items()):
            if action.status == "InProgress":
                self._answer_approval(pipeline, token, action, "Approved")

    def _answer_approval(
        self, pipeline: Pipeline, token: str, action: ActionExecution, status: str
    ) -> None:
        does = "approves" if status == "Approved" else "rejects"
        self._tell(f"{does} {label(action.execution)}")
        request = {
            "pipelineName": pipeline.name,
            "stageName": action.stage.name,
            "actionName": action.name,
            "token": token,
            "result": {"summary": "", "status": status},
        }
        backend((pipeline.account_id, pipeline.region)).put_approval_result(request)

    def retry_held(self) -> None:
        """Retry the stage of a held execution, as one may to see whether it is over."""
        if held := [self._record.executions[held] for held in find_rules()]:
            self._retry_failed(self._random.choice(held))

    def retry_first(self, execution: str) -> None:
        """Retry the stage of a held execution just before the retry function does."""
        self._try(partial(self._retry_failed, self._record.executions[execution]))

    def _retry_failed(self, execution: PipelineExecution) -> None:
        stages = [stage.name for stage in execution.stages.values() if stage.status == "Failed"]
        if stages:
            self._retry(execution, stages[-1])

    # Pipelines

    def edit_variables(self, name: str) -> None:
        edited = copy.deepcopy(self.backend.pipeline(name).pipeline)
        edited["variables"] = self._random.choice(VARIABLES)
        self._update(edited, f"edits the variables of {name}")

    def edit(self) -> None:
        name = self._choose_pipeline()
        edited = copy.deepcopy(self.backend.pipelines[name].pipeline)
        match self._random.choice(("variables", "variables", "gate", "mode", "nothing")):
            case "variables":
                edited["variables"] = self._random.choice(VARIABLES)
            case "gate":
                names = [*self._cast.declarations]
                others = names[: names.index(name)] or [other for other in names if other != name]
                edit_gate(self._random, name, edited, others)
            case "mode":
                edited["executionMode"] = self._random.choice(("SUPERSEDED", "QUEUED", "PARALLEL"))
        self._update(edited, f"edits {name}")

    def _update(self, edited: dict[str, Any], text: str) -> None:
        self._tell(text)
        self._record.edits.append((utcnow(), edited["name"]))
        self.backend.update_pipeline(edited)

    def claim(self, name: str, victim: PipelineExecution, keys: dict[str, Any]) -> None:
        """Let the gate of a pipeline ask for that on behalf of another one, and start it."""
        edited = copy.deepcopy(self.backend.pipeline(name).pipeline)
        for gate in gates(edited):
            gate.update(configure(keys))
        self._update(edited, f"lets {name} claim to be {label(victim)}")
        self.start_one(name)

    def delete(self) -> None:
        if len(self.backend.pipelines) > 1:
            name = self._choose_pipeline()
            self._tell(f"deletes {name}")
            self._record.deleted[name] = utcnow()
            self.backend.delete_pipeline(name)

    def toggle_transition(self) -> None:
        """Disable or enable the transition into a stage."""
        pipeline = self.backend.pipelines[self._choose_pipeline()]
        stage = self._random.choice(pipeline.stages[1:])
        names = {"pipelineName": pipeline.name, "stageName": stage.name}
        request = {**names, "transitionType": "Inbound", "reason": "so"}
        if stage.transition.enabled:
            self._tell(f"closes the way into {stage.name} of {pipeline.name}")
            self.backend.disable_stage_transition(request)
        else:
            self.backend.enable_stage_transition(request)

    # The gate's own things

    def remove_rule(self) -> None:
        """Remove the rule of a hold, as its message allows."""
        if rules := [*find_rules()]:
            held = self._random.choice(rules)
            self._tell(f"removes the rule of {held[:8]}")
            self.end_hold(held)

    def end_hold(self, held: str) -> None:
        self._record.rule_removed.add(held)
        self._record.note_rule(held, None, by_person=True)
        remove_rule(held)

    def meddle(self) -> None:
        """A person who may invoke the retry function does so, with an input of their own."""
        if not self._record.executions:
            return
        execution = self._random.choice([*self._record.executions.values()])
        held = self._random.choice([*find_rules()] or [execution.id])
        self._tell(f"invokes the retry for {held[:8]}, as if it were {label(execution)}")
        hold = {
            "rule": PREFIX + held,
            "pipeline": execution.pipeline_name,
            "execution": execution.id,
            "depends_on": [],
            "since": utcnow().isoformat(),
        }
        invoke_retry(json.dumps(hold))

    def _tell(self, text: str) -> None:
        self._record.story.tell(f"a person {text}")


def invoke_retry(text: str) -> None:
    """Invoke the retry with this input."""
    awslambda.invoke_async(ACCOUNT, REGION, RETRY, text, service="lambda.amazonaws.com")


def _request(execution: PipelineExecution) -> dict[str, Any]:
    """How a request names an execution."""
    return {"pipelineName": execution.pipeline_name, "pipelineExecutionId": execution.id}
