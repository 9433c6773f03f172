"""The console shows correct output variables, percentages and usual times, within AWS's limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from tests.simulation.entries import Answer, KeptOpen
from tests.simulation.record import FINISHED, LONGEST_LAG, Record, label
from tests.simulation.settings import GateSettings, Requirement, read_settings

MOMENT, MINUTE = timedelta(milliseconds=1), timedelta(minutes=1)
SUMMARY, MESSAGE, VALUE = 2048, 5000, 1000
"""The most characters of a summary, a failure's message and a configured value (model)."""


def shown(record: Record) -> Iterator[str]:
    for answer in record.answers.values():
        name = label(answer.execution)
        if answer.success:
            for sentence in _check_outputs(record, answer, read_settings(answer.job)):
                yield f"{name} passed with {sentence}: {dict(answer.outputs)}"
        if not 0 < len(answer.text) <= (SUMMARY if answer.success else MESSAGE):
            yield f"{name} got a text of {len(answer.text)} characters"
        yield from _check_usual_time(record, answer, answer.text)
    for kept in record.kept_open:
        yield from _check_usual_time(record, kept, kept.summary)
    yield from _check_percentages(record)


# Output variables


def _check_outputs(record: Record, answer: Answer, settings: GateSettings) -> Iterator[str]:
    outputs = answer.outputs
    names = {"Decision", "UpstreamPipelines", "UpstreamExecutionIds"}
    if set(outputs) != names or not all(outputs.values()):
        yield "other output variables than it should"
        return
    if outputs["Decision"] != (decision := _find_decision(answer, settings)):
        yield f"the decision {outputs['Decision']}, which should be {decision}"
    if answer.text.startswith("Observe only: the gate would have failed"):
        return
    pipelines = ",".join(name.rpartition(":")[2] for name in settings.pipelines)
    if outputs["UpstreamPipelines"] != pipelines:
        yield "other upstreams than it waits for"
    ids = outputs["UpstreamExecutionIds"].split(",")
    if settings.bypass:
        if ids != ["none"]:
            yield "executions that the gate did not read"
    elif len(ids) != len(settings.requirements):
        yield "not one execution for each upstream"
    else:
        for requirement, id_ in zip(settings.requirements, ids, strict=True):
            last = _find_last_executions(record, requirement, answer)
            if id_ not in last:
                was = " or ".join(sorted(one[:8] for one in last))
                yield f"{id_[:8]} of {requirement.pipeline}, and it was {was}"
    if len(ids) <= 27 and len(outputs["UpstreamExecutionIds"]) > VALUE:
        yield "more than fits into an action's configuration"


def _find_decision(answer: Answer, settings: GateSettings) -> str:
    """What the gate did, according to its parameters and its message."""
    if settings.bypass:
        return "bypassed"
    if answer.text.startswith("Observe only: "):
        return "observed"
    if answer.text.startswith("Released by "):
        return "let go"
    if answer.text.startswith("Continued without waiting any longer for "):
        return "gave up"
    return "passed" if answer.job.continuation_token is None else "released"


def _find_last_executions(record: Record, requirement: Requirement, answer: Answer) -> set[str]:
    """The executions that may have left the upstream as it was while the gate ran."""
    pipeline, invocation = requirement.pipeline, answer.invocation
    if pipeline not in invocation.readings:
        return {"none"}
    if requirement.stage:
        reads = invocation.stage_reads.get((pipeline, requirement.stage), [("none", "")])
        return {execution for execution, _ in reads}
    since = invocation.began - (LONGEST_LAG if record.dials.answer_age else MOMENT)
    newest = [
        record.newest_finished(pipeline, since),
        *record.newest_finished_between(pipeline, since, answer.at),
    ]
    ids = {one[0] if one else "none" for one in newest}
    listed = invocation.list_executions(pipeline)
    if ids - listed.keys():  # one began too long ago to be listed
        finished = [id_ for id_, (status, *_) in listed.items() if status in FINISHED]
        ids.add(max(finished, key=lambda id_: listed[id_][1], default="none"))
    began = {record.executions[id_].started for id_ in ids - {"none"}}
    ids |= {id_ for id_ in listed if record.executions[id_].started in began}
    return ids | ({"none"} if invocation.faults else set())  # AWS may not have answered


# Usual times


def _check_usual_time(record: Record, shown_by: Answer | KeptOpen, text: str) -> Iterator[str]:
    """The usual time of an upstream in a message is between its shortest and its longest success,
    and it has at least three successes.
    """
    for upstream, minutes, end in re.findall(
        r"(\S+(?: \([^)]*\))?) is running: [^.]*\. It usually takes (\d+) min([,;] [a-z ]*)", text
    ):
        durations = [
            duration
            for name in read_settings(shown_by.job).pipelines
            if name.rpartition(":")[2] == upstream.partition(" ")[0]
            for duration in _find_durations(record, name, shown_by)
        ]
        usual = timedelta(minutes=int(minutes))
        if len(durations) < 3 or not min(durations) - MINUTE <= usual <= max(durations) + MINUTE:
            claim = f"{upstream} usually takes {minutes} min{end}"
            count = f"{len(durations)} successes"
            yield f"{label(shown_by.execution)} shows that {claim}, but {count} differ"


def _find_durations(
    record: Record, pipeline: str, shown_by: Answer | KeptOpen
) -> Iterator[timedelta]:
    """The durations of its executions that had succeeded by then."""
    last = {
        change.execution: change
        for change in record.changes
        if change.pipeline == pipeline and change.at <= shown_by.at
    }
    for id_, change in last.items():
        execution = record.executions[id_]
        if change.state == "SUCCEEDED" and execution.type == "STANDARD":
            yield change.at - execution.started


# Percentages


def _check_percentages(record: Record) -> Iterator[str]:
    """They are 0 to 99, and do not fall while the gate waits for the same executions."""
    before: dict[str, KeptOpen] = {}
    for kept in record.kept_open:
        name, percent = label(kept.execution), kept.percent
        if not 0 < len(kept.summary) <= SUMMARY:
            yield f"{name} got a summary of {len(kept.summary)} characters"
        if percent is None:
            continue
        if not 0 <= percent <= 99:
            yield f"{name} is {percent} per cent done"
        last = before.get(kept.job.action.id, kept)
        excused = last.invocation.faults or kept.invocation.faults
        same = _find_statuses(last) == _find_statuses(kept) and not excused
        if same and last.percent is not None and last.percent > percent:
            yield f"{name} falls from {last.percent} to {percent} per cent"
        before[kept.job.action.id] = kept


def _find_statuses(kept: KeptOpen) -> object:
    """The statuses of the executions that the invocation read first, and those that the pipelines'
    states showed, with whether they are parked: those say nothing about when the wait ends.
    """
    shown = {
        (name, id_, position.parked)
        for name, positions in kept.invocation.positions.items()
        for id_, position in positions.items()
    }
    listed = {
        (name, id_): status
        for name, readings in kept.invocation.readings.items()
        for id_, (status, *_) in readings[0].executions.items()
    }
    return shown, listed
