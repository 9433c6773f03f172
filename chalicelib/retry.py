"""The retry: checks whether a hold is over, and if so lets the held pipeline continue.

The rule that invokes it keeps firing until it is removed, and it is removed last. So whatever fails
or dies on the way is done again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
    StartRefused,
    TakenOver,
)
from chalicelib.holds.continuation import (
    Continuation,
    Way,
    choose_revisions,
    depends_on_triggers,
    find_continuation,
    has_filters,
    list_needed_variables,
    list_sources,
)
from chalicelib.holds.fate import (
    MOVED_ON,
    Evidence,
    Standing,
    describe_later_pass,
    find_closed_gate,
    find_closed_gates,
    find_execution,
    find_last_attempts,
)
from chalicelib.holds.hold import Hold, Restart, refuse_too_many_upstreams
from chalicelib.holds.reader import read_attempts, read_fate, read_first_hold
from chalicelib.holds.rule import is_rule_of, read_rule_name
from chalicelib.holds.verdict import Verdict
from chalicelib.phrases import describe_person
from chalicelib.pipelines.execution import (
    LONGEST_LAG_SECONDS,
    LOOK_BACK,
    PARALLEL,
    ROLLBACK,
    Attempt,
    Execution,
)
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_deadlock, find_unsatisfied
from chalicelib.records.log import log_decision
from chalicelib.records.outcomes import Outcome
from chalicelib.records.report import report_decision
from chalicelib.wording.continuation import describe_revisions, describe_start_command

MAX_MAKING_TIME = timedelta(minutes=30)
"""A gate makes no rule for longer: each attempt writes its own time into it, and ends within
Lambda's 15 minutes.
"""
PAUSE_SECONDS = 5
"""Between two checks in one invocation, and between two readings of a list."""
CHECKS_AFTER_EVENT = 1 + LONGEST_LAG_SECONDS // PAUSE_SECONDS
"""After an event, AWS's lists may not show yet what it was about."""
READINGS_AFTER_START = 3
NO_EVIDENCE = Evidence("", "", "")
RESTARTS = {outcome.word: outcome for outcome in (Outcome.STARTED, Outcome.LET_GO, Outcome.GAVE_UP)}
"""How the start of a held pipeline is reported."""


class Step(Enum):
    """What to do about a hold. `STAY`: leave it. `END`: remove it. `START` and `RETRY`: let its
    pipeline continue, as a new execution or in the same one.
    """

    STAY = "stay"
    END = "end"
    START = "start"
    RETRY = "retry"


@dataclass(frozen=True)
class Plan:
    """What to do about a hold, and how that is reported.

    With START and RETRY: the `evidence` by which the hold stands, how a start continues it
    (`continuation`; None: that was not read yet), the gate's failed attempt (`closed`) whose stage
    to retry, and whether the held execution stands on its own, whatever newer ones do (`parallel`).
    A start and a retry may each take the place of the other, if AWS refuses it: `is_second` if that
    has happened. `started`: the execution that was started already, by an invocation that did not
    come to the end.

    `start_command`: how a person starts the pipeline, if neither continues what was held.
    `moved_on`: the held stage was retried, so its execution is not waiting now, although its hold
    stands.
    """

    step: Step
    outcome: Outcome
    reason: str
    replaced_by: str | None = None
    evidence: Evidence = NO_EVIDENCE
    continuation: Continuation | None = None
    closed: Attempt | None = None
    is_second: bool = False
    parallel: bool = False
    started: str | None = None
    start_command: str | None = None
    moved_on: bool = False


GATE_NOT_SHOWN = Plan(Step.STAY, Outcome.WAITING, "AWS does not show the gate's attempt yet")


