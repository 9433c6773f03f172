"""The retry: looks whether a hold is over, and lets the held pipeline go on when its upstreams let
it.

The rule that invokes it keeps firing until it is removed, and it is removed last. So whatever fails
or dies on the way is done again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from chalicelib.aws.clients import Aws
from chalicelib.deployment import Deployment
from chalicelib.errors import (
    REFUSALS,
    NoAnswer,
    NotPermitted,
    NotRetryable,
    PipelineNotFound,
    TakenOver,
)
from chalicelib.holds.fate import (
    Fate,
    choose_revisions,
    find_closed_gate,
    find_execution,
    find_fate,
    find_restart,
    has_passed_gate,
    is_gate_in_progress,
)
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import read_rule_name
from chalicelib.pipelines.execution import PARALLEL, ROLLBACK, Attempt, Revision
from chalicelib.pipelines.reader import LOOK_BACK, UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_deadlock, find_unsatisfied
from chalicelib.records import log
from chalicelib.records.events import announce_decision

SURELY_DEAD = timedelta(minutes=30)
"""No gate is still making a rule that is so old: each attempt writes its own time into it, and ends
within Lambda's 15 minutes.
"""


class Next(Enum):
    """What a hold needs now; the word for it in the log."""

    WAIT = "waiting"
    DEADLOCK = "deadlock"
    DROP = "dropped"
    GIVE_UP = "gave up"
    START = "started"
    RETRY = "retried"


STANDS = (Next.WAIT, Next.DEADLOCK)
"""The hold stays as it is."""


@dataclass(frozen=True)
class Look:
    """What a look at a hold found.

    With START and RETRY: the `revisions` to start with (none: the latest), the failed `stage` to
    retry, whether a plain start may take a retry's place (`replaceable`), and whether the held
    execution stands on its own, whatever newer ones do (`parallel`).
    """

    next: Next
    reason: str
    revisions: tuple[Revision, ...] = ()
    stage: str = ""
    replaceable: bool = True
    parallel: bool = False


def check_hold(event: object, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    """Look at the hold whose rule sent `event` (its constant Input); `now`: aware UTC. Returns what
    was decided, as logged.

    Most invocations find the upstream still running: those cost one call for each that the event
    names (two for one stage of it). But nothing is ever changed except by what EventBridge itself
    keeps of the hold. Raises RefusedInput where the event names no rule of this gate; NoAnswer or
    NotPermitted where AWS does not do its part: the rule fires again.
    """
    deployment = Deployment.from_context(context)
    rule = read_rule_name(event, deployment)
    told = Hold.parse(event) if isinstance(event, Mapping) else None
    look = _look(told, deployment, aws, context, now) if told else None
    if told and look and look.next in STANDS:
        return _record(told, look, aws, now)
    kept = aws.eventbridge.read_hold(rule)
    if kept is None:
        aws.eventbridge.delete_empty_rule(
            rule
        )  # what a retry leaves behind that died between the target's removal and the rule's
        return log.log_decision("retry", "over", rule=rule, reason="the hold ended before")
    if look is None or kept != told:
        look = _look(kept, deployment, aws, context, now)
    record = _act(kept, look, aws, now)
    if look.next not in STANDS:
        _sweep(deployment, aws, now)
    return record


def _look(hold: Hold, deployment: Deployment, aws: Aws, context: object, now: datetime) -> Look:
    try:
        asking = UpstreamReader(hold.pipeline, hold.execution, aws, context, now)
        waiting = _waiting(hold, asking, now)
        reason = f"still waiting for {', '.join(upstream.label for upstream in waiting)}"
        if waiting and not hold.ends_anyway(now):
            cycle = find_deadlock(waiting)
            return (
                Look(Next.DEADLOCK, f"{cycle}: none of them can go on by itself")
                if cycle
                else Look(Next.WAIT, reason)
            )
        executions = aws.codepipeline.list_executions(
            hold.pipeline, since=hold.since - LOOK_BACK, until=hold.execution
        )
        found = find_fate(hold.execution, executions)
        if found.fate is Fate.OVER:
            return Look(Next.DROP, found.reason)
        if found.fate is Fate.UNDECIDED:
            return Look(Next.WAIT, "the held execution is still in progress")
        if waiting and hold.ends_by_stopping:
            return Look(Next.GIVE_UP, reason)
        attempts = _attempts(hold, deployment, aws)
        if is_gate_in_progress(attempts, deployment.gate_function):
            return Look(Next.WAIT, "the held execution has moved on")
        if has_passed_gate(attempts, deployment.gate_function):
            return Look(Next.DROP, f"execution {hold.execution} passed the gate at a later attempt")
        if find_restart(
            hold.execution, executions, deployment.retry_function
        ):  # rare: worth the pages that may show a twin
            executions = aws.codepipeline.list_executions(
                hold.pipeline, since=hold.since - LOOK_BACK
            )
            if (
                find_fate(hold.execution, executions).fate is not Fate.HELD
            ):  # somebody retried its stage while this look went on
                return Look(Next.WAIT, "the held execution has moved on")
            if restart := find_restart(hold.execution, executions, deployment.retry_function):
                return Look(
                    Next.DROP,
                    f"execution {hold.execution} was started again already, as {restart.id}",
                )
    except PipelineNotFound:
        return Look(Next.DROP, f"the pipeline {hold.pipeline} is gone")
    own, closed = (
        find_execution(hold.execution, executions),
        find_closed_gate(attempts, deployment.gate_function),
    )
    in_place = (
        waiting or not hold.mode.starts_over or own.kind == ROLLBACK
    )  # only the same execution's gate knows why it may pass
    if in_place and closed and closed.error in REFUSALS:
        return Look(
            Next.DROP,
            f"the gate failed at its last attempt ({closed.error}): asked again, it would again",
        )
    return Look(
        Next.RETRY if in_place and closed else Next.START,
        f"{f'let go by {hold.released_by}' if hold.released_by else 'gave up'}: {reason}"
        if waiting
        else "the upstreams are idle",
        choose_revisions(own, hold.revisions, attempts),
        closed.stage if closed else "",
        replaceable=own.kind != ROLLBACK,
        parallel=own.mode == PARALLEL,
    )


def _waiting(hold: Hold, asking: UpstreamReader, now: datetime) -> Sequence[Upstream]:
    """The upstreams that still keep the hold. One that was deleted meanwhile does not: the next
    gate will name it.
    """
    waiting = find_unsatisfied(
        [one for one in asking.read_upstreams(hold.depends_on) if not one.missing]
    )
    unanswered = [one.unanswered for one in waiting if one.unanswered]
    if unanswered and not hold.ends_anyway(now):
        raise NoAnswer(unanswered[0])
    return waiting


def _attempts(hold: Hold, deployment: Deployment, aws: Aws) -> tuple[Attempt, ...]:
    """The attempts of the held execution's actions; those of its stages' conditions too, unless the
    actions show the closed gate.
    """
    attempts = aws.codepipeline.list_attempts(hold.pipeline, hold.execution)
    if find_closed_gate(attempts, deployment.gate_function):
        return attempts
    return (*attempts, *aws.codepipeline.list_condition_attempts(hold.pipeline, hold.execution))


def _act(hold: Hold, look: Look, aws: Aws, now: datetime) -> dict[str, object]:
    if look.next is Next.RETRY:
        look = _retry_stage(hold, look, aws)
    started = None
    if look.next is Next.START:
        if look.replaceable:
            look, started = _start(hold, look, aws)
        else:
            look = Look(
                Next.DROP,
                f"execution {hold.execution} is a rollback, which cannot be retried any more and "
                "which no start replaces",
            )
    # A retried execution keeps its rule: should the gate hold it again, it is the same one. It goes
    # when the execution has ended.
    if look.next not in (*STANDS, Next.RETRY):
        aws.eventbridge.remove_rule(hold.rule)
    return _record(hold, look, aws, now, started)


def _retry_stage(hold: Hold, look: Look, aws: Aws) -> Look:
    """Retry the held stage; what is left to do where AWS refuses."""
    try:
        try:
            aws.codepipeline.retry_stage(hold.pipeline, look.stage, hold.execution)
        except NotRetryable:
            # Edited since, or somebody (an earlier attempt of ours) has retried it already: only
            # another look tells.
            executions = aws.codepipeline.list_executions(
                hold.pipeline, since=hold.since - LOOK_BACK, until=hold.execution
            )
            if find_fate(hold.execution, executions).fate is not Fate.HELD:
                return Look(Next.WAIT, "the held execution has moved on")
            return replace(
                look,
                next=Next.START,
                reason=f"{look.reason}; the pipeline was edited, so its stage cannot be retried",
            )
    except TakenOver:
        newer = f"a newer execution has entered the stage {look.stage}"
        if look.parallel:  # and its pipeline is so no longer, or AWS would not refuse
            return replace(
                look, next=Next.START, reason=f"{look.reason}; {newer}, so it cannot be retried"
            )
        return Look(Next.DROP, newer)
    except PipelineNotFound:
        return Look(Next.DROP, f"the pipeline {hold.pipeline} is gone")
    return look


def _start(hold: Hold, look: Look, aws: Aws) -> tuple[Look, str | None]:
    try:
        variables = hold.variables
        if variables is None:
            variables = aws.codepipeline.read_variables(hold.pipeline, hold.execution)
        return look, aws.codepipeline.start_pipeline(
            hold.pipeline, hold.start_token(), variables, look.revisions
        )
    except PipelineNotFound:
        return Look(Next.DROP, f"the pipeline {hold.pipeline} is gone"), None


def _sweep(deployment: Deployment, aws: Aws, now: datetime) -> None:
    """Remove rules that a gate left without a target because it was killed at each of its attempts.
    The release itself is done.
    """
    try:
        for rule in aws.eventbridge.list_unfinished_rules(
            deployment.rule_prefix, deployment.retry_arn, before=now - SURELY_DEAD
        ):
            aws.eventbridge.delete_empty_rule(rule)
            log.log_decision(
                "retry",
                "swept",
                rule=rule,
                reason="a rule without a target, left by a gate that died",
            )
    except (NoAnswer, NotPermitted) as error:
        log.log_decision("retry", "not swept", reason=str(error))


def _record(
    hold: Hold, look: Look, aws: Aws, now: datetime, started: str | None = None
) -> dict[str, object]:
    over = look.next not in STANDS
    record = log.log_decision(
        "retry",
        look.next.value,
        reason=look.reason,
        rule=hold.rule,
        pipeline=hold.pipeline,
        execution=hold.execution,
        since=hold.since.isoformat(),
        # A late twin of the gate may have made the hold anew since this invocation began.
        waited_seconds=max(0, int((now - hold.since).total_seconds())) if over else None,
        started=started,
    )
    if bus := os.environ.get("EVENT_BUS"):
        announce_decision(record, bus, aws)
    return record
