"""The log says what happened, all of it and nothing else, with the metrics of docs/events.md."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.entries import Answer, Invocation, Start
from tests.simulation.promises.table import BEGINS, COUNTED, Line, due_metrics, passes, took_effect
from tests.simulation.record import Record

FAILS = ("deadlock", "refused", "defect", "past deadline")
GOES_ON = ("retried", "let go", "gave up")
"""What the retry may call it if it retries a stage."""
SECONDS = {"WaitTime": "waited_seconds", "Waiting": "waiting_seconds"}
"""The metrics that are a time, and the field of the line that has the same."""
UNCOUNTED = ("still held", "past deadline", "over")
"""Decisions that act and count nothing; over: another retry was faster."""


def metrics(record: Record) -> Iterator[str]:
    for invocation in record.invocations:
        subject = f"at {invocation.began:%d %H:%M:%S} the {invocation.function}"
        for line in invocation.lines:
            about = f"{subject}'s log line '{line['decision']}'"
            yield from (f"{about} {sentence}" for sentence in _check_form(invocation, line))
            if took_effect(line):
                check = _check_gate if invocation.function == "gate" else _check_retry
                for sentence in (
                    *check(record, invocation, line),
                    *_check_waited(record, invocation, line),
                ):
                    yield f"{about} {sentence}"
        if not invocation.faults and not invocation.error:
            for id_ in _find_unlogged(record, invocation):
                yield f"{subject} did something about {id_[:8]} that it did not log"


def _check_form(invocation: Invocation, line: Line) -> Iterator[str]:
    """As CloudWatch's embedded metric format wants it, with the metrics of its decision."""
    expected = due_metrics(invocation, line)
    if "_aws" not in line:
        if expected:
            yield f"is not counted, and should be as {', '.join(sorted(expected))}"
        return
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    units = {one["Name"]: one["Unit"] for one in directive["Metrics"]}
    if set(units) != expected:
        yield f"counts {', '.join(sorted(units))}, not {', '.join(sorted(expected)) or 'nothing'}"
    if any(line[name] != line.get(SECONDS.get(name, ""), 1) for name in units):
        yield f"counts {[line[name] for name in units]}"
    if any(unit != ("Seconds" if name in SECONDS else "Count") for name, unit in units.items()):
        yield f"has units {units}"
    if directive["Dimensions"] != [["FunctionName"]] or not line["FunctionName"]:
        yield f"has the dimensions {directive['Dimensions']}"
    when = line["_aws"]["Timestamp"] / 1000
    if not invocation.began.timestamp() - 1 <= when <= invocation.end.timestamp() + 1:
        yield "has another time"


def _check_waited(record: Record, invocation: Invocation, line: Line) -> Iterator[str]:
    """It cannot have waited for longer than since the first job of its execution, or of those that
    were held before it.
    """
    chain = [invocation.execution_id]
    for start in reversed(record.starts):
        if start.execution.id == chain[-1]:
            chain.append(start.invocation.held_id)
    began = [job.action.started for id_ in chain for job in record.find_jobs(id_)]
    longest = invocation.end - min(began, default=invocation.began)
    waited = line.get("waited_seconds", line.get("waiting_seconds"))
    if waited is not None and not -1 <= waited <= longest.total_seconds() + 1:
        yield f"says that it waited {waited} s, and it was {longest} at the most"


def _check_gate(record: Record, invocation: Invocation, line: Line) -> Iterator[str]:
    decision, answer = line["decision"], record.answers.get(line.get("job", ""))
    if passes(invocation, line) and not (answer and answer.success):
        yield "says that it passed, and it did not"
    fails = decision in FAILS or (decision == "gave up" and not passes(invocation, line))
    observed = answer and answer.success and answer.text.startswith("Observe only")
    if fails and not observed and not (answer and not answer.success):
        yield "says that it failed, and it did not"
    if decision in BEGINS and not _is_held(record, invocation, line):
        yield "says that it holds, and it does not"


def _is_held(record: Record, invocation: Invocation, line: Line) -> bool:
    if "rule" not in line:
        return any(one.job.id == line["job"] for one in record.kept_open)
    return any(
        change.invocation is invocation and change.hold is not None
        for change in record.find_rule_changes(line["execution"])
    )


def _check_retry(record: Record, invocation: Invocation, line: Line) -> Iterator[str]:
    decision = line["decision"]
    started = any(
        start.execution.id == line.get("started") and start.invocation.held_id == invocation.held_id
        for start in record.starts
    )
    if ("started" in line or decision == "started") and not started:
        yield "says that it started an execution, and did not"
    ends = decision == "dropped" or line.get("on_give_up") == "stop"
    retried = any(retry.invocation is invocation for retry in record.retries)
    if decision in GOES_ON and not ends and not started and not retried:
        yield "says that it retried the stage, and did not"
    if ends and not any(
        change.hold is None and change.at <= invocation.end
        for change in record.find_rule_changes(line["execution"])
    ):
        yield "says that it ended the hold, and the hold stands"


def _find_unlogged(record: Record, invocation: Invocation) -> Iterator[str]:
    """The jobs and executions that it acted on, and did not log."""
    done: list[tuple[str, str, Answer | Start]] = []
    done += [("job", one.job.id, one) for one in record.answers.values()]
    done += [("started", one.execution.id, one) for one in record.starts]
    done += [("execution", one.execution.id, one) for one in record.retries]
    for key, id_, act in done:
        if act.invocation is invocation and not any(
            line.get(key) == id_
            # After a start, the gate may have held the execution again, because a person retried
            # its stage, or the source may have failed: then what comes of the hold is still open.
            and (key == "started" or line["decision"] in (*COUNTED, *UNCOUNTED))
            for line in invocation.lines
        ):
            yield id_
