"""Holds a pipeline: by a rule that starts it or retries its stage later, or by keeping its action
in progress.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.answers import fail_job, let_pass
from chalicelib.aws.clients import Aws
from chalicelib.deployment import Deployment
from chalicelib.errors import Misconfigured, NoAnswer, NoRoom, NotPermitted, PipelineNotFound
from chalicelib.holds.continuation import BY_TRIGGER, is_restart
from chalicelib.holds.fate import describe_later_pass
from chalicelib.holds.hold import MAX_NEIGHBORS, Hold
from chalicelib.holds.mode import MODES, RETRY
from chalicelib.holds.reader import read_begin_of_held
from chalicelib.holds.rule import name_rule
from chalicelib.holds.schedule import Schedule
from chalicelib.holds.verdict import Verdict
from chalicelib.holds.waiter import (
    Waiter,
    identify_waiter,
    read_waiting_execution,
    verify_waiter,
)
from chalicelib.job import Job, format_token
from chalicelib.parameters import Parameters, refuse_self
from chalicelib.phrases import MAX_NAMES, describe_person
from chalicelib.pipelines.estimate import estimate_percent
from chalicelib.pipelines.execution import LONGEST_LAG_SECONDS, ExecutionDetail
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_deadlock, find_unsatisfied
from chalicelib.pipelines.wait_cycles import Cycle, WaitEdge, format_mark
from chalicelib.records.outcomes import Outcome
from chalicelib.records.report import report_decision
from chalicelib.wording import held_pipeline, open_gate, refusals
from chalicelib.wording.continuation import describe_expected_revisions, describe_revisions
from chalicelib.wording.reasons import describe_reasons

LONGEST_WAIT_IN_PROGRESS = timedelta(hours=23)
"""CodePipeline ends an action after 24 hours (guide: limits): before that, a rule takes over."""


@dataclass(frozen=True)
class GateWait:
    """One gate's wait.

    `waiter`: the execution that has to wait, and `waiting`: the upstreams that keep it waiting.
    `rule`: what the execution's rule keeps, if there is one, and `standing`: this gate's own wait
    in it. `since`: when the wait began, `give_up`: when it ends in any case (both aware UTC).
    `detail`: the execution, if it was read.
    """

    waiter: Waiter
    waiting: Sequence[Upstream]
    detail: ExecutionDetail | None
    rule: Hold | None
    standing: Hold | None
    since: datetime
    give_up: datetime | None

    @property
    def is_held_already(self) -> bool:
        """Whether this wait was counted and announced as a hold, and has not ended."""
        return self.standing is not None and not self.standing.end_reported

    @property
    def cycle(self) -> Cycle | None:
        """Pipelines that wait for each other, this one among them."""
        return next((upstream.cycle for upstream in self.waiting if upstream.cycle), None)

    @property
    def neighbors(self) -> tuple[Hold, ...]:
        """The waits of other gates in the rule that may not have ended.

        Stages run in order, so those of other stages have.
        """
        return tuple(wait for wait in self._other_waits if not self._is_of_other_stage(wait))

    @property
    def ended_unreported(self) -> tuple[Hold, ...]:
        """The waits of gates in other stages, which this execution has passed, whose end was not
        reported.
        """
        passed = filter(self._is_of_other_stage, self._other_waits)
        return tuple(wait for wait in passed if not wait.end_reported)

    @property
    def _other_waits(self) -> tuple[Hold, ...]:
        waits = self.rule.waits if self.rule else ()
        return tuple(wait for wait in waits if wait != self.standing)

    def _is_of_other_stage(self, wait: Hold) -> bool:
        gate = self.waiter.gate
        return gate is not None and wait.gate is not None and wait.gate[0] != gate[0]


class ClosedGate:
    """One job that cannot pass. `upstreams`: all that its action names, satisfied or not."""

    def __init__(
        self,
        job: Job,
        parameters: Parameters,
        upstreams: Sequence[Upstream],
        aws: Aws,
        context: object,
        now: datetime,
    ) -> None:
        self._job = job
        self._parameters = parameters
        self._upstreams = upstreams
        self._aws = aws
        self._context = context
        self._now = now
        self._schedule = Schedule.begin(now, parameters.retry_minutes)

    def hold_pipeline(
        self, waiting: Sequence[Upstream], reader: UpstreamReader
    ) -> dict[str, object]:
        """Hold the pipeline because of the upstreams in `waiting`; returns the record."""
        if self._parameters.observe:
            waiting = self._read_details(waiting, reader)
            summary = open_gate.describe_observed_wait(waiting, self._now)
            return self._let_pass(Outcome.OBSERVED, summary, waiting=_list_blocking(waiting))
        waiter = self._identify_waiter()
        if self._parameters.pipeline is None:
            # Only now is it known which pipelines wait for this one: they do not keep it waiting.
            reader = UpstreamReader(waiter.pipeline, self._aws, self._context, self._now)
            self._upstreams = reader.read_upstreams(self._parameters.depends_on)
            waiting = find_unsatisfied(self._upstreams)
            if not waiting and not any(upstream.missing for upstream in self._upstreams):
                return self._pass_after_all()
        waiting = self._read_details(waiting, reader)
        wait = self._identify_wait(waiter, waiting)
        if wait.standing and wait.standing.released_by:
            return self._let_go(wait, wait.standing.released_by, wait.standing.comment)
        if self._is_canceled(wait.standing):
            return self._cancel(wait)
        if cycle := find_deadlock(waiting):
            return self._refuse_deadlock(wait, cycle)
        if wait.give_up and self._now >= wait.give_up:
            return self._give_up(wait)
        if self._can_stay_in_progress(wait):
            return self._keep_in_progress(wait, reader)
        return self._hold_by_rule(wait, reader)

    def _identify_waiter(self) -> Waiter:
        codepipeline = self._aws.codepipeline
        waiter = identify_waiter(self._job, self._parameters, codepipeline, self._context)
        account = self._job.account
        refuse_self(self._parameters.depends_on, waiter.pipeline, codepipeline.region, account)
        return waiter

    def _read_details(self, waiting: Sequence[Upstream], reader: UpstreamReader) -> list[Upstream]:
        return [*reader.read_details(waiting[:MAX_NAMES]), *waiting[MAX_NAMES:]]

    def cancel_wait(self) -> dict[str, object] | None:
        """Fail an action that was kept in progress and could pass now, if a person canceled its
        wait; returns the record. None if no one did, or if EventBridge does not answer.
        """
        try:
            wait = self._identify_wait(self._identify_waiter(), ())
        except NoAnswer:
            return None
        return self._cancel(wait) if self._is_canceled(wait.standing) else None

    def _is_canceled(self, standing: Hold | None) -> bool:
        """Return whether a person canceled this wait. An action's first job begins a new one."""
        since = self._job.since
        return bool(since and standing and standing.cancels_wait(since))

    def _can_stay_in_progress(self, wait: GateWait) -> bool:
        # A wait that a rule took over stays with its rule, even if its stage is retried by hand.
        is_first_job = self._job.since is None
        if is_first_job and wait.is_held_already:
            return False
        # In a cycle, those that wait for this pipeline could not go before it.
        if wait.cycle:
            return False
        lasts = self._now - (self._job.since or self._now)
        return self._parameters.mode.stays_in_progress and lasts < LONGEST_WAIT_IN_PROGRESS

    def _keep_in_progress(self, wait: GateWait, reader: UpstreamReader) -> dict[str, object]:
        """Keep the action in progress: CodePipeline asks again."""
        revisions = self._job.revisions
        if self._job.since is None:
            # Refuses a mistyped pipeline now: later, the hold may need a rule.
            detail = self._read_execution(wait, wait.waiter)
            revisions = describe_revisions(detail.artifacts, {}) if detail else ""
        edges = [
            WaitEdge(upstream.dependency.name, upstream.dependency.require)
            for upstream in wait.waiting
            if reader.is_local(upstream.dependency)
        ]
        percents = [
            estimate_percent(upstream.blocking, upstream.executions, self._now)
            for upstream in wait.waiting
            if upstream.foreseeable
        ]
        answered = self._aws.codepipeline.keep_job_open(
            self._job.id,
            format_token(wait.since, wait.waiter.gate, revisions),
            held_pipeline.describe_wait(
                wait.waiting,
                wait.waiter.pipeline,
                wait.since,
                wait.give_up,
                self._parameters.on_give_up,
                self._now,
                revisions,
            ),
            percent=min((percent for percent in percents if percent is not None), default=None),
            mark=format_mark(wait.since, edges),
        )
        outcome = Outcome.STILL_HELD if self._job.since else Outcome.HELD
        return self._report(outcome, wait, answered)

    def _hold_by_rule(self, wait: GateWait, reader: UpstreamReader) -> dict[str, object]:
        """Make the rule that is the hold, then fail the action with the reason."""
        deployment = Deployment.from_context(self._context)
        standing = wait.standing
        codepipeline, waiter = self._aws.codepipeline, wait.waiter
        if self._job.since:  # a rule takes over from an action in progress
            waiter = verify_waiter(self._job, self._parameters, codepipeline, self._context)
        try:
            detail = self._read_execution(wait, waiter)
        except Misconfigured:
            if standing and standing.job == self._job.id:
                # An earlier attempt of this job made the hold and answered the job.
                return self._fail_as_held(standing, wait, deployment)
            raise
        hold = Hold(
            rule=name_rule(deployment, wait.waiter.execution),
            pipeline=wait.waiter.pipeline,
            execution=wait.waiter.execution,
            depends_on=self._parameters.depends_on,
            since=wait.since,
            variables=detail.variables if detail else None,
            mode=RETRY
            if self._parameters.mode.stays_in_progress and wait.cycle
            else MODES[self._parameters.mode.mode_of_rule],
            revisions=self._parameters.revisions or BY_TRIGGER,
            give_up=wait.give_up,
            on_give_up=self._parameters.on_give_up,
            # The job with which a counted wait began, so that a later job does not count it again.
            job=standing.job if standing and wait.is_held_already else self._job.id,
            schedule=self._schedule,
            made=self._now,
            gate=wait.waiter.gate,
            neighbors=wait.neighbors[:MAX_NEIGHBORS],
        )
        self._aws.lambda_permissions.allow_rules(deployment.retry_arn, deployment.all_rules_arn)
        try:
            self._aws.eventbridge.put_hold(
                hold,
                schedule=self._schedule.expression,
                # The current time, not `since`: the sweep deletes rules without a target whose
                # description is older than 30 minutes.
                description=held_pipeline.describe_rule(hold, wait.waiting, self._now),
                retry_arn=deployment.retry_arn,
            )
        except NoRoom:
            if self._parameters.condition:
                raise Misconfigured(refusals.describe_no_room(wait.waiter.pipeline)) from None
            return self._keep_open_without_rule(wait)
        # Only now, with the rule in place: an execution that ended before would be lost if the gate
        # died in between.
        self._report_passed_gates(wait)
        # An upstream may have ended since the gate checked, before the rule could notice.
        time.sleep(LONGEST_LAG_SECONDS)
        if self._are_satisfied_now(reader):
            self._mark_uncounted(hold, wait, deployment)
            return self._pass_after_all()
        return self._fail_as_held(hold, wait, deployment, detail)

    def _are_satisfied_now(self, reader: UpstreamReader) -> bool:
        try:
            upstreams = reader.read_upstreams(self._parameters.depends_on)
        except Exception:
            return False  # the hold is complete, and the retry reads them again
        if find_unsatisfied(upstreams) or any(upstream.missing for upstream in upstreams):
            return False
        self._upstreams = upstreams
        return True

    def _pass_after_all(self) -> dict[str, object]:
        """Let pass what a second look has shown as satisfied. If a rule was made for it already,
        the retry removes that.
        """
        outcome = Outcome.WAIT_RELEASED if self._job.since else Outcome.PASSED
        return self._let_pass(
            outcome,
            open_gate.describe_pass(self._upstreams, self._now),
            waited_seconds=self._job.count_waited_seconds(self._now),
        )

    def _fail_as_held(
        self,
        hold: Hold,
        wait: GateWait,
        deployment: Deployment,
        detail: ExecutionDetail | None = None,
    ) -> dict[str, object]:
        """Fail the action with the reason, because `hold` now stands. `detail`: the execution, if
        it was read.
        """
        revisions = detail and describe_expected_revisions(
            detail,
            hold.revisions,
            deployment.retry_function,
            starts_over=hold.mode.starts_over,
        )
        message = held_pipeline.describe_hold(
            wait.waiting,
            hold,
            self._schedule,
            self._now,
            revisions or "",
            detail.origin.mode if detail else "",
            wait.cycle if self._parameters.mode.stays_in_progress else None,
        )
        try:
            # A restart that is held again continues with this wait.
            mark = format_mark(hold.since, ())
            answered = fail_job(self._job, Verdict.HELD, "JobFailed", message, self._aws, mark)
        except Exception:
            # The gate refuses the job instead, or another attempt may find it open.
            with suppress(NoAnswer, NotPermitted):  # then its end is counted anyway
                self._mark_uncounted(hold, wait, deployment)
            raise
        if not answered:
            self._mark_uncounted(hold, wait, deployment)
        return self._report(self._choose_hold_outcome(wait), wait, answered, rule=hold.rule)

    def _report_passed_gates(self, wait: GateWait) -> None:
        """Report the end of waits in earlier stages, which the rule no longer keeps."""
        for ended in wait.ended_unreported:
            report_decision(
                "gate",
                Outcome.DROPPED,
                self._aws,
                pipeline=ended.pipeline,
                execution=ended.execution,
                reason=describe_later_pass(ended.execution),
                since=ended.since.isoformat(),
                waited_seconds=int((self._now - ended.since).total_seconds()),
                rule=ended.rule,
            )

    def _mark_uncounted(self, hold: Hold, wait: GateWait, deployment: Deployment) -> None:
        """The job did not end with this hold, so it is not counted: nor is the end of its rule."""
        if not wait.is_held_already:
            uncounted = replace(hold, end_reported=True)
            self._aws.eventbridge.put_target(uncounted, deployment.retry_arn)

    def _choose_hold_outcome(self, wait: GateWait) -> Outcome:
        """HELD once per wait: not if a rule takes over from an action in progress, nor if the stage
        of a held execution was retried by hand. An earlier attempt of this job counted nothing.
        """
        earlier_attempt = wait.standing and wait.standing.job == self._job.id
        continues = self._job.since or (wait.is_held_already and not earlier_attempt)
        return Outcome.STILL_HELD if continues else Outcome.HELD

    def _keep_open_without_rule(self, wait: GateWait) -> dict[str, object]:
        """Keep the action in progress because there is no room for another rule."""
        # The mark names no upstreams: this lasts no longer than there is no room, so it is no link
        # of a deadlock.
        answered = self._aws.codepipeline.keep_job_open(
            self._job.id,
            format_token(wait.since, wait.waiter.gate),
            held_pipeline.describe_full_quota(wait.waiting, self._now),
            mark=format_mark(wait.since, ()),
        )
        continues = self._job.since or wait.is_held_already
        outcome = Outcome.STILL_HELD if continues else Outcome.KEPT_OPEN
        return self._report(outcome, wait, answered)

    # Ending a wait whatever the upstreams do. If a rule kept the hold, the retry has counted its
    # end when it retried the stage, or will when it finds that the execution has passed.

    def _let_go(self, wait: GateWait, released_by: str, comment: str | None) -> dict[str, object]:
        outcome = Outcome.WAIT_LET_GO if self._job.since else Outcome.PASSED
        person = describe_person(released_by, comment)
        summary = open_gate.describe_release(wait.waiting, person, wait.since, self._now)
        return self._let_pass(
            outcome,
            summary,
            reason_to_pass=Outcome.LET_GO.word,
            waiting=_list_blocking(wait.waiting),
            waited_seconds=self._job.count_waited_seconds(self._now),
            released_by=released_by,
            comment=comment,
        )

    def _cancel(self, wait: GateWait) -> dict[str, object]:
        """Fail the action because a person canceled its wait. The rule that says so stays until the
        retry function finds that the execution has ended.
        """
        canceled_by = wait.standing.canceled_by if wait.standing else None
        comment = wait.standing.comment if wait.standing else None
        person = describe_person(str(canceled_by), comment)
        message = held_pipeline.describe_cancellation(
            [entry.label for entry in self._parameters.depends_on],
            wait.waiting,
            person,
            wait.since,
            self._now,
        )
        answered = fail_job(self._job, Verdict.CANCELED, "JobFailed", message, self._aws)
        return self._report(
            Outcome.CANCELED,
            wait,
            answered,
            reason=f"canceled by {person}",
            waited_seconds=self._job.count_waited_seconds(self._now),
            canceled_by=canceled_by,
            comment=comment,
        )

    def _give_up(self, wait: GateWait) -> dict[str, object]:
        if self._parameters.on_give_up == "continue":
            outcome = Outcome.WAIT_CONTINUED if self._job.since else Outcome.PASSED
            summary = open_gate.describe_pass_after_give_up(wait.waiting, wait.since, self._now)
            return self._let_pass(
                outcome,
                summary,
                reason_to_pass=Outcome.GAVE_UP.word,
                waiting=_list_blocking(wait.waiting),
                waited_seconds=self._job.count_waited_seconds(self._now),
                on_give_up=self._parameters.on_give_up,
            )
        message = held_pipeline.describe_give_up(wait.waiting, wait.since, self._now)
        answered = fail_job(self._job, Verdict.GAVE_UP, "JobFailed", message, self._aws)
        outcome = Outcome.GAVE_UP if self._job.since else Outcome.PAST_DEADLINE
        return self._report(
            outcome,
            wait,
            answered,
            waited_seconds=self._job.count_waited_seconds(self._now),
            on_give_up=self._parameters.on_give_up,
        )

    def _refuse_deadlock(self, wait: GateWait, cycle: Cycle) -> dict[str, object]:
        message = held_pipeline.describe_deadlock(cycle)
        answered = fail_job(self._job, Verdict.DEADLOCK, "ConfigurationError", message, self._aws)
        outcome = Outcome.WAIT_DEADLOCKED if self._job.since else Outcome.DEADLOCK
        return report_decision(
            "gate",
            outcome,
            self._aws,
            job=self._job.id,
            pipeline=wait.waiter.pipeline,
            execution=wait.waiter.execution,
            reason=message,
            waited_seconds=self._job.count_waited_seconds(self._now),
            answered=answered,
        )

    # Who waits

    def _identify_wait(self, waiter: Waiter, waiting: Sequence[Upstream]) -> GateWait:
        rule = self._read_rule(waiter.execution)
        if rule and self._job.since is None:
            # If a person's release retried the stage just now, the rule may not show the mark yet.
            time.sleep(LONGEST_LAG_SECONDS)
            rule = self._read_rule(waiter.execution)
        standing = rule.find_wait(waiter.gate, self._parameters.depends_on) if rule else None
        detail = None
        if self._job.since is None and standing is None:
            detail = read_waiting_execution(self._aws.codepipeline, waiter, self._context)
        since = self._find_begin(waiter, standing, detail)
        minutes = self._parameters.give_up_minutes
        give_up = None if minutes is None else since + timedelta(minutes=minutes)
        return GateWait(waiter, waiting, detail, rule, standing, since, give_up)

    def _read_execution(self, wait: GateWait, waiter: Waiter) -> ExecutionDetail | None:
        if wait.detail:
            return wait.detail
        return read_waiting_execution(self._aws.codepipeline, waiter, self._context)

    def _read_rule(self, execution: str) -> Hold | None:
        """Return the hold of this execution that a rule already keeps: it was created before its
        stage was retried, or a person released the execution.
        """
        try:
            rule = name_rule(Deployment.from_context(self._context), execution)
            hold = self._aws.eventbridge.read_hold(rule)
            return hold and hold.relative_to(self._aws.codepipeline.region)
        except (Misconfigured, ValueError):
            # No rule can be named, or the gate did not write what it keeps: it is written again.
            return None
        except NoAnswer:
            if self._parameters.give_up_minutes is not None:
                raise  # its deadline must not move
            return None  # a doubt is no reason to lose the hold

    def _find_begin(
        self, waiter: Waiter, standing: Hold | None, detail: ExecutionDetail | None
    ) -> datetime:
        """Return when this wait began. It continues if the execution was started in place of a held
        one, or if its stage was retried.
        """
        if self._job.since:
            return self._job.since
        # A canceled wait is over: a stage that is retried after that begins a new one.
        if standing and not standing.canceled_by:
            return standing.since
        deployment = Deployment.from_context(self._context)
        if detail is None or not is_restart(detail.origin, deployment.retry_function):
            return self._now
        try:
            begin = read_begin_of_held(
                self._aws.codepipeline,
                waiter.pipeline,
                waiter.execution,
                waiter.gate,
                deployment,
            )
        except (NoAnswer, NotPermitted, PipelineNotFound):
            if self._parameters.give_up_minutes is not None:
                raise  # its deadline must not move
            return self._now
        return begin or self._now

    # What is reported

    def _let_pass(self, outcome: Outcome, summary: str, **fields: object) -> dict[str, object]:
        return let_pass(
            self._job,
            self._parameters,
            outcome,
            summary,
            self._upstreams,
            self._aws,
            **fields,  # type: ignore[arg-type]
        )

    def _report(
        self,
        outcome: Outcome,
        wait: GateWait,
        answered: bool,
        reason: str | None = None,
        **fields: object,
    ) -> dict[str, object]:
        waited_seconds = max(0, int((self._now - wait.since).total_seconds()))
        return report_decision(
            "gate",
            outcome,
            self._aws,
            job=self._job.id,
            pipeline=wait.waiter.pipeline,
            execution=wait.waiter.execution,
            waiting=_list_blocking(wait.waiting) or None,
            waiting_seconds=waited_seconds if outcome.keeps_hold else None,
            reason=reason or describe_reasons(wait.waiting, self._now),
            **fields,
            answered=answered,
        )


def _list_blocking(waiting: Sequence[Upstream]) -> dict[str, object]:
    """What keeps the gate closed, for the log: by upstream, the executions that count."""
    return {
        upstream.label: upstream.unanswered
        or [f"{execution.id} {execution.status}" for execution in upstream.blocking]
        for upstream in waiting
    }
