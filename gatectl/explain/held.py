"""An execution that a rule holds: why, until when, and what is wrong if it does not go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from chalicelib.account.cycles import DEADLOCK_REMEDY
from chalicelib.account.waits import HoldRule
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import ROLLBACK
from chalicelib.pipelines.upstream import find_deadlock
from chalicelib.wording.held_pipeline import describe_deadline
from chalicelib.wording.reasons import describe_end_of_wait
from gatectl.doctor.finding import Finding
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, RetryLog
from gatectl.explain.reasons import (
    NO_RETRY,
    describe_causes,
    describe_changes,
    offer_human_actions,
    offer_new_start,
    offer_start_and_release,
)
from gatectl.explain.retry import (
    describe_fault,
    find_fault,
    offer_repairs,
    read_rule_stage,
    stops_the_retry,
)
from gatectl.explain.statement import (
    CHECK,
    DOCTOR,
    Remedy,
    Statement,
    offer_log,
    offer_release,
    offer_removal,
)

MAX_EVENT_DELAY = timedelta(minutes=1)
"""An event ends a hold within seconds; after this, it is late."""


def is_late(evidence: ExplainEvidence, story: ExecutionStory) -> bool:
    """Whether nothing keeps the held execution any more, and it should have gone on by now."""
    end = story.end_of_upstreams
    return not story.blocking and (end is None or evidence.now - end > MAX_EVENT_DELAY)


def explain_hold(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    """`story`: of an execution that its rule holds."""
    hold, rule = story.hold, story.rule
    if hold is None or rule is None:
        raise ValueError(f"execution {story.execution.id} is not held")
    name, lasts = evidence.name, evidence.format_wait(hold.since)
    names = join_names([dependency.label for dependency in hold.depends_on])
    if fault := find_fault(evidence, story):
        return _explain_fault(evidence, story, rule, hold, fault)
    if hold.released_by:
        return Statement(
            "let go",
            f"{name} was let go by {hold.released_by}, after it had waited for {names} {lasts}.",
            outlook="Its stage is retried within seconds, and the gate lets execution "
            f"{story.execution.short_id} pass; {_describe_next_check(evidence, story)}.",
        )
    if cycle := find_deadlock(story.waiting_for):
        return Statement(
            "deadlock",
            f"Deadlock: {name} waits {lasts}, and none of these can go on before another does: "
            f"{cycle}.",
            (DEADLOCK_REMEDY,),
            _describe_deadline(evidence, story, hold).strip() or "Nothing ends this by itself.",
            (CHECK, *_offer_ways_out(evidence, story, hold)),
        )
    if story.blocking:
        return _explain_wait(evidence, story, hold)
    return _explain_missing_start(evidence, story, hold, rule)


def _explain_wait(evidence: ExplainEvidence, story: ExecutionStory, hold: Hold) -> Statement:
    human_actions = tuple(offer_human_actions(evidence, story))
    if hold.give_up and hold.is_past_deadline(evidence.now):
        ends = (
            "the wait ends and nothing is started"
            if hold.ends_by_stopping
            else "it goes on all the same"
        )
        outlook = (
            f"Its time was over at {format_time(hold.give_up, evidence.now)}: {ends}, at the next "
            f"look; {_describe_next_check(evidence, story)}."
        )
    else:
        end = describe_end_of_wait(story.waiting_for)
        goes_on = _describe_continuation(evidence, story, hold, f"within seconds of {end}")
        outlook = f"{goes_on} {_describe_deadline(evidence, story, hold)}"
    reasons = [*describe_causes(evidence, story), *describe_changes(evidence, story, hold)]
    if story.target and story.target.unseen:
        reasons.append(
            f"Whether its rule can invoke the retry was not looked at: {story.target.unseen}."
        )
    return Statement(
        "held",
        f"{evidence.name} waits for "
        f"{join_names([upstream.label for upstream in story.waiting_for])} "
        f"{evidence.format_wait(hold.since)}. Execution {story.execution.short_id} has failed, and "
        "that is as planned: an EventBridge rule remembers it.",
        tuple(reasons),
        outlook.strip(),
        (*human_actions, *_offer_ways_out(evidence, story, hold)),
        is_fine=not human_actions,
    )


def _describe_deadline(evidence: ExplainEvidence, story: ExecutionStory, hold: Hold) -> str:
    """A rule notices that its time is over when it looks next."""
    seen_at = (
        story.rule.find_check_after(hold.give_up, evidence.now) if story.rule else hold.give_up
    )
    return describe_deadline(
        seen_at,
        hold.on_give_up,
        evidence.now,
        can_be_retried=not evidence.is_edited_since(story.execution),
    )


def _describe_continuation(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, moment: str
) -> str:
    """How the pipeline goes on, at that moment ("within seconds of ...")."""
    is_rollback = story.execution.kind == ROLLBACK
    is_edited = evidence.is_edited_since(story.execution)
    if is_edited and is_rollback:
        goes_on = (
            f"Its hold ends {moment}, and nothing is started: {NO_RETRY}, and no start takes "
            "a rollback's place"
        )
    elif is_edited and not hold.mode.starts_over:
        asks = "asks anew" if evidence.pipeline.gates else "has no gate to ask any more"
        goes_on = f"{evidence.name} starts again by itself {moment}, and {asks}: {NO_RETRY}"
    elif is_rollback or not hold.mode.starts_over:
        goes_on = f"The same execution goes on by itself {moment}: its stage is retried"
    else:
        goes_on = f"{evidence.name} starts again by itself {moment}"
    return f"{goes_on}; {_describe_next_check(evidence, story)}."


def _describe_next_check(evidence: ExplainEvidence, story: ExecutionStory) -> str:
    next_check = story.rule.next_check(evidence.now) if story.rule else None
    return (
        f"in any case it is looked at again at {format_time(next_check, evidence.now)}"
        if next_check
        else "else nobody looks: its rule has no schedule"
    )


def _offer_ways_out(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold
) -> Iterator[Remedy]:
    if not evidence.is_edited_since(story.execution):
        several = len(evidence.stories) > 1
        yield offer_release(evidence.name, story.execution.id if several else "")
    elif evidence.pipeline.gates:
        yield offer_start_and_release(evidence, NO_RETRY)
    else:
        yield offer_new_start(evidence, f" ({NO_RETRY})")
    yield offer_removal(hold.rule)


def _explain_fault(
    evidence: ExplainEvidence, story: ExecutionStory, rule: HoldRule, hold: Hold, fault: Finding
) -> Statement:
    names = join_names([dependency.label for dependency in hold.depends_on])
    waits = (
        f"waits for {names}"
        if story.blocking
        else f"is held for {names}, which does not keep it any more,"
    )
    ways_out = (
        [offer_removal(hold.rule)]
        if stops_the_retry(fault)
        else _offer_ways_out(evidence, story, hold)
    )
    return Statement(
        "broken",
        f"{evidence.name} {waits} {evidence.format_wait(hold.since)}, and nothing will start it "
        f"again: {describe_fault(fault, rule)}",
        describe_causes(evidence, story),
        remedies=(*offer_repairs(evidence, fault), *ways_out),
    )


# If nothing keeps it any more


def _explain_missing_start(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, rule: HoldRule
) -> Statement:
    names = join_names([dependency.label for dependency in hold.depends_on])
    end = story.end_of_upstreams
    since = f" since {format_time(end, evidence.now)}" if end else ""
    if not is_late(evidence, story):
        has = "has" if len(hold.depends_on) == 1 else "have"
        return Statement(
            "due",
            f"{names} {has} ended, and nothing keeps {evidence.name} any more{since}.",
            outlook=_describe_continuation(evidence, story, hold, "within seconds"),
        )
    return Statement(
        "overdue",
        f"Nothing keeps {evidence.name} any more{since}: what it waited for, {names}, is over. Yet "
        "it has not gone on.",
        (_describe_last_record(evidence, story),),
        "Its rule fires again by itself, and once the cause is gone that heals it: "
        f"{_describe_next_check(evidence, story)}.",
        (offer_log(read_rule_stage(rule), "retry"), DOCTOR, offer_new_start(evidence)),
    )


def _describe_last_record(evidence: ExplainEvidence, story: ExecutionStory) -> str:
    log = story.log or RetryLog()
    if log.unread:
        return f"Why, the retry's log says, which could not be read: {log.unread}."
    if log.missing:
        return "The retry has never run: its rule does not reach it."
    if log.errors:
        moment, error = log.errors[-1]
        return f"The retry failed at {format_time(moment, evidence.now)}: {error}"
    if log.records:
        moment, record = log.records[-1]
        return (
            f"The retry said at {format_time(moment, evidence.now)}: {record['decision']}: "
            f"{record.get('reason', '')}."
        )
    return (
        "The retry has logged nothing of it since then: the event of that end was lost, or is late."
    )
