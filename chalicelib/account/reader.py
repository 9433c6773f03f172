"""Reads the account: its pipelines' structures and executions, and the gate's rules. It only
reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.account.attempts import find_last_gate_attempts, list_attempts
from chalicelib.account.gates import Gate, find_gates, is_local
from chalicelib.account.waits import HoldRule, Wait
from chalicelib.aws import parsing as shapes
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import TARGET_ID
from chalicelib.deployment import APP
from chalicelib.errors import NotPermitted, PipelineNotFound, error_code, translate_error
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import WAIT
from chalicelib.parameters import Parameters
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import PARALLEL, Attempt, Execution
from chalicelib.pipelines.state import ActionState, PipelineState
from chalicelib.pipelines.wait_cycles import MARK_LENGTH, Mark, read_mark

AT_ONCE = 10
"""So many calls stand open: enough for a thousand pipelines in a minute, few enough for AWS's
throttles to let others through.
"""
LONG_EDGE = 300
"""Characters: a mark that has fewer left may have had no room for another wait."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of this region and account. `executions`: the newest hundred at most, newest
    first; `state` where one of them waits or may wait. `role`: the ARN of the role that
    CodePipeline acts with; `stages`: their names; `declared`: all of its structure; `edited`: when
    that was. `hidden`: of executions that run, but are not shown in `state`, the last attempt of
    each gate. `unseen`: why AWS does not let it be looked at; then nothing but its name is known.
    "" where it does.
    """

    name: str
    mode: str = "SUPERSEDED"
    gates: tuple[Gate, ...] = ()
    executions: tuple[Execution, ...] = ()
    state: PipelineState | None = None
    role: str = ""
    stages: tuple[str, ...] = ()
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False)
    edited: datetime | None = None
    hidden: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    unseen: str = ""

    @classmethod
    def parse(cls, declared: Mapping[str, Any]) -> Self:
        """As it is declared (model: PipelineDeclaration)."""
        return cls(
            declared["name"],
            declared.get("executionMode", "SUPERSEDED"),
            find_gates(declared),
            role=declared["roleArn"],
            stages=tuple(stage["name"] for stage in declared["stages"]),
            declared=declared,
        )

    @property
    def depends_on(self) -> tuple[Dependency, ...]:
        """What its gates wait for."""
        return tuple(
            one for gate in self.gates if gate.parameters for one in gate.parameters.depends_on
        )

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The pipelines that its gates wait for, each once, as they name them: a name, or an ARN of
        one elsewhere.
        """
        return tuple(dict.fromkeys(one.pipeline for one in self.depends_on))

    def edited_since(self, execution: str) -> bool:
        """Since that one began, as far as that is known: then AWS retries none of its stages
        (guide: actions-retry).
        """
        began = next((one.started for one in self.executions if one.id == execution), None)
        return began is not None and self.edited is not None and self.edited > began

    @property
    def running(self) -> bool:
        return any(execution.running for execution in self.executions)


@dataclass(frozen=True)
class AccountView:
    """The gated pipelines, those that they wait for and those that are held, by name; who waits
    now; and the gate's rules. `unseen`: what of the account could not be looked at, and why.
    """

    pipelines: Mapping[str, Pipeline]
    waits: tuple[Wait, ...]
    rules: tuple[HoldRule, ...]
    unseen: Mapping[str, str] = field(default_factory=dict)


