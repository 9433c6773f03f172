"""What happened between two looks at AWS, one sentence each. Pure functions of data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sandbox.story.look import Execution, Look, Pipeline, Rule, Stage

GATE_STAGE = "Gate"


@dataclass(frozen=True)
class Moment:
    """At `at`, `who` did or became what `text` says. `mood`: "good", "bad", "hold" or "" for what
    is neither.
    """

    at: datetime
    who: str
    text: str
    mood: str = ""


def between(before: Look, now: Look) -> list[Moment]:
    """All that `now` shows and `before` did not, in the order of AWS's own times (of a rule, which
    has none: the time of the look).
    """
    found = [*_rules(before, now)]
    for pipeline in now.pipelines:
        earlier = next(
            (one for one in before.pipelines if one.name == pipeline.name), Pipeline(pipeline.name)
        )
        found += [
            *_started(earlier, pipeline),
            *_stages(earlier, pipeline),
            *_ended(earlier, pipeline),
        ]
    return sorted(found, key=lambda moment: moment.at)


def _started(before: Pipeline, now: Pipeline) -> Iterator[Moment]:
    known = {execution.id for execution in before.executions}
    for execution in now.executions:
        if execution.id in known:
            continue
        if execution.started_by.endswith("-retry"):
            text = (
                f"the rule invoked {execution.started_by}; nothing runs, so it starts "
                f"{now.name} again: execution {execution.short_id}"
            )
            yield Moment(execution.started, "retry", text, "good")
        else:
            yield Moment(execution.started, now.name, f"is started: execution {execution.short_id}")


def _stages(before: Pipeline, now: Pipeline) -> Iterator[Moment]:
    known = {(stage.name, stage.execution, stage.status) for stage in before.stages}
    for stage in now.stages:
        if (stage.name, stage.execution, stage.status) in known:
            continue
        if stage.name == GATE_STAGE:
            yield from _gate(now.name, stage)
        elif stage.status == "InProgress":
            yield Moment(stage.changed, now.name, f"{stage.name} is at work")


def _gate(pipeline: str, stage: Stage) -> Iterator[Moment]:
    if stage.status == "InProgress":
        yield Moment(
            stage.changed,
            pipeline,
            f"its {stage.name} stage asks the gate, a Lambda function: may {pipeline} go on?",
        )
    elif stage.status == "Failed":
        yield Moment(
            stage.changed,
            "gate",
            f"holds {pipeline}, and the console shows why: {stage.message}",
            "hold",
        )
    elif stage.status == "Succeeded":
        yield Moment(
            stage.changed,
            "gate",
            f"lets {pipeline} pass, and the console shows why: {stage.message}",
            "good",
        )


def _ended(before: Pipeline, now: Pipeline) -> Iterator[Moment]:
    known = {execution.id for execution in before.executions if execution.ended}
    reached = {(stage.name, stage.execution, stage.status) for stage in now.stages}
    for execution in now.executions:
        if execution.ended and execution.id not in known:
            why = ", held by the gate" if (GATE_STAGE, execution.id, "Failed") in reached else ""
            text = f"execution {execution.short_id} is over: {execution.status}{why}"
            yield Moment(execution.updated, now.name, text, _mood(execution))


def _mood(execution: Execution) -> str:
    return {"Succeeded": "good", "Failed": "bad"}.get(execution.status, "")


def _rules(before: Look, now: Look) -> Iterator[Moment]:
    """A rule stands for a hold as long as it has a target."""
    earlier = {rule.name for rule in before.rules if rule.target}
    standing = {rule.name for rule in now.rules if rule.target}
    for rule in now.rules:
        if rule.name in standing - earlier:
            yield from (Moment(_made(rule, now), "rule", text, "hold") for text in _rule(rule))
    for name in sorted(earlier - standing):
        yield Moment(now.at, "rule", f"{name} is removed: the wait is over", "good")


def _made(rule: Rule, now: Look) -> datetime:
    """When at the latest: the gate makes a rule before it fails the action, and both may be seen in
    the same look.
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


def _rule(rule: Rule) -> Iterator[str]:
    yield f"EventBridge keeps the hold as a rule: {rule.name}"
    yield f"it fires on the schedule {rule.schedule}"
    yield f"and at each event that matches {rule.pattern}"
    yield f"its target is {rule.target}"
