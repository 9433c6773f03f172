"""What people read about a held pipeline: what happened, why, what happens next, what to do.

The reasons are put into words by reasons.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.holds.rule import describe_date, find_check_after
from chalicelib.phrases import format_minutes, format_time, join_names, shorten

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.upstream import Upstream
    from chalicelib.pipelines.wait_cycles import Cycle

SUMMARY_LENGTH = 2048  # model: ExecutionSummary
MESSAGE_LENGTH = 5000  # model: Message
DESCRIPTION_LENGTH = 512  # model: RuleDescription


def describe_hold(
    waiting: Sequence[Upstream], hold: Hold, every: int, next_check: datetime, now: datetime
) -> str:
    """Return why the gate is closed and what happens next, for the failed action.

    `waiting`: the upstreams that keep it closed. `every`: the minutes between two checks.
    `next_check`, `now`: aware UTC.
    """
    from chalicelib.wording.reasons import describe_end_of_wait, describe_reasons  # noqa: PLC0415

    pipeline, names = hold.pipeline, join_names([upstream.label for upstream in waiting])
    if not hold.mode.starts_over:
        ends, goes_on = "This action ends here", "its stage is retried by itself"
    else:
        ends, goes_on = "This execution ends here", f"{pipeline} starts again by itself"
    give_up = find_check_after(hold.give_up, next_check, every) if hold.give_up else None
    return shorten(
        f"{pipeline} waits for {names} since {format_time(hold.since, now)}. "
        f"{describe_reasons(waiting, now)} "
        f"{ends}, and that is as planned: "
        f"{goes_on} within seconds of {describe_end_of_wait(waiting)} "
        f"(looked at again every {format_minutes(every)} too, "
        f"next at {format_time(next_check, now)}). "
        f"{describe_deadline(give_up, hold.on_give_up, now)}"
        f"{'Until then there' if hold.give_up else 'There'} is nothing to do. To go on now all "
        f"the same: gatectl release {pipeline}. "
        f"To stop waiting: remove the EventBridge rule {hold.rule} with its target.",
        MESSAGE_LENGTH,
    )


def describe_wait(
    waiting: Sequence[Upstream],
    pipeline: str,
    since: datetime,
    give_up: datetime | None,
    on_give_up: str,
    now: datetime,
) -> str:
    """Return why the action is still in progress, for its summary.

    `since`, `give_up`, `now`: aware UTC.
    """
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    return shorten(
        f"{pipeline} waits for {join_names([upstream.label for upstream in waiting])} since "
        f"{format_time(since, now)}. {describe_reasons(waiting, now)} "
        f"{describe_deadline(give_up, on_give_up, now)}"
        f"Looked at {format_time(now, now)}; CodePipeline asks again by itself. "
        f"To go on now all the same: gatectl release {pipeline}. To stop waiting: stop this "
        "execution.",
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
    advice = "retry this stage then" if can_be_retried else "start it anew then"
    then = (
        "it goes on all the same"
        if on_give_up == "continue"
        else f"the wait ends and nothing is started: {advice}"
    )
    return f"If that has not come by {format_time(give_up, now)}, {then}. "


def describe_give_up(waiting: Sequence[Upstream], since: datetime, now: datetime) -> str:
    """Return that the gate stops waiting and fails the action, for that action."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    names = join_names([upstream.label for upstream in waiting])
    return shorten(
        f"Gave up: waited for {names} since {format_time(since, now)}, "
        "as long as give_up_minutes says. "
        f"{describe_reasons(waiting, now)} "
        "Nothing starts by itself any more. Retry this stage to wait anew.",
        MESSAGE_LENGTH,
    )


def describe_deadlock(cycle: Cycle) -> str:
    return (
        f"Deadlock: {cycle}. None of them can go on before another does, so nothing would ever "
        "end this wait. "
        "Take one of these out of its depends_on, or let it require only that the other is idle, "
        "and not in the mode wait."
    )


def describe_rule(hold: Hold, waiting: Sequence[Upstream], now: datetime) -> str:
    """Return a rule's description, for people and for `holds.rule.read_date`.

    It says which pipeline waits for which ones, and since when.
    """
    from chalicelib.wording.reasons import describe_expected_end  # noqa: PLC0415

    return shorten(
        f"{describe_date(now)} {hold.pipeline} (execution {hold.execution[:8]}) waits for "
        f"{join_names([entry.label for entry in hold.depends_on])}. "
        f"{describe_expected_end(waiting, now)}"
        "Pipeline Gate removes this rule when the wait is over.",
        DESCRIPTION_LENGTH,
    )


def describe_full_quota(waiting: Sequence[Upstream], now: datetime) -> str:
    """Return why the gate keeps the action in progress instead of making a rule."""
    from chalicelib.wording.reasons import describe_reasons  # noqa: PLC0415

    return shorten(
        f"{describe_reasons(waiting, now)} All of EventBridge's rules are taken (300 a region, "
        "unless your quota is higher), so this action stays in "
        "progress and looks again when CodePipeline asks. Remove rules that nobody needs, or ask "
        "AWS for a higher quota.",
        SUMMARY_LENGTH,
    )