class AccountReader:
    """One region of an account. `client` makes a boto3 client of a service ("codepipeline",
    "events").

    Every method raises NotPermitted or NoAnswer where AWS denies or does not answer a call; but
    where it denies single pipelines, these are unseen, and the others are read. One instance may be
    asked again and again: it reads a structure anew only where ListPipelines shows another version
    of it.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        # Made here, for boto3 does not make clients on several threads at once (guide: boto3,
        # "Clients", multithreading).
        self._codepipeline = client("codepipeline")
        self._events = client("events")
        self.region = str(self._codepipeline.meta.region_name)
        self._known: dict[str, tuple[object, Pipeline]] = {}
        self._denied = NotPermitted("AWS denied codepipeline:GetPipeline")

    def read_pipelines(
        self, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> dict[str, Pipeline]:
        """Every pipeline with its gates, by name; `progress` is told how many of how many have been
        read. Raises NotPermitted where none of them may be looked at.
        """
        with _asking("codepipeline:ListPipelines"):
            pages = self._codepipeline.get_paginator("list_pipelines").paginate()
            versions = {
                one["name"]: (one.get("version"), one.get("updated"))
                for page in pages
                for one in page["pipelines"]
            }
        self._known = {
            name: known
            for name, known in self._known.items()
            if versions.get(name) == known[0] and not known[1].unseen
        }
        new = [name for name in versions if name not in self._known]
        progress(0, len(new))
        for number, pipeline in enumerate(self._each(self._structure, new), 1):
            progress(number, len(new))
            if pipeline:
                self._known[pipeline.name] = (
                    versions[pipeline.name],
                    replace(pipeline, edited=versions[pipeline.name][1]),
                )
        if self._known and all(pipeline.unseen for _, pipeline in self._known.values()):
            raise self._denied
        return {name: self._known[name][1] for name in sorted(self._known)}

    def read_view(
        self, now: datetime, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> AccountView:
        """What is gated, and who waits at `now` (aware UTC)."""
        everything = self.read_pipelines(progress)
        rules = self.read_rules()
        held = {rule.hold.pipeline for rule in rules if rule.hold}
        gated = {name for name, pipeline in everything.items() if pipeline.gates}
        upstreams = {
            one.name
            for name in gated
            for one in everything[name].depends_on
            if is_local(one, self.region)
        }
        wanted = [
            everything[name] for name in sorted((gated | upstreams | held) & everything.keys())
        ]
        read = {one.name: one for one in wanted}
        read |= {
            one.name: one
            for one in self._each(self._with_executions, [one for one in wanted if not one.unseen])
        }
        asked = [
            one for name, one in read.items() if (name in held or one.running) and not one.unseen
        ]
        read |= {one.name: one for one in self._each(self._with_state, asked)}
        aside = list_unseen_pipelines(everything)
        hidden = [(one, execution) for one in read.values() for execution in _hidden(one)]
        for (one, execution), tried in zip(hidden, self._each(self._tried, hidden), strict=True):
            if isinstance(tried, NotPermitted):
                aside[f"some executions of {one.name}"] = _denied(tried)
            else:
                read[one.name] = replace(
                    read[one.name], hidden={**read[one.name].hidden, execution: tried}
                )
        by_rule = [rule.wait(now, _reason(read, rule)) for rule in rules]
        in_place = [wait for pipeline in read.values() for wait in _in_place(pipeline, self.region)]
        waits = sorted(
            (wait for wait in [*by_rule, *in_place] if wait),
            key=lambda wait: (wait.pipeline, str(wait.since)),
        )
        return AccountView(read, tuple(waits), rules, aside)

    def read_rules(self, executions: Iterable[str] = ("",)) -> tuple[HoldRule, ...]:
        """Every rule of the gate's in this region, of any of its deployments; or those alone that
        are named after one of `executions`.
        """
        found: list[dict[str, Any]] = []
        with _asking("events:ListRules"):
            page = self._events.list_rules(NamePrefix=f"{APP}-")
            found += page["Rules"]
            while page.get("NextToken"):
                page = self._events.list_rules(NamePrefix=f"{APP}-", NextToken=page["NextToken"])
                found += page["Rules"]
        wanted = [rule for rule in found if rule["Name"].endswith(tuple(executions))]
        return tuple(rule for rule in self._each(self._rule, wanted) if rule)

    def _structure(self, name: str) -> Pipeline | None:
        with _asking("codepipeline:GetPipeline"):
            try:
                return Pipeline.parse(self._codepipeline.get_pipeline(name=name)["pipeline"])
            except ClientError as error:
                if error_code(error) == "PipelineNotFoundException":
                    return None  # deleted since it was listed
                denied = translate_error(error, "codepipeline:GetPipeline")
                if not isinstance(denied, NotPermitted):
                    raise
                self._denied = denied
                return Pipeline(name, unseen=_denied(denied))

    def _with_executions(self, pipeline: Pipeline) -> Pipeline:
        with _asking("codepipeline:ListPipelineExecutions"):
            try:
                found = self._codepipeline.list_pipeline_executions(pipelineName=pipeline.name)[
                    "pipelineExecutionSummaries"
                ]
            except ClientError as error:
                if error_code(error) == "PipelineNotFoundException":
                    return pipeline
                raise
        return replace(
            pipeline,
            executions=tuple(
                sorted(map(Execution.parse, found), key=lambda one: one.started, reverse=True)
            ),
        )

    def _with_state(self, pipeline: Pipeline) -> Pipeline:
        with _asking("codepipeline:GetPipelineState"):
            try:
                return replace(
                    pipeline,
                    state=shapes.parse_state(
                        self._codepipeline.get_pipeline_state(name=pipeline.name)
                    ),
                )
            except ClientError as error:
                if error_code(error) == "PipelineNotFoundException":
                    return pipeline
                raise

    def _tried(self, one: tuple[Pipeline, str]) -> tuple[Attempt, ...] | NotPermitted:
        """What the gates of a pipeline have tried for an execution of it: the last attempt of
        each.
        """
        pipeline, execution = one
        try:
            return tuple(
                find_last_gate_attempts(
                    list_attempts(
                        CodePipeline(self._codepipeline), pipeline.name, pipeline.gates, execution
                    )
                )
            )
        except PipelineNotFound:
            return ()
        except NotPermitted as error:
            return error

    def _rule(self, rule: Mapping[str, Any]) -> HoldRule | None:
        with _asking("events:ListTargetsByRule"):
            try:
                targets = self._events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return None  # its hold ended since it was listed
                raise
        own = next((target for target in targets if target["Id"] == TARGET_ID), None)
        hold = Hold.parse(_object(own.get("Input", ""))) if own else None
        mine = hold if hold and hold.rule == rule["Name"] else None
        return HoldRule(
            rule["Name"],
            rule.get("ScheduleExpression", ""),
            rule.get("Description", ""),
            bool(targets),
            mine,
            enabled=rule.get("State") != "DISABLED",
            targets={target["Id"]: target["Arn"] for target in targets},
        )

    @staticmethod
    def _each(ask: Callable[[Asked], Found], many: Iterable[Asked]) -> Iterator[Found]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(ask, many)


def _denied(error: NotPermitted) -> str:
    """In short, which call was denied: who was, it is the same for all."""
    return f"{str(error).removeprefix('AWS denied ').partition(' (')[0]} was denied"


def list_unseen_pipelines(pipelines: Mapping[str, Pipeline]) -> dict[str, str]:
    """Those that may not be looked at, by name, and why."""
    return {name: one.unseen for name, one in pipelines.items() if one.unseen}


def _reason(pipelines: Mapping[str, Pipeline], rule: HoldRule) -> str:
    pipeline = pipelines.get(rule.hold.pipeline) if rule.hold else None
    if pipeline is None or rule.hold is None:
        return ""
    actions = _gate_actions(pipeline, rule.hold.execution)
    return next((action.message for _, action in actions if action.status == "Failed"), "")


def _hidden(pipeline: Pipeline) -> list[str]:
    """The executions that may wait in place and are not shown there: of each stage AWS shows only
    the latest (guide: executions-view).
    """
    state = pipeline.state
    if state is None or pipeline.mode != PARALLEL:
        return []
    stages = {
        gate.stage
        for gate in pipeline.gates
        if gate.parameters and gate.parameters.mode.stays_in_progress
    }
    shown = {(stage.name, stage.execution) for stage in state.stages}
    return [
        one.id
        for one in pipeline.executions
        if one.running
        and any(
            (stage, one.id) not in shown and not state.is_past(one.id, stage) for stage in stages
        )
    ]


def _in_place(pipeline: Pipeline, region: str) -> Iterator[Wait]:
    """The executions whose gate actions are kept in progress, each once. `region`: the
    pipeline's.
    """
    for execution in (one.id for one in pipeline.executions if one.running):
        waiting = [
            (gate, action)
            for gate, action in _gate_actions(pipeline, execution)
            if action.status == "InProgress" and action.message
        ]
        if waiting:
            told = [_told(gate, action, region) for gate, action in waiting]
            give_up = min((give_up for _, _, give_up in told if give_up), default=None)
            yield Wait(
                pipeline.name,
                execution,
                WAIT,
                tuple(dict.fromkeys(name for names, _, _ in told for name in names)),
                min((since for _, since, _ in told if since), default=None),
                give_up=give_up,
                gives_up=give_up,
                reason=" ".join(dict.fromkeys(action.message for _, action in waiting)),
                gates=tuple(gate for gate, _ in waiting),
            )


def _told(
    gate: Gate, action: ActionState, region: str
) -> tuple[list[str], datetime | None, datetime | None]:
    """For whom a gate's action is kept in progress, since when, and when it gives up."""
    mark = read_mark(action.mark)
    since = mark.since if mark else action.since
    limit = gate.parameters.give_up_minutes if gate.parameters else None
    cut = len(action.mark) > MARK_LENGTH - LONG_EDGE
    return (
        _awaited(gate.parameters, mark, region, cut=cut),
        since,
        since + timedelta(minutes=limit) if since and limit else None,
    )


