"""What the console shows is so: a passed gate's output variables, the percentage, how long it
usually takes; all within limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox.codepipeline.execution import ActionJob
from tests.simulation.orders import Order, Wanted, order
from tests.simulation.record import Record
from tests.simulation.turns import Answer, Kept

MOMENT = timedelta(milliseconds=1)
SUMMARY, MESSAGE, VALUE = 2048, 5000, 1000
"""The most characters of a summary, a failure's message and a value in an action's configuration
(model).
"""


def shown(record: Record) -> Iterator[str]:
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is None:
            continue
        if answer.success:
            for sentence in _outputs(record, job, answer, order(job)):
                yield f"Told: {record.whose(job_id)} passed with {sentence}: {dict(answer.outputs)}"
        if not 0 < len(answer.text) <= (SUMMARY if answer.success else MESSAGE):
            yield f"Told: {record.whose(job_id)} got a text of {len(answer.text)} characters"
        yield from _usual(record, job, answer.text, answer.turn.began, answer.at)
    for kept in record.kept:
        job = record.job(kept.job)
        if job is not None:
            yield from _usual(record, job, kept.summary, kept.turn.began, kept.at)
    yield from _percentages(record)


# Output variables


def _outputs(record: Record, job: ActionJob, answer: Answer, asked: Order) -> Iterator[str]:
    names = {"Decision", "UpstreamPipelines", "UpstreamExecutionIds"}
    if set(answer.outputs) != names or not all(answer.outputs.values()):
        yield "other output variables than it should"
        return
    decision, ids = answer.outputs["Decision"], answer.outputs["UpstreamExecutionIds"].split(",")
    if decision != _decision(job, answer, asked):
        yield f"the decision {decision}, which should be {_decision(job, answer, asked)}"
    if answer.text.startswith("Observe only: would have failed"):
        return
    if answer.outputs["UpstreamPipelines"] != ",".join(
        one.pipeline.rpartition(":")[2] for one in asked.wanted
    ):
        yield "other upstreams than it waits for"
    if asked.bypass:
        if ids != ["none"]:
            yield "executions that nobody looked at"
    elif len(ids) != len(asked.wanted):
        yield "not one execution for each upstream"
    else:
        for wanted, id_ in zip(asked.wanted, ids, strict=True):
            behind = _behind(record, wanted, answer)
            if id_ not in behind:
                yield (
                    f"{id_[:8]} of {wanted.pipeline}, and it was "
                    f"{' or '.join(sorted(one[:8] for one in behind))}"
                )
    if len(ids) <= 27 and len(answer.outputs["UpstreamExecutionIds"]) > VALUE:
        yield "more than fits into an action's configuration"


def _decision(job: ActionJob, answer: Answer, asked: Order) -> str:
    """What the gate did, by what it was asked and what it says for people."""
    if asked.bypass:
        return "bypassed"
    if answer.text.startswith("Observe only: "):
        return "observed"
    if answer.text.startswith("Goes on in spite of "):
        return "let go" if " let it go." in answer.text else "gave up"
    return "passed" if job.continuation_token is None else "released"


def _behind(record: Record, wanted: Wanted, answer: Answer) -> set[str]:
    """The executions that may have left the upstream as it was at some moment of that turn."""
    if wanted.pipeline not in answer.turn.read:
        return {"none"}
    if wanted.stage:
        reads = answer.turn.in_stage.get((wanted.pipeline, wanted.stage), [("none", "")])
        return {execution for execution, _ in reads}
    since, until = answer.turn.began, answer.at
    found = [
        record.newest_finished(wanted.pipeline, since - MOMENT),
        *record.newest_finished_between(wanted.pipeline, since, until),
    ]
    ids = {one[0] if one else "none" for one in found}
    ids |= {
        id_
        for id_ in answer.turn.read[wanted.pipeline]
        if any(_began_together(record, id_, other) for other in ids)
    }
    return ids | ({"none"} if answer.turn.hits else set())  # it may have got no answer


def _began_together(record: Record, one: str, other: str) -> bool:
    return other != "none" and record.executions[one].started == record.executions[other].started


# How long still


def _usual(
    record: Record, job: ActionJob, text: str, since: datetime, until: datetime
) -> Iterator[str]:
    """What is said of an upstream's usual time is between the shortest and the longest of its
    successes, of which there are three.
    """
    for label, minutes, more in re.findall(
        r"(\S+(?: \([^)]*\))?) runs: [^.]*\. It usually takes (\d+) min([,;] [a-z ]*)", text
    ):
        names = [
            one.pipeline
            for one in order(job).wanted
            if one.pipeline.rpartition(":")[2] == label.partition(" ")[0]
        ]
        took = [took for name in names for took in _successes(record, name, until)]
        low, high = min(took, default=timedelta(0)), max(took, default=timedelta(0))
        if len(took) < 3 or not low - timedelta(minutes=1) <= timedelta(
            minutes=int(minutes)
        ) <= high + timedelta(minutes=1):
            yield (
                f"Told: {record.whose(job.id)} was told that {label} usually takes "
                f"{minutes} min{more}, which {len(took)} successes took"
            )


def _successes(record: Record, pipeline: str, at: datetime) -> list[timedelta]:
    """How long its successful executions had taken by then."""
    ended = {
        one.execution: one for one in record.changes if one.pipeline == pipeline and one.at <= at
    }
    executions = [
        (record.executions[id_], one) for id_, one in ended.items() if one.state == "SUCCEEDED"
    ]
    return [
        one.at - execution.started for execution, one in executions if execution.type == "STANDARD"
    ]


# Per cent


def _percentages(record: Record) -> Iterator[str]:
    """They go from 0 to 99, and as long as the same executions are waited for, they do not fall."""
    before: dict[str, Kept] = {}
    for kept in record.kept:
        job = record.job(kept.job)
        if job is None:
            continue
        if not 0 < len(kept.summary) <= SUMMARY:
            yield f"Told: {record.whose(kept.job)} got a summary of {len(kept.summary)} characters"
        if kept.percent is None:
            continue
        if not 0 <= kept.percent <= 99:
            yield f"Told: {record.whose(kept.job)} is {kept.percent} per cent done"
        last = before.get(job.action.id)
        same = (
            last is not None
            and _seen(last) == _seen(kept)
            and not (last.turn.hits or kept.turn.hits)
        )
        if same and last is not None and last.percent is not None and last.percent > kept.percent:
            yield (
                f"Told: {record.whose(kept.job)} falls from {last.percent} to "
                f"{kept.percent} per cent"
            )
        before[job.action.id] = kept


def _seen(kept: Kept) -> object:
    """The executions that the turn read, by their state."""
    return {
        name: {id_: status for id_, (status, _) in read.items()}
        for name, read in kept.turn.read.items()
    }
