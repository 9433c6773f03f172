"""`gatectl holds --ended`: which waits have ended and how, from the logs of the functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from chalicelib.aws.logs import LogLines, parse_record
from chalicelib.errors import NotFound, NotPermitted
from chalicelib.phrases import format_time
from chalicelib.pipelines.execution import ID, NAME
from chalicelib.pipelines.reader import run_in_parallel
from chalicelib.records.log import took_effect
from chalicelib.records.outcomes import Outcome
from gatectl.functions import list_deployments
from gatectl.output import make_one_line
from gatectl.session import Place
from gatectl.wording import format_duration, shorten_ids

MAX_PAGES = 50
"""Answers of AWS per log, each with up to 1 MB (model: FilterLogEvents)."""
LONGEST_WAIT_SECONDS = 10 * 365 * 24 * 3600
"""No wait takes as long, so a line that says so is not the functions'."""
DECISIONS = tuple(
    dict.fromkeys(
        outcome.word for outcome in Outcome if outcome.ends_hold or outcome is Outcome.REFUSED
    )
)
PATTERN = "{ " + " || ".join(f'($.decision = "{word}")' for word in DECISIONS) + " }"
"""(guide: CloudWatch Logs, "Filter pattern syntax", JSON)"""
GLOSSARY_WORDS = {
    Outcome.STARTED.word: "released",
    Outcome.RETRIED.word: "released",
    Outcome.LET_GO.word: "released",
    Outcome.GAVE_UP.word: "given up",
}
"""How docs/glossary.md names the ends whose word in the log is another one."""


@dataclass(frozen=True)
class EndedWait:
    """The end of a wait, or a refusal, as a function logged it.

    `decision`: the word in the log. None: the log does not say. `started`: the execution that
    continues instead of this one; `continued`: this one does; `replaced_by`: a newer one, because
    of which this one no longer has to. `by`: the person who ended the wait.
    """

    ended: datetime
    function: str
    decision: str
    pipeline: str | None
    execution: str | None
    waited_seconds: int | None
    by: str | None
    started: str | None
    continued: bool
    replaced_by: str | None
    start_command: str | None
    reason: str
    job: str | None


@dataclass(frozen=True)
class EndedWaits:
    """What the logs say about the time from `since` to `now`, the newest first.

    `functions`: those that are deployed. `truncated`: those of whose log only the newest part was
    read. `unread`: why the logs of others could not be read, by function.
    """

    since: datetime
    now: datetime
    waits: tuple[EndedWait, ...]
    functions: tuple[str, ...]
    truncated: tuple[str, ...]
    unread: Mapping[str, str]


def show_ended_waits(place: Place, period: timedelta, now: datetime) -> None:
    """Print the waits that ended in the `period` before `now`."""
    ended = _read_ended_waits(place, now - period, now)
    for line in _list_gaps(ended):
        place.progress_console.print(line, style="magenta", markup=False, soft_wrap=True)
    place.keep_lines_whole()
    place.show(_build_page(place, ended), _build_json(place, ended))


# Reading


def _read_ended_waits(place: Place, since: datetime, now: datetime) -> EndedWaits:
    """Raises NotPermitted if the caller may not read any of the logs."""
    functions = [
        name
        for deployment in list_deployments(place)
        for name, exists in (
            (deployment.gate, deployment.has_gate),
            (deployment.retry, deployment.has_retry),
        )
        if exists
    ]
    with place.show_progress("reading logs"):
        logs = run_in_parallel(lambda name: _read_log(place, name, since), functions)
    unread = {
        name: log for name, log in zip(functions, logs, strict=True) if isinstance(log, Exception)
    }
    if unread and len(unread) == len(functions):
        raise next(iter(unread.values()))
    read = {
        name: log for name, log in zip(functions, logs, strict=True) if isinstance(log, LogLines)
    }
    return EndedWaits(
        since=since,
        now=now,
        waits=tuple(list_ended_waits(read)),
        functions=tuple(functions),
        truncated=tuple(name for name, log in read.items() if not log.complete),
        unread={name: str(error) for name, error in unread.items()},
    )


def _read_log(place: Place, function: str, since: datetime) -> LogLines | NotPermitted:
    group = f"/aws/lambda/{function}"
    try:
        return place.logs.read_lines(group, PATTERN, since, MAX_PAGES, newest_first=True)
    except NotFound:
        return LogLines(())  # the function has never run
    except NotPermitted as denied:
        return denied


def list_ended_waits(logs: Mapping[str, LogLines]) -> list[EndedWait]:
    """Return the ended waits in the functions' logs, the newest first. Lines of other formats, and
    decisions that had no effect, are skipped.

    A gate that refuses an action that it had kept in progress logs both the refusal and the end of
    the wait, with the same job: that is one end.
    """
    waits = [
        wait
        for function, log in logs.items()
        for moment, line in log.lines
        if (wait := _parse_line(function, moment, line))
    ]
    jobs = {wait.job for wait in waits if wait.decision != Outcome.REFUSED.word and wait.job}
    ends = [wait for wait in waits if wait.decision != Outcome.REFUSED.word or wait.job not in jobs]
    return sorted(ends, key=lambda wait: wait.ended, reverse=True)