def check_hold(event: object, context: object, aws: Aws, now: datetime) -> dict[str, object]:
    """Check the hold whose rule sent `event` (its constant Input); `now`: aware UTC. Returns what
    was decided, as logged.

    Most invocations find the upstream still running: those cost one call for each upstream that the
    event names (two for one stage of it). Before anything is changed, the hold is read from its
    rule: the event may be stale or forged. Raises RefusedInput if the event names no rule of this
    gate, and NoAnswer or NotPermitted if AWS does not do its part: the rule fires again.
    """
    deployment = Deployment.from_context(context)
    rule = read_rule_name(event, deployment)
    fields = event if isinstance(event, Mapping) else {}
    refuse_too_many_upstreams(fields)
    claimed = _put_due_wait_first(Hold.parse(fields), deployment, aws, now)
    hold, plan = _check(rule, claimed, deployment, aws, context, now)
    for _ in range(1, _count_checks(claimed, now)):
        if plan is None or plan.outcome is not Outcome.WAITING:
            break
        time.sleep(PAUSE_SECONDS)
        hold, plan = _check(rule, claimed, deployment, aws, context, now)
    if hold is None or plan is None:
        return log_decision("retry", Outcome.OVER, rule=rule, reason="the hold had already ended")
    record = _carry_out(hold, plan, deployment, aws, now)
    if plan.step is not Step.STAY:
        _sweep(deployment, aws, now)
    return record


def _count_checks(claimed: Hold | None, now: datetime) -> int:
    """Return how often to check before the hold is left to the next firing.

    The rule's schedule comes again anyway. An event or a person's command does not, and AWS may not
    show yet what has happened.
    """
    if claimed is None:
        return 1
    scheduled = claimed.is_checked_on_schedule(now) and claimed.marked_by is None
    return 1 if scheduled else CHECKS_AFTER_EVENT


def _check(
    rule: str,
    claimed: Hold | None,
    deployment: Deployment,
    aws: Aws,
    context: object,
    now: datetime,
) -> tuple[Hold | None, Plan | None]:
    """Return the hold of a rule and what to do about it; None, None if it has ended.

    `claimed`: what the event says about the hold. It is enough to stay, but not to change anything.
    """
    plan = _make_plan(claimed, deployment, aws, context, now) if claimed else None
    # A deadlock is counted and announced, so it has to be a hold that EventBridge really keeps.
    if plan and plan.step is Step.STAY and plan.outcome is not Outcome.DEADLOCK:
        return claimed, plan
    kept = _put_due_wait_first(aws.eventbridge.read_hold(rule), deployment, aws, now)
    if kept is None:
        # Left by a retry that died between the removal of the target and that of the rule.
        if aws.eventbridge.delete_empty_rule(rule) or claimed is None:
            return None, None
        return claimed, Plan(Step.STAY, Outcome.WAITING, "AWS does not show the hold yet")
    if plan is None or kept != claimed:
        plan = _make_plan(kept, deployment, aws, context, now)
    return kept, plan


def _put_due_wait_first(
    hold: Hold | None, deployment: Deployment, aws: Aws, now: datetime
) -> Hold | None:
    """Choose which wait to act on if several gates share the rule: one that ends whatever its
    upstreams do, or else the one that held last.

    A gate that passes leaves its wait in the rule, so a wait is due only if its gate is closed.
    """
    if hold is None or hold.ends_anyway(now):
        return hold
    due = [wait for wait in hold.neighbors if wait.ends_anyway(now) and not wait.end_reported]
    if not due:
        return hold
    try:
        attempts = read_attempts(aws.codepipeline, hold, deployment.gate_function)
    except PipelineNotFound:
        return hold
    closed = find_closed_gates(attempts, deployment.gate_function)
    due = [wait for wait in due if _is_closed(wait, hold, closed)]
    return hold.put_first(due[0]) if due else hold


def _is_closed(wait: Hold, hold: Hold, closed: Sequence[Attempt]) -> bool:
    """Return whether the gate of one of the hold's waits is closed. If AWS did not tell which gate
    it is, it is one that no other wait names.
    """
    gates = {(attempt.stage, attempt.action) for attempt in closed}
    if wait.gate:
        return wait.gate in gates
    return bool(gates - {other.gate for other in hold.waits})


def _has_passed(hold: Hold, evidence: Evidence) -> bool:
    """Return whether the hold's own gate has let the execution pass, and another gate has failed it
    since that needs no rule, because it refused or gave up.
    """
    last = find_last_attempts(evidence.attempts or (), evidence.gate_function)
    if any(attempt.verdict is Verdict.HELD for attempt in last):
        # That gate's wait is not in the rule: two gates wrote it at the same moment.
        return False
    return any(
        (attempt.stage, attempt.action) == hold.gate and attempt.status == "Succeeded"
        for attempt in last
    )


