"""Every sentence that people read in the console: what happened, why, what happens next, what they can do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from chalicelib.errors import UnexpectedAnswer
from chalicelib.executions import Execution, Upstream

SUMMARY_LENGTH = 2048  # model: ExecutionSummary
MESSAGE_LENGTH = 5000  # model: Message
DESCRIPTION_LENGTH = 512  # model: RuleDescription
_NAMES_SHOWN = 5
_SINCE = "%Y-%m-%d %H:%M UTC"


def quoted(value: str, length: int = 60) -> str:
    """A piece of user input in quotes: printable ASCII, and no longer than a person wants to read."""
    return json.dumps(value if len(value) <= length else value[:length] + "...")


def clock(moment: datetime, now: datetime) -> str:
    """`moment` for a person who reads at `now` (both aware UTC): "12:03 UTC", with the date where it is not today's."""
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def some(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many: "infra, network and 3 more"."""
    if len(names) > _NAMES_SHOWN:
        return f"{', '.join(names[:_NAMES_SHOWN])} and {len(names) - _NAMES_SHOWN} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def passed(upstreams: Sequence[Upstream], now: datetime) -> str:
    """Why the gate is open, for the action's summary."""
    return shortened("; ".join(_idle(upstream, now) for upstream in upstreams), SUMMARY_LENGTH)


def held(waiting: Sequence[Upstream], pipeline: str, minutes: int, next_check: datetime, rule: str, now: datetime) -> str:
    """Why the gate is closed and what happens next, for the failed action. `waiting`: the upstreams that are not known to be idle."""
    why = " ".join(_busy(upstream, now) for upstream in waiting[:_NAMES_SHOWN])
    more = f" So do {len(waiting) - _NAMES_SHOWN} more." if len(waiting) > _NAMES_SHOWN else ""
    names = some([upstream.name for upstream in waiting])
    return shortened(
        f"{pipeline} waits for {names} since {clock(now, now)}. {why}{more} "
        f"This execution ends here, and that is as planned: {pipeline} starts again by itself within seconds of the end of {names} "
        f"(looked at again every {_minutes(minutes)} too, next at {clock(next_check, now)}). There is nothing to do. "
        f"To stop waiting, start {pipeline} or remove the EventBridge rule {rule} with its target.",
        MESSAGE_LENGTH,
    )


def rule_description(pipeline: str, execution: str, upstreams: Sequence[str], since: datetime) -> str:
    """Who waits for whom since when, for people who look through EventBridge's rules, and for `described_since`."""
    return shortened(
        f"Since {since:{_SINCE}} {pipeline} (execution {execution[:8]}) waits for {some(upstreams)}. "
        "Pipeline Gate removes this rule when the wait is over.",
        DESCRIPTION_LENGTH,
    )


def described_since(description: str) -> datetime | None:
    """The minute (aware UTC) in which a rule with this description was made; None where it is none of the gate's."""
    try:
        return datetime.strptime(description[: len("Since 2026-01-05 12:00 UTC")], f"Since {_SINCE}").replace(tzinfo=UTC)
    except ValueError:
        return None


def no_room(waiting: Sequence[Upstream], now: datetime) -> str:
    """Why the gate keeps the action open instead of making a hold, for its summary."""
    why = " ".join(_busy(upstream, now) for upstream in waiting[:_NAMES_SHOWN])
    return shortened(
        f"{why} All of EventBridge's rules are taken (300 a region, unless your quota is higher), so this action stays in progress and "
        "looks again when CodePipeline asks. Remove rules that nobody needs, or ask AWS for a higher quota.",
        SUMMARY_LENGTH,
    )


def no_such_upstream(name: str, account: str, region: str) -> str:
    return (
        f"There is no pipeline {name} in account {account}, region {region}. "
        "Correct depends_on in this action's UserParameters; upper and lower case count."
    )


def not_this_pipelines(execution: str, pipeline: str) -> str:
    return (
        f"{pipeline} has no execution {execution}. In UserParameters, `pipeline` must be the name of the pipeline that this "
        'action stands in, and `execution` "#{codepipeline.PipelineExecutionId}".'
    )


def who_am_i(key: str) -> str:
    right = {
        "pipeline": '"pipeline": "<this pipeline\'s name>"',
        "execution": '"execution": "#{codepipeline.PipelineExecutionId}"',
    }
    return (
        f"The gate must hold this pipeline, but CodePipeline does not tell it which {key} this is. "
        f"Add {right[key]} to this action's UserParameters."
    )


def defect(error: Exception, request: str) -> str:
    """For a fault of the gate's own: the console gets its kind, the log (of invocation `request`) the rest."""
    kind = str(error) if isinstance(error, UnexpectedAnswer) else type(error).__name__
    return (
        f"The gate itself failed ({kind}); neither the pipelines nor this action's parameters need be at fault. "
        f"Retry this stage; if it fails again, look into the gate function's log at request {request} and report what stands there."
    )


def _idle(upstream: Upstream, now: datetime) -> str:
    if not upstream.executions:
        return f"{upstream.name} is idle: it has not run in the last 14 days"
    last = upstream.executions[0]
    return f"{upstream.name} is idle: last execution {last.short_id} {last.status} at {clock(last.updated, now)}"


def _busy(upstream: Upstream, now: datetime) -> str:
    if upstream.unanswered is not None:
        return f"Whether {upstream.name} runs is not known: {upstream.unanswered}."
    return f"{upstream.name} runs: {some([_running(execution, now) for execution in upstream.running])}."


def _running(execution: Execution, now: datetime) -> str:
    return f"execution {execution.short_id} is {execution.status} since {clock(execution.started, now)}"


def _minutes(minutes: int) -> str:
    return "minute" if minutes == 1 else f"{minutes} minutes"
