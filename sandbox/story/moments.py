"""What happened between two snapshots of AWS, a sentence for each moment. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sandbox.story.snapshot import Execution, Pipeline, Rule, Stage, StorySnapshot

GATE_STAGE = "Gate"


@dataclass(frozen=True)
class Moment:
    """At `at`, `actor` did or became what `text` says. `mood`: "good", "bad", "hold" or "" for what
    is neither.
    """

    at: datetime
    actor: str
    text: str
    mood: str = ""


def list_moments(before: StorySnapshot, now: StorySnapshot) -> list[Moment]:
    """Everything that `now` shows and `before` did not, in the order of AWS's own times. A rule has
    none: its time is that of the snapshot.
    """
    moments = [*_list_rule_moments(before, now)]
    for pipeline in now.pipelines:
        earlier = next(
            (each for each in before.pipelines if each.name == pipeline.name),
            Pipeline(pipeline.name),
        )
        moments += [
            *_list_started(earlier, pipeline),
            *_list_stage_moments(earlier, pipeline),
            *_list_ended(earlier, pipeline),
        ]
    return sorted(moments, key=lambda moment: moment.at)


def _list_started(before: Pipeline, now: Pipeline) -> Iterator[Moment]:
    started_before = {execution.id for execution in before.executions}
    for execution in now.executions:
        if execution.id in started_before:
            continue
        if execution.started_by.endswith("-retry"):
            text = (
                f"the rule invoked {execution.started_by}; infra is idle, so it starts "
                f"{now.name} again: execution {execution.short_id}"
            )
            yield Moment(execution.started, "retry", text, "good")
        else:
            yield Moment(execution.started, now.name, f"execution {execution.short_id} starts")


def _list_stage_moments(before: Pipeline, now: Pipeline) -> Iterator[Moment]:
    states_before = {(stage.name, stage.execution, stage.status) for stage in before.stages}
    for stage in now.stages:
        if (stage.name, stage.execution, stage.status) in states_before:
            continue
        if stage.name == GATE_STAGE:
            yield from _list_gate_moments(now.name, stage)
        elif stage.status == "InProgress":
            yield Moment(stage.changed, now.name, f"{stage.name} is running")


def _list_gate_moments(pipeline: str, stage: Stage) -> Iterator[Moment]:
    if stage.status == "InProgress":
        yield Moment(
            stage.changed,
            pipeline,
            f"its {stage.name} stage invokes the gate, a Lambda function",
        )
    elif stage.status == "Failed":
        yield Moment(
            stage.changed,
            "gate",
            f"holds {pipeline}. The console shows: {stage.message}",
            "hold",
        )
    elif stage.status == "Succeeded":
        yield Moment(
            stage.changed,
            "gate",
            f"lets {pipeline} pass. The console shows: {stage.message}",
            "good",
        )


def _list_ended(before: Pipeline, now: Pipeline) -> Iterator[Moment]:
    ended_before = {execution.id for execution in before.executions if execution.ended}
    reached = {(stage.name, stage.execution, stage.status) for stage in now.stages}
    for execution in now.executions:
        if execution.ended and execution.id not in ended_before:
            why = ", held by the gate" if (GATE_STAGE, execution.id, "Failed") in reached else ""
            text = f"execution {execution.short_id} has ended: {execution.status}{why}"
            yield Moment(execution.updated, now.name, text, _choose_mood(execution))


def _choose_mood(execution: Execution) -> str:
    return {"Succeeded": "good", "Failed": "bad"}.get(execution.status, "")


def _list_rule_moments(before: StorySnapshot, now: StorySnapshot) -> Iterator[Moment]:
    """A rule holds a pipeline as long as it has a target."""
    earlier = {rule.name for rule in before.rules if rule.target}
    standing = {rule.name for rule in now.rules if rule.target}
    for rule in now.rules:
        if rule.name in standing - earlier:
            yield from (
                Moment(_estimate_creation(rule, now), "rule", text, "hold")
                for text in _describe_rule(rule)
            )
    for name in sorted(earlier - standing):
        yield Moment(now.at, "rule", f"{name} was removed, because the wait is over", "good")


def _estimate_creation(rule: Rule, now: StorySnapshot) -> datetime:
    """The latest time at which the rule can have been created: the gate creates it before it fails
    the action, and one snapshot may show both.
    """
    failed = [
        stage.changed
        for pipeline in now.pipelines
        for stage in pipeline.stages
        if stage.name == GATE_STAGE
        and stage.status == "Failed"
        and rule.name.endswith(stage.execution or "-")
    ]
    return min([now.at, *failed])


def _describe_rule(rule: Rule) -> Iterator[str]:
    yield f"an EventBridge rule remembers the hold: {rule.name}"
    yield f"it fires on a schedule, {rule.schedule},"
    yield f"and for each event that matches {rule.pattern}"
    yield f"its target is {rule.target}"