def _make_plan(
    hold: Hold, deployment: Deployment, aws: Aws, context: object, now: datetime
) -> Plan:
    if hold.restart:
        outcome = RESTARTS.get(hold.restart.outcome, Outcome.STARTED)
        reason = f"it was started again as {hold.restart.execution}"
        return Plan(Step.START, outcome, reason, started=hold.restart.execution)
    reader = UpstreamReader(hold.pipeline, aws, context, now)
    upstreams = [] if hold.canceled_by else _read_upstreams(hold, reader, now)
    waiting = find_unsatisfied(upstreams)
    reason = f"still waiting for {', '.join(upstream.label for upstream in waiting)}"
    if waiting and not hold.ends_anyway(now):
        if cycle := find_deadlock(waiting):
            reason = f"{cycle}: none of them can continue"
            return Plan(Step.STAY, Outcome.DEADLOCK, reason)
        return Plan(Step.STAY, Outcome.WAITING, reason)
    if not hold.ends_anyway(now) and (first := read_first_hold(hold, upstreams, aws, context, now)):
        reason = f"{first.pipeline} has waited longer, and goes first"
        return Plan(Step.STAY, Outcome.WAITING, reason)
    fate, evidence = read_fate(aws.codepipeline, hold, deployment.stage, now)
    if fate.standing is Standing.ENDED:
        return Plan(Step.END, Outcome.DROPPED, fate.reason, replaced_by=fate.replaced_by)
    if fate.standing is Standing.MOVED_ON:
        return Plan(Step.STAY, Outcome.WAITING, fate.reason, moved_on=True)
    if _has_passed(hold, evidence):
        return Plan(Step.END, Outcome.DROPPED, describe_later_pass(hold.execution))
    if hold.canceled_by:
        canceled = f"canceled by {describe_person(hold.canceled_by, hold.comment)}"
        return Plan(Step.END, Outcome.CANCELED, canceled)
    if waiting and hold.ends_by_stopping:
        return Plan(Step.END, Outcome.GAVE_UP, reason)
    return _plan_to_go_on(hold, waiting, reason, evidence, aws)


def _plan_to_go_on(
    hold: Hold, waiting: Sequence[Upstream], reason: str, evidence: Evidence, aws: Aws
) -> Plan:
    """The hold stands, and its wait is over."""
    held = find_execution(hold.execution, evidence.executions or ())
    attempts = evidence.attempts or ()
    closed = find_closed_gate(attempts, evidence.gate_function)
    # A release and a deadline belong to one execution. A new one would be held again, so its stage
    # is retried instead.
    same_execution, continuation = waiting or not hold.mode.starts_over, None
    if not same_execution:
        continuation = _read_continuation(hold, evidence, aws)
        same_execution = continuation.way is Way.SAME_EXECUTION
    if same_execution and closed and closed.error in REFUSALS:
        last = find_last_attempts(attempts, evidence.gate_function)
        if any(attempt.status == "InProgress" for attempt in last):
            return Plan(Step.STAY, Outcome.WAITING, "another gate has not answered yet")
        reason = f"the gate refused its last attempt ({closed.error}), and would refuse it again"
        return Plan(Step.END, Outcome.DROPPED, reason)
    step = Step.RETRY if same_execution and closed else Step.START
    if not waiting:
        outcome = Outcome.RETRIED if step is Step.RETRY else Outcome.STARTED
        reason = "the upstreams are idle"
    elif hold.released_by:
        person = describe_person(hold.released_by, hold.comment)
        outcome, reason = Outcome.LET_GO, f"released by {person}: {reason}"
    else:
        outcome, reason = Outcome.GAVE_UP, f"gave up: {reason}"
    return Plan(
        step,
        outcome,
        reason,
        evidence=evidence,
        continuation=continuation,
        closed=closed,
        parallel=held.mode == PARALLEL,
    )


def _read_continuation(hold: Hold, evidence: Evidence, aws: Aws) -> Continuation:
    """Return how a start continues the held execution. Reads the pipeline's structure only if its
    triggers decide that.
    """
    executions, retry = evidence.executions or (), evidence.retry_function
    held, filtered = find_execution(hold.execution, executions), None
    if depends_on_triggers(held.origin, hold.revisions, retry):
        # Without an answer, the same execution continues.
        with suppress(NotPermitted, NoAnswer, PipelineNotFound):
            filtered = has_filters(aws.codepipeline.read_declaration(hold.pipeline)[0])
    return find_continuation(
        held, hold.revisions, evidence.attempts or (), executions, retry, filtered=filtered
    )


