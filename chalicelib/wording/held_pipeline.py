"""What people read about a held pipeline: what happened, why, what happens next, what to do.

The reasons are put into words by reasons.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.holds.rule import describe_date
from chalicelib.phrases import format_minutes, format_time, join_names, shorten
from chalicelib.pipelines.execution import PARALLEL

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.holds.schedule import Schedule
    from chalicelib.pipelines.upstream import Upstream
    from chalicelib.pipelines.wait_cycles import Cycle

SUMMARY_LENGTH = 2048  # model: ExecutionSummary
MESSAGE_LENGTH = 5000  # model: Message
DESCRIPTION_LENGTH = 512  # model: RuleDescription


def describe_hold(
    waiting: Sequence[Upstream],
    hold: Hold,
    schedule: Schedule,
    now: datetime,
    revisions: str = "",
    execution_mode: str = "",
    cycle: Cycle | None = None,
) -> str:
    """Return why the gate is closed and what happens next, for the failed action.

    `waiting`: the upstreams that keep it closed. `schedule`: that of the hold's rule. `now`: aware
    UTC. `revisions`: with what the pipeline continues. `execution_mode`: the pipeline's. Both are
    "" if they are not known. `cycle`: because of which the action cannot stay in progress instead.
    """
    from chalicelib.wording.reasons import describe_end_of_wait, describe_reasons  # noqa: PLC0415

    pipeline, names = hold.pipeline, join_names([upstream.label for upstream in waiting])
    if hold.mode.starts_over:
        failed, continues = "This execution", f"{pipeline} starts again"
    else:
        failed, continues = "This action", "its stage is retried"
    # In PARALLEL mode executions are independent of each other (guide: execution-modes).
    replaceable = execution_mode not in ("", PARALLEL)
    give_up = schedule.find_check_after(hold.give_up, now) if hold.give_up else None
    return shorten(
        f"{pipeline} has been waiting for {names} since {format_time(hold.since, now)}. "
        f"{describe_reasons(waiting, now)} "
        f"{f'It cannot stay in progress, because {cycle}. ' if cycle else ''}"
        f"{failed} failed on purpose: {continues} automatically within seconds after "
        f"{describe_end_of_wait(waiting)}"
        f"{f', unless a newer execution of {pipeline} starts first' if replaceable else ''}. "
        f"{f'{pipeline} continues with {revisions}. ' if revisions else ''}"
        "Pipeline Gate also checks every "
        f"{format_minutes(schedule.every_minutes)}, next at "
        f"{format_time(schedule.find_next(now), now)}. "
        f"{describe_deadline(give_up, hold.on_give_up, now)}"
        f"You do not need to do anything{' until then' if hold.give_up else ''}. "
        f"To continue now anyway, run: gatectl release {pipeline}. "
        f"To stop waiting, run: gatectl cancel {pipeline}.",
        MESSAGE_LENGTH,
    )


def describe_wait(
    waiting: Sequence[Upstream],
    pipeline: str,
    since: datetime,
    give_up: datetime | None,
    on_give_up: str,
    now: datetime,
    revisions: str = "",
) -> str:
    """Return why the action is still in progress, for its summary.

    `since`, `give_up`, `now`: aware UTC. `revisions`: as in describe_hold.
    """
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    return shorten(
        f"{pipeline} has been waiting for {join_names([upstream.label for upstream in waiting])} "
        f"since {format_time(since, now)}. {describe_reasons(waiting, now)} "
        f"{describe_deadline(give_up, on_give_up, now)}"
        f"Last checked at {format_time(now, now)}; the gate keeps checking until the wait ends. "
        f"{f'Then {pipeline} continues with {revisions}. ' if revisions else ''}"
        f"To continue now anyway, run: gatectl release {pipeline}. "
        f"To stop waiting, run: gatectl cancel {pipeline}.",
        SUMMARY_LENGTH,
    )


def describe_deadline(
    give_up: datetime | None, on_give_up: str, now: datetime, *, can_be_retried: bool = True
) -> str:
    """Return what happens at the deadline of a wait; "" if it has none. `can_be_retried`: AWS would
    retry the held stage then.
    """
    if give_up is None:
        return ""
    advice = "retry this stage" if can_be_retried else "start the pipeline"
    then = (
        "the pipeline continues anyway"
        if on_give_up == "continue"
        else f"the wait ends and nothing is started; to wait again, {advice}"
    )
    return f"If that has not happened by {format_time(give_up, now)}, {then}. "


def describe_give_up(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """Return that the gate stops waiting and fails the action, for that action."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Gave up waiting for {names}: the wait began at {format_time(since, now)}, and "
        f"give_up_minutes is over. {describe_reasons(waiting, now)} "
        "Nothing starts automatically anymore. To wait again, retry this stage.",
        MESSAGE_LENGTH,
    )


def describe_cancellation(
    names: Sequence[str], waiting: Sequence[Upstream], person: str, since: datetime, now: datetime
) -> str:
    """Return that a person ended the wait for the upstreams with these names, for an action that
    stayed in progress.
    """
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    reasons = f"{describe_reasons(waiting, now)} " if waiting else ""
    return shorten(
        f"Canceled by {person}. It had been waiting for {join_names(names)} since "
        f"{format_time(since, now)}. {reasons}"
        "Nothing starts automatically. To check again, retry this stage.",
        MESSAGE_LENGTH,
    )


def describe_deadlock(cycle: Cycle) -> str:
    return (
        f"Deadlock: {cycle}. Each has to continue before the other can, so this wait would never "
        "end. To break the cycle, remove one of these pipelines from the other's depends_on, or "
        'use "require": "idle".'
    )


def describe_rule(hold: Hold, waiting: Sequence[Upstream], now: datetime) -> str:
    """Return a rule's description, for people and for `holds.rule.read_date`.

    It says which pipeline is waiting, for which upstreams, and since when.
    """
    from chalicelib.wording.reasons import describe_expected_end  # noqa: PLC0415

    return shorten(
        f"{describe_date(now)} {hold.pipeline} (execution {hold.execution[:8]}) is waiting for "
        f"{join_names([entry.label for entry in hold.depends_on])}. "
        f"{describe_expected_end(waiting, now)}"
        "Pipeline Gate removes this rule when the wait is over.",
        DESCRIPTION_LENGTH,
    )


def describe_full_quota(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return why the gate keeps the action in progress instead of making a rule."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    return shorten(
        f"{describe_reasons(waiting, now)} No EventBridge rule is available (the default quota is "
        "300 per region), so this action stays in progress, and the gate keeps checking. Remove "
        "rules that are not needed, or ask AWS for a higher quota.",
        SUMMARY_LENGTH,
    )
