"""Each line of the log is about something that happened, whatever happened has a line, and its
metrics are those of docs/events.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.simulation.record import Record
from tests.simulation.turns import Turn

Line = dict[str, Any]

COUNTED: dict[str, set[str]] = {
    "passed": {"Passed"},
    "bypassed": {"Bypassed"},
    "observed": {"Observed"},
    "held": {"Held"},
    "released": {"Released", "Passed", "WaitTime"},
    "let go": {"LetGo", "Passed"},
    "gave up": {"GaveUp", "WaitTime"},
    "deadlock": {"Deadlocks"},
    "refused": {"Refused"},
    "defect": {"Defects"},
    "started": {"Released", "WaitTime"},
    "retried": {"Released", "WaitTime"},
}
"""docs/events.md's table; all other decisions have no metric."""
PASSING = ("passed", "bypassed", "observed", "released", "let go")
FAILING = ("deadlock", "refused", "defect")


def metrics(record: Record) -> Iterator[str]:
    for turn in record.turns:
        for line in turn.lines:
            for sentence in (
                *_form(turn, line),
                *(_untrue(record, turn, line) if counts(line) else ()),
            ):
                yield (
                    f"Told: at {turn.began:%d %H:%M:%S} the {turn.function}'s log line "
                    f"'{line['decision']}' {sentence}"
                )
    yield from _unsaid(record)


def counts(line: Line) -> bool:
    """Whether the line is one that CloudWatch takes metrics from."""
    return "_aws" in line


def _form(turn: Turn, line: Line) -> Iterator[str]:
    """As CloudWatch's embedded metric format wants it, with the metrics of its decision; an answer
    that came too late counts nothing.
    """
    expected = set() if line.get("answered") is False else COUNTED.get(line["decision"], set())
    if line["decision"] == "let go" and expected and "waited_seconds" in line:
        expected = expected | {"WaitTime"}
    if not counts(line):
        if expected:
            yield f"is not counted, and should be as {', '.join(sorted(expected))}"
        return
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    names = {one["Name"]: one["Unit"] for one in directive["Metrics"]}
    if set(names) != expected:
        yield f"counts {', '.join(sorted(names))}, not {', '.join(sorted(expected)) or 'nothing'}"
    if any(line[name] != (line["waited_seconds"] if name == "WaitTime" else 1) for name in names):
        yield f"counts {[line[name] for name in names]}"
    if any(unit != ("Seconds" if name == "WaitTime" else "Count") for name, unit in names.items()):
        yield f"has units {names}"
    if directive["Dimensions"] != [["FunctionName"]] or not line["FunctionName"]:
        yield f"has the dimensions {directive['Dimensions']}"
    when = line["_aws"]["Timestamp"] / 1000
    if not turn.began.timestamp() - 1 <= when <= (turn.ended or turn.began).timestamp() + 1:
        yield "has another time"


def _untrue(record: Record, turn: Turn, line: Line) -> Iterator[str]:
    decision, job = line["decision"], line.get("job", "")
    answer = record.answers.get(job)
    passing = decision in PASSING or (
        turn.function == "gate" and decision == "gave up" and line["on_give_up"] == "continue"
    )
    if turn.function == "gate":
        if passing and not (answer and answer.success):
            yield "says that it passed, and it did not"
        failing = decision in FAILING or (decision == "gave up" and not passing)
        observed = (
            decision in ("refused", "defect")
            and answer
            and answer.success
            and answer.text.startswith("Observe only")
        )
        if failing and not observed and not (answer and not answer.success):
            yield "says that it failed, and it did not"
        if decision == "held" and not _held(record, turn, line):
            yield "says that it holds, and it does not"
    elif decision == "started" and not any(
        one.execution.id == line["started"] and one.turn.held == turn.held for one in record.starts
    ):
        yield "says that it started an execution, and did not"
    elif decision == "retried" and not any(one.turn is turn for one in record.retries):
        yield "says that it retried the stage, and did not"
    elif decision == "gave up" and not any(
        one.held == line["execution"]
        and one.hold is None
        and turn.began <= one.at <= (turn.ended or one.at)
        for one in record.rules
    ):
        yield "says that it gave up, and the hold stands"
    if (
        "waited_seconds" in line
        and not -1 <= line["waited_seconds"] <= _longest(record, turn, line).total_seconds() + 1
    ):
        yield (
            f"says that it waited {line['waited_seconds']} s, and it was "
            f"{_longest(record, turn, line)} at the most"
        )


def _held(record: Record, turn: Turn, line: Line) -> bool:
    if "rule" in line:
        return any(
            one.held == line["execution"] and one.turn is turn and one.hold is not None
            for one in record.rules
        )
    return any(kept.job == line["job"] for kept in record.kept)


def _longest(record: Record, turn: Turn, line: Line) -> timedelta:
    """How long it can have waited: since the first job of its execution."""
    execution = line.get("execution")
    if execution is None:  # the action does not name it
        job = record.job(line["job"])
        execution = job.action.execution.id if job else ""
    began = [job.action.started for job in record.jobs_of(execution)]
    return (turn.ended or turn.began) - min(began, default=turn.began)


def _unsaid(record: Record) -> Iterator[str]:
    """What a turn that nothing struck did, and did not log."""
    done = [(answer.turn, "job", job) for job, answer in record.answers.items()]
    done += [(one.turn, "started", one.execution.id) for one in record.starts]
    done += [(one.turn, "execution", one.execution.id) for one in record.retries]
    for turn, key, id_ in done:
        if (
            not turn.hits
            and not turn.error
            and not any(line.get(key) == id_ and line["decision"] in COUNTED for line in turn.lines)
        ):
            yield (
                f"Told: at {turn.began:%d %H:%M:%S} the {turn.function} did something about "
                f"{id_[:8]} that it did not log"
            )