def _read_upstreams(hold: Hold, reader: UpstreamReader, now: datetime) -> list[Upstream]:
    """Return the upstreams that exist. One that was deleted keeps no hold: the next gate will name
    it.
    """
    upstreams = [each for each in reader.read_upstreams(hold.depends_on) if not each.missing]
    unanswered = [upstream.unanswered for upstream in upstreams if upstream.unanswered]
    if unanswered and not hold.ends_anyway(now):
        raise NoAnswer(unanswered[0])
    return upstreams


def _carry_out(
    hold: Hold, plan: Plan, deployment: Deployment, aws: Aws, now: datetime
) -> dict[str, object]:
    if plan.step is Step.RETRY:
        plan = _retry_stage(hold, plan, deployment, aws, now)
    started = plan.started
    if plan.step is Step.START and started is None:
        plan, started = _start_pipeline(hold, plan, deployment, aws, now)
    newer = started or plan.replaced_by
    listed = _list_until(hold, newer, aws) if newer else ()
    if listed is None:
        reason = f"AWS does not list the newer execution {newer} yet"
        return _report(hold, Plan(Step.STAY, Outcome.WAITING, reason), aws, now)
    if started and listed:
        plan = _check_restart(hold, plan, started, listed, deployment, aws, now)
    between = _find_between(hold.execution, started, listed)
    # A retried execution keeps its rule: should the gate hold it again, it is the same one. It goes
    # when the execution has ended.
    if plan.step not in (Step.END, Step.START):
        return _report(hold, plan, aws, now, started)
    if not aws.eventbridge.remove_target(hold.rule):
        # Another retry of this hold was faster, and reports its end.
        plan = replace(plan, outcome=Outcome.OVER)
    # Reported before the rest is tidied up: if that fails, the next invocation finds no target.
    record = _report(hold, plan, aws, now, started, between)
    _delete_rule(hold.rule, aws)
    return record


def _retry_stage(hold: Hold, plan: Plan, deployment: Deployment, aws: Aws, now: datetime) -> Plan:
    """Retry the held stage; returns what is left to do if AWS refuses."""
    # The rule outlives this end of the wait. From now on it says so, and whatever removes it
    # reports no second end. A gate that holds the execution again writes a new Input.
    marked = replace(hold, end_reported=True, restart=None)
    try:
        if not aws.eventbridge.put_target(marked, deployment.retry_arn):
            return Plan(Step.END, Outcome.OVER, "the rule was removed by hand")
    except NotPermitted:
        pass  # an old policy: the pipeline continues, and a second end may be counted
    try:
        refused = _ask_for_retry(hold, plan, deployment, aws, now)
    except Exception:
        _unmark(hold, marked, deployment, aws)
        raise
    if refused:
        _unmark(hold, marked, deployment, aws)
    return refused or plan


def _unmark(hold: Hold, marked: Hold, deployment: Deployment, aws: Aws) -> None:
    """The stage was not retried: take the mark back, unless a gate wrote a new Input since."""
    time.sleep(LONGEST_LAG_SECONDS)
    if aws.eventbridge.read_hold(hold.rule) == marked:
        aws.eventbridge.put_target(hold, deployment.retry_arn)


def _ask_for_retry(
    hold: Hold, plan: Plan, deployment: Deployment, aws: Aws, now: datetime
) -> Plan | None:
    """Retry the held stage. None if AWS does; otherwise what is left to do."""
    stage = plan.closed.stage if plan.closed else ""
    try:
        aws.codepipeline.retry_stage(hold.pipeline, stage, hold.execution)
    except NotRetryable:
        # The pipeline was edited, or the stage was already retried (perhaps by an earlier attempt
        # of this retry). Only another check tells which.
        if not _is_still_closed(hold, plan, deployment, aws, now):
            return Plan(Step.STAY, Outcome.WAITING, MOVED_ON, moved_on=True)
        return _replace_by_start(
            hold, plan, "the pipeline was edited, so its stage cannot be retried", aws
        )
    except TakenOver:
        newer = f"a newer execution has entered the stage {stage}"
        if plan.parallel:  # and its pipeline is so no longer, or AWS would not refuse
            return _replace_by_start(hold, plan, f"{newer}, so it cannot be retried", aws)
        return Plan(Step.END, Outcome.DROPPED, newer)
    except PipelineNotFound:
        return _drop_for_missing_pipeline(hold)
    return None


