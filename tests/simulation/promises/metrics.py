"""Each line of the log is about something that happened, whatever happened has a line, and its
metrics are those of docs/events.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.simulation.promises.table import BEGINS, COUNTED, Line, due_metrics, passes, took_effect
from tests.simulation.record import Record
from tests.simulation.turns import Turn

FAILS = ("deadlock", "refused", "defect", "past deadline")
GOES_ON = ("retried", "let go", "gave up")
"""What the retry may call it if it retries a stage."""
UNCOUNTED = ("still held", "past deadline", "over")
"""Decisions that act and count nothing; over: another retry was faster."""


def metrics(record: Record) -> Iterator[str]:
    for turn in record.turns:
        for line in turn.lines:
            about = (
                f"Told: at {turn.began:%d %H:%M:%S} the {turn.function}'s log line "
                f"'{line['decision']}'"
            )
            yield from (f"{about} {sentence}" for sentence in _form(record, turn, line))
            if took_effect(line):
                yield from (f"{about} {sentence}" for sentence in _untrue(record, turn, line))
    yield from _unsaid(record)


def _form(record: Record, turn: Turn, line: Line) -> Iterator[str]:
    """As CloudWatch's embedded metric format wants it, with the metrics of its decision."""
    expected = due_metrics(record, turn, line)
    if "_aws" not in line:
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
    if not turn.began.timestamp() - 1 <= when <= turn.over.timestamp() + 1:
        yield "has another time"


def _untrue(record: Record, turn: Turn, line: Line) -> Iterator[str]:
    if turn.function == "gate":
        yield from _untrue_of_gate(record, turn, line)
    else:
        yield from _untrue_of_retry(record, turn, line)
    waited, longest = line.get("waited_seconds"), _longest(record, turn, line)
    if waited is not None and not -1 <= waited <= longest.total_seconds() + 1:
        yield f"says that it waited {waited} s, and it was {longest} at the most"


def _untrue_of_gate(record: Record, turn: Turn, line: Line) -> Iterator[str]:
    decision, answer = line["decision"], record.answers.get(line.get("job", ""))
    if passes(turn, line) and not (answer and answer.success):
        yield "says that it passed, and it did not"
    fails = decision in FAILS or (decision == "gave up" and not passes(turn, line))
    observed = answer and answer.success and answer.text.startswith("Observe only")
    if fails and not observed and not (answer and not answer.success):
        yield "says that it failed, and it did not"
    if decision in BEGINS and not _held(record, turn, line):
        yield "says that it holds, and it does not"


def _untrue_of_retry(record: Record, turn: Turn, line: Line) -> Iterator[str]:
    decision = line["decision"]
    started = any(
        start.execution.id == line.get("started") and start.turn.held == turn.held
        for start in record.starts
    )
    if ("started" in line or decision == "started") and not started:
        yield "says that it started an execution, and did not"
    ends = decision == "dropped" or line.get("on_give_up") == "stop"
    retried = any(retried.turn is turn for retried in record.retries)
    if decision in GOES_ON and not ends and not started and not retried:
        yield "says that it retried the stage, and did not"
    if ends and not any(
        ruled.held == line["execution"] and ruled.hold is None and ruled.at <= turn.over
        for ruled in record.rules
    ):
        yield "says that it ended the hold, and the hold stands"


def _held(record: Record, turn: Turn, line: Line) -> bool:
    if "rule" not in line:
        return any(kept.job == line["job"] for kept in record.kept)
    return any(
        ruled.held == line["execution"] and ruled.turn is turn and ruled.hold is not None
        for ruled in record.rules
    )


def _longest(record: Record, turn: Turn, line: Line) -> timedelta:
    """How long it can have waited: since the first job of its execution."""
    job = record.job(line.get("job", ""))
    execution = job.action.execution.id if job else line.get("execution", "")
    began = [job.action.started for job in record.jobs_of(execution)]
    return turn.over - min(began, default=turn.began)


def _unsaid(record: Record) -> Iterator[str]:
    """What a turn that nothing struck did, and did not log."""
    done = [(answer.turn, "job", job) for job, answer in record.answers.items()]
    done += [(start.turn, "started", start.execution.id) for start in record.starts]
    done += [(start.turn, "execution", start.execution.id) for start in record.retries]
    for turn, key, id_ in done:
        logged = any(
            line.get(key) == id_ and line["decision"] in (*COUNTED, *UNCOUNTED)
            for line in turn.lines
        )
        if not turn.hits and not turn.error and not logged:
            yield (
                f"Told: at {turn.began:%d %H:%M:%S} the {turn.function} did something about "
                f"{id_[:8]} that it did not log"
            )
