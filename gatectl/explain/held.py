"""An execution that a rule holds: why, until when, and what is wrong if it does not continue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from chalicelib.account.cycles import DEADLOCK_REMEDY
from chalicelib.account.waits import HoldRule
from chalicelib.deployment import name_retry_function
from chalicelib.holds.continuation import Continuation, Way, find_continuation, has_filters
from chalicelib.holds.hold import Hold
from chalicelib.phrases import describe_person, format_time, join_names
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
    describe_next_check,
    describe_story_revisions,
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
    offer_cancel,
    offer_log,
    offer_release,
    offer_removal,
)

MAX_EVENT_DELAY = timedelta(minutes=1)
"""An event ends a hold within seconds. After this time, it is late."""


def is_late(evidence: ExplainEvidence, story: ExecutionStory) -> bool:
    """Whether nothing keeps the held execution waiting, and it should have continued by now."""
    if story.blocking or story.first:
        return False
    end = story.end_of_upstreams
    return end is None or evidence.now - end > MAX_EVENT_DELAY


def explain_hold(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    """`story`: of an execution that a rule holds."""
    hold, rule = story.hold, story.rule
    if hold is None or rule is None:
        raise ValueError(f"execution {story.execution.id} is not held")
    name, lasts = evidence.name, evidence.format_wait(hold.since)
    names = join_names([dependency.label for dependency in hold.depends_on])
    if fault := find_fault(evidence, story):
        return _explain_fault(evidence, story, rule, hold, fault)
    if hold.canceled_by:
        person = describe_person(hold.canceled_by, hold.comment)
        return Statement(
            "canceled",
            f"The wait of {name} was canceled by {person}. It had been waiting for {names} "
            f"{lasts}.",
            outlook="It ends within seconds or at the next check, and nothing is started. "
            f"{describe_next_check(rule, evidence.now)}",
            remedies=(offer_new_start(evidence),),
        )
    if hold.released_by:
        person = describe_person(hold.released_by, hold.comment)
        return Statement(
            "let go",
            f"{name} was released by {person}. It had been waiting for {names} {lasts}.",
            outlook="Its stage is retried within seconds, and the gate lets execution "
            f"{story.execution.short_id} pass. {describe_next_check(rule, evidence.now)}",
        )
    if cycle := find_deadlock(story.waiting_for):
        return Statement(
            "deadlock",
            f"Deadlock: {cycle}. None of them can continue. {name} has been waiting {lasts}.",
            (DEADLOCK_REMEDY,),
            _describe_deadline(evidence, story, hold, rule).strip()
            or "It does not end automatically.",
            (CHECK, *_offer_ways_out(evidence, story)),
        )
    if story.blocking:
        return _explain_wait(evidence, story, hold, rule)
    if story.first:
        return _explain_turn(evidence, story, hold, rule, story.first)
    return _explain_missing_start(evidence, story, hold, rule)


def _explain_turn(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, rule: HoldRule, first: Hold
) -> Statement:
    """`first`: the hold of another pipeline that goes before this one."""
    moment = f"within seconds after {first.pipeline} has ended"
    return Statement(
        "held",
        f"{evidence.name} has been waiting {evidence.format_wait(hold.since)}. Its upstreams are "
        f"idle now, but {first.pipeline} and {evidence.name} wait for each other, and "
        f"{first.pipeline} goes first: it has been waiting {evidence.format_wait(first.since)}.",
        outlook=f"{_describe_continuation(evidence, story, hold, moment)} "
        f"{_describe_deadline(evidence, story, hold, rule)}"
        f"{describe_next_check(rule, evidence.now)}",
        remedies=tuple(_offer_ways_out(evidence, story)),
        is_fine=True,
    )


def _explain_wait(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, rule: HoldRule
) -> Statement:
    next_check = describe_next_check(rule, evidence.now)
    human_actions = tuple(offer_human_actions(evidence, story))
    if hold.give_up and hold.is_past_deadline(evidence.now):
        ends = (
            "the wait ends and nothing is started"
            if hold.ends_by_stopping
            else "the pipeline continues anyway"
        )
        outlook = (
            f"give_up_minutes was over at {format_time(hold.give_up, evidence.now)}. At the next "
            f"check, {ends}. {next_check}"
        )
    else:
        moment = f"within seconds after {describe_end_of_wait(story.waiting_for)}"
        outlook = (
            f"{_describe_continuation(evidence, story, hold, moment)} "
            f"{_describe_deadline(evidence, story, hold, rule)}{next_check}"
        )
    reasons = [*describe_causes(evidence, story), *describe_changes(evidence, story, hold)]
    if story.target and story.target.unseen:
        reasons.append(
            "gatectl could not check whether its rule can invoke the retry function: "
            f"{story.target.unseen}."
        )
    return Statement(
        "held",
        f"{evidence.name} has been waiting for "
        f"{join_names([upstream.label for upstream in story.waiting_for])} "
        f"{evidence.format_wait(hold.since)}. Execution {story.execution.short_id} failed on "
        "purpose, and an EventBridge rule remembers it.",
        tuple(reasons),
        outlook,
        (*human_actions, *_offer_ways_out(evidence, story)),
        is_fine=not human_actions,
    )


def _describe_deadline(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, rule: HoldRule
) -> str:
    """Return what happens at the first check after give_up_minutes is over."""
    return describe_deadline(
        rule.find_check_after(hold.give_up, evidence.now),
        hold.on_give_up,
        evidence.now,
        can_be_retried=not evidence.is_edited_since(story.execution),
    )


def _describe_continuation(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, moment: str
) -> str:
    """Return how the pipeline continues at that moment ("within seconds after ..."), and with which
    revisions.
    """
    continuation = _find_continuation(evidence, story, hold)
    same_execution = continuation.way is Way.SAME_EXECUTION
    if evidence.is_edited_since(story.execution):
        if story.execution.kind == ROLLBACK:
            return (
                f"Its hold ends {moment}, but nothing is started: {NO_RETRY}, and a new execution "
                "cannot replace a rollback."
            )
        if same_execution:
            return (
                f"Its hold ends {moment}, but nothing is started: {NO_RETRY}, and a new execution "
                f"would not continue what was held: {continuation.obstacle}."
            )
        revisions = describe_story_revisions(evidence, story, continuation)
        if not hold.mode.starts_over:
            gate = (
                "Its gate then checks again." if evidence.pipeline.gates else "It has no gate now."
            )
            return (
                f"{evidence.name} starts again automatically {moment}, because {NO_RETRY}. "
                f"{revisions}{gate}"
            )
        return f"{evidence.name} starts again automatically {moment}. {revisions}".rstrip()
    if same_execution or not hold.mode.starts_over:
        revisions = describe_story_revisions(evidence, story)
        continues = f"The same execution continues automatically {moment}: its stage is retried."
        return f"{continues} {revisions}".rstrip()
    revisions = describe_story_revisions(evidence, story, continuation)
    return f"{evidence.name} starts again automatically {moment}. {revisions}".rstrip()


def _find_continuation(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold
) -> Continuation:
    """Return how a start continues the held execution, as the retry function will decide it."""
    return find_continuation(
        story.execution,
        hold.revisions,
        story.attempts,
        evidence.pipeline.executions,
        name_retry_function(read_rule_stage(story.rule) if story.rule else ""),
        filtered=has_filters(evidence.pipeline.declared),
    )


def _offer_ways_out(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[Remedy]:
    several = len(evidence.stories) > 1
    if not evidence.is_edited_since(story.execution):
        yield offer_release(evidence.name, story.execution.id if several else "")
    elif evidence.pipeline.gates:
        yield offer_start_and_release(evidence, NO_RETRY)
    else:
        yield offer_new_start(evidence, NO_RETRY)
    yield offer_cancel(evidence.name, story.execution.id if several else "")


def _explain_fault(
    evidence: ExplainEvidence, story: ExecutionStory, rule: HoldRule, hold: Hold, fault: Finding
) -> Statement:
    names = join_names([dependency.label for dependency in hold.depends_on])
    lasts = evidence.format_wait(hold.since)
    wait = (
        f"has been waiting for {names} {lasts}, and"
        if story.blocking
        else f"has been held for {names} {lasts}. It no longer has to wait, but"
    )
    ways_out = (
        [offer_removal(hold.rule)] if stops_the_retry(fault) else _offer_ways_out(evidence, story)
    )
    return Statement(
        "broken",
        f"{evidence.name} {wait} nothing will start it again: {describe_fault(fault, rule)}",
        describe_causes(evidence, story),
        remedies=(*offer_repairs(evidence, fault), *ways_out),
    )


# If nothing keeps it waiting


def _explain_missing_start(
    evidence: ExplainEvidence, story: ExecutionStory, hold: Hold, rule: HoldRule
) -> Statement:
    names = join_names([dependency.label for dependency in hold.depends_on])
    end = story.end_of_upstreams
    as_of = f"As of {format_time(end, evidence.now)}, " if end else ""
    headline = f"{as_of}{evidence.name} no longer has to wait for {names}"
    next_check = describe_next_check(rule, evidence.now)
    if not is_late(evidence, story):
        continuation = _describe_continuation(evidence, story, hold, "within seconds")
        return Statement("due", f"{headline}.", outlook=f"{continuation} {next_check}")
    return Statement(
        "overdue",
        f"{headline}, but it has not continued.",
        (_describe_last_record(evidence, story),),
        f"Its rule fires again, so it continues once the cause is removed. {next_check}",
        (offer_log(read_rule_stage(rule), "retry"), DOCTOR, offer_new_start(evidence)),
    )


def _describe_last_record(evidence: ExplainEvidence, story: ExecutionStory) -> str:
    log = story.log or RetryLog()
    if log.unread:
        return f"The retry function's log may say why, but it could not be read: {log.unread}."
    if log.missing:
        return "The retry function has never run: its rule does not reach it."
    if log.errors:
        moment, error = log.errors[-1]
        return f"The retry function failed at {format_time(moment, evidence.now)}: {error}"
    if log.records:
        moment, record = log.records[-1]
        return (
            f"The retry function logged at {format_time(moment, evidence.now)}: "
            f"{record['decision']}: {record.get('reason', '')}."
        )
    return (
        "The retry function has logged nothing about it since then: the event that should have "
        "invoked it was lost or is late."
    )