def _is_still_closed(
    hold: Hold, plan: Plan, deployment: Deployment, aws: Aws, now: datetime
) -> bool:
    """Whether the hold stands because of the same attempt of its gate."""
    if plan.is_second:
        # A start that failed may be a newer execution already, and AWS may not show yet that
        # another invocation has just retried the stage.
        time.sleep(LONGEST_LAG_SECONDS)
        with suppress(PipelineNotFound):
            attempts = read_attempts(aws.codepipeline, hold, deployment.gate_function)
            return find_closed_gate(attempts, deployment.gate_function) == plan.closed
        return False
    fate, evidence = read_fate(aws.codepipeline, hold, deployment.stage, now)
    closed = find_closed_gate(evidence.attempts or (), evidence.gate_function)
    return fate.standing is Standing.HELD and closed == plan.closed


def _replace_by_start(hold: Hold, plan: Plan, why: str, aws: Aws) -> Plan:
    """AWS does not retry the stage: start the pipeline, unless AWS has refused that before."""
    if plan.is_second:
        return _give_up(hold, plan, why, aws)
    outcome = Outcome.STARTED if plan.outcome is Outcome.RETRIED else plan.outcome
    reason = f"{plan.reason}; {why}"
    return replace(plan, step=Step.START, outcome=outcome, reason=reason, is_second=True)


def _replace_by_retry(
    hold: Hold, plan: Plan, why: str, deployment: Deployment, aws: Aws, now: datetime
) -> Plan:
    """The pipeline cannot start: retry the stage, unless AWS has refused that before. Returns what
    is left to do.
    """
    if plan.closed is None and plan.evidence.recent:
        return GATE_NOT_SHOWN
    if plan.is_second or plan.closed is None or plan.closed.error in REFUSALS:
        return _give_up(hold, plan, why, aws)
    outcome = Outcome.RETRIED if plan.outcome is Outcome.STARTED else plan.outcome
    reason = f"{plan.reason}; {why}"
    retry = replace(plan, step=Step.RETRY, outcome=outcome, reason=reason, is_second=True)
    return _retry_stage(hold, retry, deployment, aws, now)


def _give_up(hold: Hold, plan: Plan, why: str, aws: Aws) -> Plan:
    """Neither a start nor a retry continues what was held."""
    command = describe_start_command(hold.pipeline, variables=_list_needed_variables(hold, aws))
    return Plan(Step.END, Outcome.GAVE_UP, f"{plan.reason}; {why}", start_command=command)


def _list_needed_variables(hold: Hold, aws: Aws) -> list[str]:
    """Return the variables that a person has to set to start what was held, by name."""
    held = hold.variables or {}
    with suppress(NotPermitted, NoAnswer, PipelineNotFound):
        held = _read_variables(hold, aws)
        return list_needed_variables(held, aws.codepipeline.read_declaration(hold.pipeline)[0])
    return [name for name, value in held.items() if value]


def _read_variables(hold: Hold, aws: Aws) -> Mapping[str, str]:
    if hold.variables is not None:
        return hold.variables
    return aws.codepipeline.read_execution(hold.pipeline, hold.execution).variables


def _end_without_start(hold: Hold, plan: Plan, obstacle: str, aws: Aws) -> Plan:
    """The stage cannot be retried, and a new execution would not continue what was held."""
    if plan.closed is None and plan.evidence.recent:
        return GATE_NOT_SHOWN
    held = find_execution(hold.execution, plan.evidence.executions or ())
    if held.kind == ROLLBACK:
        reason = (
            f"execution {hold.execution} is a rollback that can no longer be retried, and a new "
            "execution would not roll back"
        )
        return Plan(Step.END, Outcome.DROPPED, reason)
    attempts = plan.evidence.attempts or ()
    revisions, sources = choose_revisions(held, attempts), list_sources(attempts)
    variables = _list_needed_variables(hold, aws)
    command = describe_start_command(hold.pipeline, revisions, sources, variables)
    reason = f"{plan.reason}; a new execution would not continue what was held: {obstacle}"
    return Plan(Step.END, Outcome.GAVE_UP, reason, start_command=command)


