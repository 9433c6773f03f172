"""The retry: looks whether a hold is over, and starts the held pipeline when its upstreams are idle.

The rule that invokes it keeps firing until it is removed, and it is removed last. So whatever fails or dies on the way is done again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from chalicelib import log
from chalicelib.aws import Aws
from chalicelib.decision import Fate, failed_by_gate, fate, own_restart, revisions_to_start_with, waiting_for
from chalicelib.deployment import Deployment
from chalicelib.errors import NoAnswer, NotPermitted, PipelineNotFound
from chalicelib.executions import Revision, Upstream
from chalicelib.gate import LOOK_BACK
from chalicelib.hold import Hold, rule_named_by

SURELY_DEAD = timedelta(minutes=30)
"""No gate is still making a rule that is so old: each attempt writes its own time into it, and ends within Lambda's 15 minutes."""


class Next(Enum):
    """What a hold needs now."""

    WAIT = "waiting"
    DROP = "dropped"
    START = "started"


@dataclass(frozen=True)
class Look:
    """What a look at a hold found; with START, the held execution, and the revisions to start with (none: the latest)."""

    next: Next
    reason: str
    revisions: tuple[Revision, ...] = ()


def recheck(event: object, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    """Look at the hold whose rule sent `event` (its constant Input); `now`: aware UTC. Returns what was decided, as logged.

    Most invocations find the upstream still running: those cost the look alone, at what the event says. But nothing is ever changed
    except by what EventBridge itself keeps of the hold.
    Raises RefusedInput where the event names no rule of this gate; NoAnswer or NotPermitted where AWS does not do its part: the rule
    fires again.
    """
    deployment = Deployment.of(context)
    rule = rule_named_by(event, deployment)
    told = Hold.of(event) if isinstance(event, Mapping) else None
    look = _look(told, deployment, aws, now) if told else None
    if told and look and look.next is Next.WAIT:
        return _log(told, look)
    kept = aws.eventbridge.hold_kept_by(rule)
    if kept is None:
        aws.eventbridge.delete_if_empty(rule)  # what a retry leaves behind that died between the target's removal and the rule's
        return log.decision("retry", "over", rule=rule, reason="the hold ended before")
    if look is None or kept != told:
        look = _look(kept, deployment, aws, now)
    record = _act(kept, look, aws)
    if look.next is not Next.WAIT:
        _sweep(deployment, aws, now)
    return record


def _look(hold: Hold, deployment: Deployment, aws: Aws, now: datetime) -> Look:
    try:
        executions = aws.codepipeline.executions(hold.pipeline, since=hold.since - LOOK_BACK, until=hold.execution)
        found = fate(hold.execution, executions)
        if found.fate is Fate.OVER:
            return Look(Next.DROP, found.reason)
        if found.fate is Fate.UNDECIDED:
            return Look(Next.WAIT, "the held execution is still in progress")
        waiting = waiting_for([_upstream(name, aws, now) for name in hold.depends_on])
        if waiting:
            return Look(Next.WAIT, f"still running: {', '.join(upstream.name for upstream in waiting)}")
        attempts = aws.codepipeline.attempts(hold.pipeline, hold.execution)
        if not failed_by_gate(attempts, deployment.gate_function):
            return Look(Next.DROP, f"execution {hold.execution} passed the gate at a later attempt")
        if own_restart(hold.execution, executions, deployment.retry_function):  # rare: worth the pages that may show a twin
            executions = aws.codepipeline.executions(hold.pipeline, since=hold.since - LOOK_BACK)
            if fate(hold.execution, executions).fate is not Fate.HELD:  # somebody retried its stage while this look went on
                return Look(Next.WAIT, "the held execution has moved on")
            if restart := own_restart(hold.execution, executions, deployment.retry_function):
                return Look(Next.DROP, f"execution {hold.execution} was started again already, as {restart.id}")
    except PipelineNotFound:
        return Look(Next.DROP, f"the pipeline {hold.pipeline} is gone")
    return Look(Next.START, "the upstreams are idle", revisions_to_start_with(hold.execution, executions, attempts))


def _upstream(name: str, aws: Aws, now: datetime) -> Upstream:
    try:
        return Upstream(name, aws.codepipeline.executions(name, since=now - LOOK_BACK))
    except PipelineNotFound:
        return Upstream(name)  # deleted meanwhile: idle here, and the gate of the new execution will name it


def _act(hold: Hold, look: Look, aws: Aws) -> dict[str, object]:
    if look.next is Next.WAIT:
        return _log(hold, look)
    started = None
    if look.next is Next.START:
        try:
            variables = hold.variables
            if variables is None:
                variables = aws.codepipeline.variables(hold.pipeline, hold.execution)
            started = aws.codepipeline.start(hold.pipeline, hold.start_token(), variables, look.revisions)
        except PipelineNotFound:
            look = Look(Next.DROP, f"the pipeline {hold.pipeline} is gone")
    aws.eventbridge.remove(hold.rule)
    return _log(hold, look, started)


def _sweep(deployment: Deployment, aws: Aws, now: datetime) -> None:
    """Remove rules that a gate left without a target because it was killed at each of its attempts. The release itself is done."""
    try:
        for rule in aws.eventbridge.unfinished(deployment.rule_prefix, deployment.retry_arn, before=now - SURELY_DEAD):
            aws.eventbridge.delete_if_empty(rule)
            log.decision("retry", "swept", rule=rule, reason="a rule without a target, left by a gate that died")
    except (NoAnswer, NotPermitted) as error:
        log.decision("retry", "not swept", reason=str(error))


def _log(hold: Hold, look: Look, started: str | None = None) -> dict[str, object]:
    return log.decision(
        "retry",
        look.next.value,
        reason=look.reason,
        rule=hold.rule,
        pipeline=hold.pipeline,
        held=hold.execution,
        since=hold.since.isoformat(),
        started=started,
    )