def _awaited(asked: Parameters | None, mark: Mark | None, region: str, *, cut: bool) -> list[str]:
    """As labels: of what is asked, what the mark names, and what it cannot name: upstreams
    elsewhere, and (`cut`) those for which it had no room.
    """
    marked = [edge.pipeline for edge in mark.waits] if mark else []
    wanted = [one.relative_to(region) for one in asked.depends_on] if asked else []
    named = [one.label for one in wanted if cut or not is_local(one, region) or one.name in marked]
    return named or marked or [one.label for one in wanted]


def _gate_actions(pipeline: Pipeline, execution: str) -> Iterator[tuple[Gate, ActionState]]:
    """Its gates, as they stand for an execution: as far as the state shows it, or else by their
    attempts.
    """
    tried = {(one.stage, one.action): one for one in pipeline.hidden.get(execution, ())}
    for gate in pipeline.gates:
        stage = pipeline.state.stage(gate.stage) if pipeline.state else None
        if stage and stage.execution == execution:
            yield from ((gate, action) for action in stage.actions if action.name == gate.action)
        elif attempt := tried.get((gate.stage, gate.action)):
            yield (
                gate,
                ActionState(
                    gate.action,
                    attempt.status,
                    attempt.started,
                    approval=False,
                    mark=attempt.mark,
                    message=attempt.message,
                ),
            )


@contextmanager
def _asking(call: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate_error(error, call) from error


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