def _start_pipeline(
    hold: Hold, plan: Plan, deployment: Deployment, aws: Aws, now: datetime
) -> tuple[Plan, str | None]:
    """Start the pipeline. Returns what is left to do, and the new execution if there is one."""
    continuation = plan.continuation or _read_continuation(hold, plan.evidence, aws)
    if continuation.way is Way.SAME_EXECUTION:
        return _end_without_start(hold, plan, continuation.obstacle, aws), None
    plan = replace(plan, continuation=continuation)
    try:
        started = aws.codepipeline.start_pipeline(
            hold.pipeline,
            hold.start_token(),
            _read_variables(hold, aws),
            continuation.revisions,
        )
    except PipelineNotFound:
        return _drop_for_missing_pipeline(hold), None
    except StartRefused as refusal:
        took = {revision.action: revision.id for revision in continuation.revisions}
        revisions = describe_revisions(took, {}) if took else "the latest revision"
        why = f"{hold.pipeline} could not be started with {revisions}: {refusal}"
        return _replace_by_retry(hold, plan, why, deployment, aws, now), None
    # Should this invocation die now, the next one only has to remove the rule.
    marked = replace(hold, restart=Restart(started, plan.outcome.word))
    with suppress(NotPermitted):  # an old policy: the start's token makes AWS ignore a repeat
        aws.eventbridge.put_target(marked, deployment.retry_arn)
    return plan, started


def _list_until(hold: Hold, newer: str, aws: Aws) -> tuple[Execution, ...] | None:
    """Wait until AWS lists a newer execution; returns the list. None: AWS does not list it yet. The
    list is empty if the pipeline was deleted: then no gate can take it for idle.

    While a list shows only the held execution, which failed, its rule is what tells the gates that
    wait for this pipeline that it will run again. So the rule stays until no answer of AWS can be
    so old that it does not show the new execution.
    """
    time.sleep(LONGEST_LAG_SECONDS)
    for reading in range(READINGS_AFTER_START):
        if reading:
            time.sleep(PAUSE_SECONDS)
        try:
            executions = aws.codepipeline.list_executions(
                hold.pipeline, since=hold.since - LOOK_BACK, until=hold.execution
            )
        except PipelineNotFound:
            return ()
        except NoAnswer:
            return None  # no reason for Lambda to repeat all of this: the next firing lists again
        if any(execution.id == newer for execution in executions):
            return executions
    return None


def _check_restart(
    hold: Hold,
    plan: Plan,
    started: str,
    listed: Sequence[Execution],
    deployment: Deployment,
    aws: Aws,
    now: datetime,
) -> Plan:
    """Return what is left to do about a hold whose pipeline was `started` again, once AWS lists
    that execution.
    """
    kept = aws.eventbridge.read_hold(hold.rule)
    if kept not in (None, hold) and (kept.restart is None or kept.restart.execution != started):
        # Its stage was retried since, and its gate may have held it again by this rule.
        return Plan(Step.STAY, Outcome.WAITING, MOVED_ON, moved_on=True)
    restart = find_execution(started, listed)
    if restart.status != "Failed":
        return plan
    if plan.started and not restart.revisions:
        # An earlier invocation made the start, and did not see this. The next one starts again,
        # which AWS ignores, with all that it takes to retry the stage instead.
        aws.eventbridge.put_target(replace(hold, restart=None), deployment.retry_arn)
        return Plan(Step.STAY, Outcome.WAITING, f"execution {started} failed in its source")
    if plan.continuation is None or not _has_lost_revision(plan.continuation, restart):
        return plan
    why = f"execution {started} failed because a source could not take the held revision"
    # Should this not be answered either, the next invocation finds the mark again.
    marked = replace(hold, restart=Restart(started, plan.outcome.word))
    return _replace_by_retry(marked, plan, why, deployment, aws, now)


def _has_lost_revision(continuation: Continuation, failed: Execution) -> bool:
    """Whether an execution that failed was to take held revisions, and took none of a source."""
    return not {revision.action for revision in continuation.revisions} <= failed.revisions.keys()


