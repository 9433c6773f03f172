"""What people read in the console: what happened, why, what happens next, what they can do.
`reasons.py` words the why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.errors import UnexpectedAnswer
from chalicelib.phrases import SHOWN, clock, minutes, shortened, some

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.dependency import Dependency
    from chalicelib.pipelines.upstream import Upstream
    from chalicelib.pipelines.wait_cycles import Cycle

SUMMARY_LENGTH = 2048  # model: ExecutionSummary
MESSAGE_LENGTH = 5000  # model: Message
DESCRIPTION_LENGTH = 512  # model: RuleDescription
_SINCE = "%Y-%m-%d %H:%M UTC"


def passed(upstreams: Sequence[Upstream], now: datetime) -> str:
    """Why the gate is open, for the action's summary."""
    more = [f"so are {len(upstreams) - SHOWN} more"] if len(upstreams) > SHOWN else []
    return shortened(
        "; ".join([*(_open(upstream, now) for upstream in upstreams[:SHOWN]), *more]),
        SUMMARY_LENGTH,
    )


def bypassed(wanted: Sequence[Dependency]) -> str:
    return shortened(
        "Bypassed: the pipeline variable asked for it, so nobody looked whether "
        f"{some([one.label for one in wanted])} runs.",
        SUMMARY_LENGTH,
    )


def held(
    waiting: Sequence[Upstream], hold: Hold, every: int, next_check: datetime, now: datetime
) -> str:
    """Why the gate is closed and what happens next, for the failed action. `waiting`: the upstreams
    that keep it closed.
    """
    from chalicelib.wording.reasons import awaited, why  # noqa: PLC0415

    pipeline, names = hold.pipeline, some([upstream.label for upstream in waiting])
    if hold.mode == "retry":
        ends, goes_on = "This action ends here", "its stage is retried by itself"
    else:
        ends, goes_on = "This execution ends here", f"{pipeline} starts again by itself"
    return shortened(
        f"{pipeline} waits for {names} since {clock(hold.since, now)}. {why(waiting, now)} "
        f"{ends}, and that is as planned: {goes_on} within seconds of {awaited(waiting)} "
        f"(looked at again every {minutes(every)} too, next at {clock(next_check, now)}). "
        f"{deadline(hold.give_up and first_look(hold.give_up, next_check, every), hold.on_give_up, now)}"
        f"{'Until then there' if hold.give_up else 'There'} is nothing to do. To go on now all "
        f"the same: gatectl release {pipeline}. "
        f"To stop waiting: remove the EventBridge rule {hold.rule} with its target.",
        MESSAGE_LENGTH,
    )


def first_look(at: datetime, next_check: datetime, every: int) -> datetime:
    """The first look of a rule at or after that moment: a deadline is seen then."""
    return next_check + math.ceil(
        max(timedelta(), at - next_check) / timedelta(minutes=every)
    ) * timedelta(minutes=every)


def waits_in_place(
    waiting: Sequence[Upstream],
    pipeline: str,
    since: datetime,
    give_up: datetime | None,
    on_give_up: str,
    now: datetime,
) -> str:
    """Why the action is still in progress, for its summary."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    return shortened(
        f"{pipeline} waits for {some([upstream.label for upstream in waiting])} since "
        f"{clock(since, now)}. {why(waiting, now)} "
        f"{deadline(give_up, on_give_up, now)}Looked at {clock(now, now)}; CodePipeline asks "
        "again by itself. "
        f"To go on now all the same: gatectl release {pipeline}. To stop waiting: stop this "
        "execution.",
        SUMMARY_LENGTH,
    )


def deadline(give_up: datetime | None, on_give_up: str, now: datetime) -> str:
    """What happens when, where a wait has an end; else nothing."""
    if give_up is None:
        return ""
    then = (
        "it goes on all the same"
        if on_give_up == "continue"
        else "the wait ends and nothing is started: retry this stage then"
    )
    return f"If that has not come by {clock(give_up, now)}, {then}. "


def goes_on_all_the_same(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """That the wait is given up and the pipeline goes on, for the action's summary."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Goes on in spite of {names}: waited since {clock(since, now)}, as long as "
        f"give_up_minutes says. {why(waiting, now)}",
        SUMMARY_LENGTH,
    )