def _parse_line(function: str, moment: datetime, line: str) -> EndedWait | None:
    """Return None if the line is not about the end of a wait or a refusal.

    A word may also stand for an outcome that ends no wait: an end says how long the wait was.
    """
    record = parse_record(line)
    decision, waited = record.get("decision"), record.get("waited_seconds")
    if not (isinstance(decision, str) and decision in DECISIONS and took_effect(record)):
        return None
    if type(waited) is not int or not 0 <= waited <= LONGEST_WAIT_SECONDS:
        waited = None
    if waited is None and decision != Outcome.REFUSED.word:
        return None
    started = _read_text(record, "started", ID)
    stays = decision in (Outcome.LET_GO.word, Outcome.WAIT_RELEASED.word) or (
        decision == Outcome.GAVE_UP.word and record.get("on_give_up") == "continue"
    )
    return EndedWait(
        ended=moment,
        function=function,
        decision=decision,
        pipeline=_read_text(record, "pipeline", NAME),
        execution=_read_text(record, "execution", ID),
        waited_seconds=waited,
        by=_read_text(record, "released_by") or _read_text(record, "canceled_by"),
        started=started,
        continued=decision == Outcome.RETRIED.word or (stays and not started),
        replaced_by=_read_text(record, "replaced_by", ID),
        start_command=_read_text(record, "start_command"),
        reason=_read_text(record, "reason") or _read_text(record, "summary") or "",
        job=_read_text(record, "job", ID),
    )


def _read_text(record: Mapping[str, Any], key: str, pattern: str = r"[\s\S]+") -> str | None:
    value = record.get(key)
    return value if isinstance(value, str) and re.fullmatch(pattern, value) else None


# For people


def _list_gaps(ended: EndedWaits) -> Iterable[str]:
    for function, reason in ended.unread.items():
        yield f"not read: the log of {function} ({reason})"
    for function in ended.truncated:
        yield (
            f"Only the newest part of the log of {function} was read, because it is too long. "
            "Earlier ends may be missing. Choose a shorter time with --ended."
        )


def _build_page(place: Place, ended: EndedWaits) -> RenderableType:
    since = format_time(ended.since, ended.now)
    if not ended.functions:
        return Text(
            f"No gate is deployed in {place.region}, so there is no log to read. Is this the right "
            "region and account?"
        )
    if not ended.waits:
        return Text(f"No wait has ended in {place.region} since {since}, and no gate has refused.")
    return _build_table(place, ended.waits, ended.now)


def _build_table(place: Place, waits: Sequence[EndedWait], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ended (UTC)", no_wrap=True)
    table.add_column("pipeline", overflow="fold")
    table.add_column("execution", no_wrap=True)
    table.add_column("how", no_wrap=True)
    table.add_column("after", no_wrap=True)
    with_person = any(wait.by for wait in waits)
    if with_person:
        table.add_column("by", overflow="fold")
    table.add_column("what followed, and why", overflow="fold")
    for wait in waits:
        execution = Text((wait.execution or "-")[:8])
        if wait.pipeline and wait.execution:
            execution.stylize(f"link {place.links.execution(wait.pipeline, wait.execution)}")
        seconds = wait.waited_seconds
        cells = [
            Text(format_time(wait.ended, now).removesuffix(" UTC")),
            Text(wait.pipeline or "-"),
            execution,
            Text(GLOSSARY_WORDS.get(wait.decision, wait.decision)),
            Text("-" if seconds is None else format_duration(timedelta(seconds=seconds))),
            *([Text(_shorten_arn(wait.by or "-"))] if with_person else ()),
            Text(_describe_sequel(wait)),
        ]
        table.add_row(*cells)
    return table


def _shorten_arn(person: str) -> str:
    """Return "user/alice" of an ARN."""
    return make_one_line(person.rpartition(":")[2])


def _describe_sequel(wait: EndedWait) -> str:
    """Return what followed the end, and the reason for the end."""
    if wait.continued:
        sequel = "the same execution continued"
    elif wait.started:
        sequel = f"started {wait.started}"
    elif wait.replaced_by and wait.replaced_by not in wait.reason:
        sequel = f"replaced by {wait.replaced_by}"
    else:
        sequel = ""
    return shorten_ids(make_one_line(": ".join(filter(None, (sequel, wait.reason)))))


# For programs


def _build_json(place: Place, ended: EndedWaits) -> dict[str, object]:
    return {
        "region": place.region,
        "since": ended.since,
        "until": ended.now,
        "ended": [
            {
                "ended": wait.ended,
                "function": wait.function,
                "decision": wait.decision,
                "pipeline": wait.pipeline,
                "execution": wait.execution,
                "waited_seconds": wait.waited_seconds,
                "by": wait.by,
                "started": wait.started,
                "continued": wait.continued,
                "replaced_by": wait.replaced_by,
                "start_command": wait.start_command,
                "reason": wait.reason,
                "execution_link": place.links.execution(wait.pipeline, wait.execution)
                if wait.pipeline and wait.execution
                else None,
            }
            for wait in ended.waits
        ],
        "truncated": list(ended.truncated),
        "unread": dict(ended.unread),
    }