def _find_between(held: str, started: str | None, executions: Sequence[Execution]) -> list[str]:
    """Return the executions that began after the held one was the newest, and before the one that
    was `started` in its place. In PARALLEL mode they do not matter to it.
    """
    ids = [execution.id for execution in executions if execution.mode != PARALLEL]
    if started not in ids or held not in ids:
        return []
    return ids[ids.index(started) + 1 : ids.index(held)]


def _drop_for_missing_pipeline(hold: Hold) -> Plan:
    return Plan(Step.END, Outcome.DROPPED, f"the pipeline {hold.pipeline} no longer exists")


def _delete_rule(rule: str, aws: Aws) -> None:
    """Delete a rule whose target was removed. The sweep deletes it later if AWS refuses."""
    if not aws.eventbridge.delete_emptied_rule(rule):
        reason = "EventBridge does not delete the rule yet, as if it still had a target"
        log_decision("retry", Outcome.NOT_SWEPT, rule=rule, reason=reason)


def _sweep(deployment: Deployment, aws: Aws, now: datetime) -> None:
    """Remove rules without a target: a gate that was killed at each of its attempts left them, or
    EventBridge did not delete them when their hold ended. The release itself is done.
    """
    try:
        for rule in aws.eventbridge.list_unfinished_rules(
            deployment.rule_prefix, deployment.retry_arn, before=now - MAX_MAKING_TIME
        ):
            # The prefix of stage "dev" is also that of stage "dev-eu".
            if not is_rule_of(rule, deployment) or not aws.eventbridge.delete_empty_rule(rule):
                continue
            reason = "a rule without a target, left by an earlier invocation"
            log_decision("retry", Outcome.SWEPT, rule=rule, reason=reason)
    except (NoAnswer, NotPermitted) as error:
        log_decision("retry", Outcome.NOT_SWEPT, reason=str(error))


def _report(
    hold: Hold,
    plan: Plan,
    aws: Aws,
    now: datetime,
    started: str | None = None,
    between: Sequence[str] = (),
) -> dict[str, object]:
    """`between`: the executions that began shortly before the one that was `started`."""
    if plan.step in (Step.END, Step.START):
        # The rule goes, and with it the waits of the other gates that share it.
        for other in hold.neighbors:
            if other.end_reported or plan.outcome is Outcome.OVER:
                continue
            is_same = plan.step is Step.START or (
                plan.outcome is Outcome.CANCELED and other.canceled_by is not None
            )
            outcome = plan.outcome if is_same else Outcome.DROPPED
            _report_wait(other, replace(plan, outcome=outcome), aws, now, started, between)
    return _report_wait(hold, plan, aws, now, started, between)


def _report_wait(
    hold: Hold,
    plan: Plan,
    aws: Aws,
    now: datetime,
    started: str | None,
    between: Sequence[str],
) -> dict[str, object]:
    outcome = plan.outcome
    if outcome in (Outcome.DROPPED, Outcome.CANCELED) and hold.end_reported:
        outcome = Outcome.OVER
    on_give_up = "stop" if plan.step is Step.END else hold.on_give_up
    # A late twin of the gate may have created the hold again since this invocation began.
    waited_seconds = max(0, int((now - hold.since).total_seconds()))
    is_waiting = outcome.keeps_hold and not hold.end_reported and not plan.moved_on
    return report_decision(
        "retry",
        outcome,
        aws,
        reason=plan.reason,
        rule=hold.rule,
        pipeline=hold.pipeline,
        execution=hold.execution,
        since=hold.since.isoformat(),
        waited_seconds=waited_seconds if outcome.ends_hold else None,
        waiting_seconds=waited_seconds if is_waiting else None,
        started=started,
        also_started=list(between) or None,
        replaced_by=plan.replaced_by,
        released_by=hold.released_by if outcome is Outcome.LET_GO else None,
        canceled_by=hold.canceled_by if outcome is Outcome.CANCELED else None,
        comment=hold.comment if outcome in (Outcome.LET_GO, Outcome.CANCELED) else None,
        on_give_up=on_give_up if outcome is Outcome.GAVE_UP else None,
        start_command=plan.start_command,
    )