def let_go(waiting: Sequence[Upstream], by: str, since: datetime, now: datetime) -> str:
    """That a person lets the pipeline go on, for the action's summary."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Goes on in spite of {names}: waited since {clock(since, now)}, and {by} let it go. "
        f"{why(waiting, now)}",
        SUMMARY_LENGTH,
    )


def gave_up(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """That the wait is given up and the pipeline stops, for the failed action."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Gave up: waited for {names} since {clock(since, now)}, as long as give_up_minutes says. "
        f"{why(waiting, now)} "
        "Nothing starts by itself any more. Retry this stage to wait anew.",
        MESSAGE_LENGTH,
    )


def observed(waiting: Sequence[Upstream], now: datetime) -> str:
    """What the gate would have done, for the summary of one that only observes."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    names = some([upstream.label for upstream in waiting])
    return shortened(
        f"Observe only: would have held this pipeline for {names}. {why(waiting, now)}",
        SUMMARY_LENGTH,
    )


def observed_refusal(message: str) -> str:
    return shortened(f"Observe only: would have failed this action. {message}", SUMMARY_LENGTH)


def deadlock(cycle: Cycle) -> str:
    return (
        f"Deadlock: {cycle}. None of them can go on before another does, so nothing would ever "
        "end this wait. "
        "Take one of these out of its depends_on, or let it require only that the other is idle, "
        "and not in the mode wait."
    )


def rule_description(hold: Hold, waiting: Sequence[Upstream], now: datetime) -> str:
    """Who waits for whom since when, for people who look through EventBridge's rules, and for
    `described_since`.
    """
    from chalicelib.wording.reasons import expected  # noqa: PLC0415

    return shortened(
        f"Since {now:{_SINCE}} {hold.pipeline} (execution {hold.execution[:8]}) waits for "
        f"{some([one.label for one in hold.depends_on])}. {expected(waiting, now)}Pipeline Gate "
        "removes this rule when the wait is over.",
        DESCRIPTION_LENGTH,
    )


def described_since(description: str) -> datetime | None:
    """The minute (aware UTC) in which a rule with this description was made; None where it is none
    of the gate's.
    """
    try:
        return datetime.strptime(
            description[: len("Since 2026-01-05 12:00 UTC")], f"Since {_SINCE}"
        ).replace(tzinfo=UTC)
    except ValueError:
        return None


def no_room(waiting: Sequence[Upstream], now: datetime) -> str:
    """Why the gate keeps the action open instead of making a hold, for its summary."""
    from chalicelib.wording.reasons import why  # noqa: PLC0415

    return shortened(
        f"{why(waiting, now)} All of EventBridge's rules are taken (300 a region, unless your "
        "quota is higher), so this action stays in "
        "progress and looks again when CodePipeline asks. Remove rules that nobody needs, or ask "
        "AWS for a higher quota.",
        SUMMARY_LENGTH,
    )


def no_such_upstream(name: str, account: str, region: str) -> str:
    return (
        f"There is no pipeline {name} in account {account}, region {region}. "
        "Correct depends_on in this action's UserParameters; upper and lower case count."
    )


def no_such_stage(pipeline: str, stage: str, stages: Sequence[str]) -> str:
    return (
        f"{pipeline} has no stage {stage}; it has {some(stages)}. "
        "Correct depends_on in this action's UserParameters; upper and lower case count."
    )


def not_this_pipelines(execution: str, pipeline: str) -> str:
    return (
        f"{pipeline} has no execution {execution}. In UserParameters, `pipeline` must be the name "
        "of the pipeline that this "
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
    """For a fault of the gate's own: the console gets its kind, the log (of invocation `request`)
    the rest.
    """
    kind = str(error) if isinstance(error, UnexpectedAnswer) else type(error).__name__
    return (
        f"The gate itself failed ({kind}); neither the pipelines nor this action's parameters "
        "need be at fault. "
        "Retry this stage; if it fails again, look into the gate function's log at request "
        f"{request} and report what stands there."
    )


def _open(upstream: Upstream, now: datetime) -> str:
    name, last = upstream.label, upstream.newest_finished or next(iter(upstream.executions), None)
    if upstream.running:
        why = (
            "past that stage"
            if upstream.is_past(upstream.running[0])
            else "parked until a person lets it go on"
        )
        return f"{name} does not count: execution {upstream.running[0].short_id} is {why}"
    if upstream.wanted.stage:
        stage = upstream.state.stage(upstream.wanted.stage) if upstream.state else None
        there = (
            f"execution {stage.execution[:8]} {stage.status} there"
            if stage and stage.execution
            else "no execution has been there"
        )
        return f"{name} is idle: {there}"
    if last is None:
        return f"{name} is idle: it has not run in the last 14 days"
    return (
        f"{name} is idle: last execution {last.short_id} {last.status} at "
        f"{clock(last.updated, now)}"
    )
