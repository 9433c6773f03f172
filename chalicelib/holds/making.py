"""Holds a pipeline: by a rule that starts it or retries its stage later, or by keeping its action
in progress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.answers import fail_job, let_pass
from chalicelib.aws.clients import Aws
from chalicelib.deployment import Deployment
from chalicelib.errors import Misconfigured, NoAnswer, NoRoom, NotPermitted, PipelineNotFound
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import MODES
from chalicelib.holds.rule import build_schedule, find_next_check, name_rule
from chalicelib.holds.verdict import Verdict
from chalicelib.job import Job, format_token
from chalicelib.parameters import Parameters, refuse_self
from chalicelib.phrases import MAX_NAMES
from chalicelib.pipelines.estimate import estimate_percent
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_deadlock
from chalicelib.pipelines.wait_cycles import Cycle, WaitEdge, format_mark
from chalicelib.records.outcomes import Outcome
from chalicelib.records.report import report_decision
from chalicelib.wording import held_pipeline, open_gate, refusals
from chalicelib.wording.reasons import describe_reasons

LONGEST_WAIT_IN_PROGRESS = timedelta(hours=23)
"""CodePipeline ends an action after 24 hours (guide: limits): before that, a rule takes over."""


@dataclass(frozen=True)
class WaitingExecution:
    """The execution that has to wait, and what it waits for.

    `standing`: the hold of this execution that its rule keeps, if there is one. `since`: when the
    wait began, `give_up`: when it ends in any case (both aware UTC).
    """

    pipeline: str
    execution: str
    waiting: Sequence[Upstream]
    standing: Hold | None
    since: datetime
    give_up: datetime | None

    @property
    def is_held_already(self) -> bool:
        """Whether this wait was counted and announced as a hold, and has not ended."""
        return self.standing is not None and not self.standing.end_reported


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

    def hold_pipeline(
        self, waiting: Sequence[Upstream], reader: UpstreamReader
    ) -> dict[str, object]:
        """Hold the pipeline because of the upstreams in `waiting`; returns the record."""
        waiting = [*reader.read_details(waiting[:MAX_NAMES]), *waiting[MAX_NAMES:]]
        if self._parameters.observe:
            summary = open_gate.describe_observed_wait(waiting, self._now)
            return self._let_pass(Outcome.OBSERVED, summary, waiting=_list_blocking(waiting))
        waiter = self._identify_waiter(waiting)
        if waiter.standing and waiter.standing.released_by:
            return self._let_go(waiter, waiter.standing.released_by)
        if cycle := find_deadlock(waiting):
            return self._refuse_deadlock(waiter, cycle)
        if waiter.give_up and self._now >= waiter.give_up:
            return self._give_up(waiter)
        if self._can_stay_in_progress(waiter):
            return self._keep_in_progress(waiter, reader)
        return self._hold_by_rule(waiter)

    def _can_stay_in_progress(self, waiter: WaitingExecution) -> bool:
        # A wait that a rule took over stays with its rule, even if its stage is retried by hand.
        is_first_job = self._job.since is None
        if is_first_job and waiter.is_held_already:
            return False
        lasts = self._now - (self._job.since or self._now)
        return self._parameters.mode.stays_in_progress and lasts < LONGEST_WAIT_IN_PROGRESS

    def _keep_in_progress(
        self, waiter: WaitingExecution, reader: UpstreamReader
    ) -> dict[str, object]:
        """Keep the action in progress: CodePipeline asks again."""
        if self._job.since is None:
            # Refuses a mistyped pipeline now: later, the hold may need a rule.
            self._read_variables(waiter.pipeline, waiter.execution)
        edges = [
            WaitEdge(
                upstream.dependency.name,
                upstream.dependency.require,
                tuple(execution.short_id for execution in upstream.blocking),
            )
            for upstream in waiter.waiting
            if reader.is_local(upstream.dependency)
        ]
        percents = [
            estimate_percent(upstream.blocking, upstream.executions, self._now)
            for upstream in waiter.waiting
            if upstream.foreseeable
        ]
        answered = self._aws.codepipeline.keep_job_open(
            self._job.id,
            format_token(waiter.since),
            held_pipeline.describe_wait(
                waiter.waiting,
                waiter.pipeline,
                waiter.since,
                waiter.give_up,
                self._parameters.on_give_up,
                self._now,
            ),
            percent=min((percent for percent in percents if percent is not None), default=None),
            mark=format_mark(waiter.since, edges),
        )
        outcome = Outcome.STILL_HELD if self._job.since else Outcome.HELD
        return self._report(outcome, waiter, answered)

    def _hold_by_rule(self, waiter: WaitingExecution) -> dict[str, object]:
        """Make the rule that is the hold, then fail the action with the reason."""
        deployment = Deployment.from_context(self._context)
        minutes, standing = self._parameters.retry_minutes, waiter.standing
        hold = Hold(
            rule=name_rule(deployment, waiter.execution),
            pipeline=waiter.pipeline,
            execution=waiter.execution,
            depends_on=self._parameters.depends_on,
            since=waiter.since,
            variables=self._read_variables(waiter.pipeline, waiter.execution),
            mode=MODES[self._parameters.mode.mode_of_rule],
            revisions=self._parameters.revisions,
            give_up=waiter.give_up,
            on_give_up=self._parameters.on_give_up,
            # The job with which a counted wait began, so that a later job does not count it again.
            job=standing.job if standing and waiter.is_held_already else self._job.id,
        )
        self._aws.lambda_permissions.allow_rules(deployment.retry_arn, deployment.all_rules_arn)
        try:
            self._aws.eventbridge.put_hold(
                hold,
                schedule=build_schedule(self._now, minutes),
                # The current time, not `since`: the sweep deletes rules without a target whose
                # description is older than 30 minutes.
                description=held_pipeline.describe_rule(hold, waiter.waiting, self._now),
                retry_arn=deployment.retry_arn,
            )
        except NoRoom:
            return self._keep_open_without_rule(waiter)
        # Only now, with the rule in place: an execution that ended before would be lost if the gate
        # died in between.
        next_check = find_next_check(self._now, minutes)
        message = held_pipeline.describe_hold(waiter.waiting, hold, minutes, next_check, self._now)
        answered = fail_job(self._job, Verdict.HELD, "JobFailed", message, self._aws)
        if not answered:
            self._mark_uncounted(hold, waiter, deployment)
        return self._report(self._choose_hold_outcome(waiter), waiter, answered, rule=hold.rule)

    def _mark_uncounted(self, hold: Hold, waiter: WaitingExecution, deployment: Deployment) -> None:
        """The job did not end with this hold, so it is not counted: nor is the end of its rule."""
        if not waiter.is_held_already:
            uncounted = replace(hold, end_reported=True)
            self._aws.eventbridge.put_target(uncounted, deployment.retry_arn)

    def _choose_hold_outcome(self, waiter: WaitingExecution) -> Outcome:
        """HELD once per wait: not if a rule takes over from an action in progress, nor if the stage
        of a held execution was retried by hand. An earlier attempt of this job counted nothing.
        """
        earlier_attempt = waiter.standing and waiter.standing.job == self._job.id
        continues = self._job.since or (waiter.is_held_already and not earlier_attempt)
        return Outcome.STILL_HELD if continues else Outcome.HELD

    def _keep_open_without_rule(self, waiter: WaitingExecution) -> dict[str, object]:
        """Keep the action in progress because there is no room for another rule."""
        # The mark names no upstreams: this lasts no longer than there is no room, so it is no link
        # of a deadlock.
        answered = self._aws.codepipeline.keep_job_open(
            self._job.id,
            format_token(waiter.since),
            held_pipeline.describe_full_quota(waiter.waiting, self._now),
            mark=format_mark(waiter.since, ()),
        )
        continues = self._job.since or waiter.is_held_already
        outcome = Outcome.STILL_HELD if continues else Outcome.KEPT_OPEN
        return self._report(outcome, waiter, answered)

    # Ending a wait whatever the upstreams do. If a rule kept the hold, the retry has counted its
    # end when it retried the stage, or will when it finds that the execution has passed.

    def _let_go(self, waiter: WaitingExecution, released_by: str) -> dict[str, object]:
        outcome = Outcome.WAIT_LET_GO if self._job.since else Outcome.PASSED
        summary = open_gate.describe_release(waiter.waiting, released_by, waiter.since, self._now)
        return self._let_pass(
            outcome,
            summary,
            reason_to_pass=Outcome.LET_GO.word,
            waiting=_list_blocking(waiter.waiting),
            waited_seconds=self._job.count_waited_seconds(self._now),
            released_by=released_by,
        )

    def _give_up(self, waiter: WaitingExecution) -> dict[str, object]:
        if self._parameters.on_give_up == "continue":
            outcome = Outcome.WAIT_CONTINUED if self._job.since else Outcome.PASSED
            summary = open_gate.describe_pass_after_give_up(waiter.waiting, waiter.since, self._now)
            return self._let_pass(
                outcome,
                summary,
                reason_to_pass=Outcome.GAVE_UP.word,
                waiting=_list_blocking(waiter.waiting),
                waited_seconds=self._job.count_waited_seconds(self._now),
                on_give_up=self._parameters.on_give_up,
            )
        message = held_pipeline.describe_give_up(waiter.waiting, waiter.since, self._now)
        answered = fail_job(self._job, Verdict.GAVE_UP, "JobFailed", message, self._aws)
        outcome = Outcome.GAVE_UP if self._job.since else Outcome.PAST_DEADLINE
        return self._report(
            outcome,
            waiter,
            answered,
            waited_seconds=self._job.count_waited_seconds(self._now),
            on_give_up=self._parameters.on_give_up,
        )

    def _refuse_deadlock(self, waiter: WaitingExecution, cycle: Cycle) -> dict[str, object]:
        message = held_pipeline.describe_deadlock(cycle)
        answered = fail_job(self._job, Verdict.DEADLOCK, "ConfigurationError", message, self._aws)
        outcome = Outcome.WAIT_DEADLOCKED if self._job.since else Outcome.DEADLOCK
        return report_decision(
            "gate",
            outcome,
            self._aws,
            job=self._job.id,
            pipeline=waiter.pipeline,
            execution=waiter.execution,
            reason=message,
            waited_seconds=self._job.count_waited_seconds(self._now),
            answered=answered,
        )

    # Who waits

    def _identify_waiter(self, waiting: Sequence[Upstream]) -> WaitingExecution:
        pipeline, execution = self._identify_execution()
        standing = self._read_standing_hold(execution)
        since = self._find_begin(standing)
        minutes = self._parameters.give_up_minutes
        give_up = None if minutes is None else since + timedelta(minutes=minutes)
        return WaitingExecution(pipeline, execution, waiting, standing, since, give_up)

    def _identify_execution(self) -> tuple[str, str]:
        """Return the pipeline and the execution to hold: as the action's parameters say, or else as
        CodePipeline does.
        """
        pipeline, execution = self._parameters.pipeline, self._parameters.execution
        if pipeline is None or execution is None:
            job_pipeline, job_execution = self._read_job_owner()
            pipeline, execution = pipeline or job_pipeline, execution or job_execution
        if pipeline is None:
            raise Misconfigured(refusals.describe_unknown_owner("pipeline"))
        if execution is None:
            raise Misconfigured(refusals.describe_unknown_owner("execution"))
        region, account = self._aws.codepipeline.region, self._job.account
        refuse_self(self._parameters.depends_on, pipeline, region, account)
        return pipeline, execution

    def _read_job_owner(self) -> tuple[str | None, str | None]:
        try:
            return self._aws.codepipeline.read_job_owner(self._job.id)
        except NotPermitted:
            return None, None  # the message that follows says how to do without

    def _read_standing_hold(self, execution: str) -> Hold | None:
        """Return the hold of this execution that a rule already keeps: it was created before its
        stage was retried, or a person released the execution.
        """
        try:
            rule = name_rule(Deployment.from_context(self._context), execution)
            return self._aws.eventbridge.read_hold(rule)
        except (Misconfigured, ValueError):
            # No rule can be named, or the gate did not write what it keeps: it is written again.
            return None
        except NoAnswer:
            if self._parameters.give_up_minutes is not None:
                raise  # its deadline must not move
            return None  # a doubt is no reason to lose the hold

    def _find_begin(self, standing: Hold | None) -> datetime:
        """Return when this wait began: a stage that was retried keeps the deadline that it has."""
        if self._job.since:
            return self._job.since
        has_deadline = (
            standing and standing.give_up and self._parameters.give_up_minutes is not None
        )
        if standing and (standing.released_by or has_deadline):
            return standing.since
        return self._now

    def _read_variables(self, pipeline: str, execution: str) -> dict[str, str] | None:
        """Return the variables of the execution to hold. This also shows a mistyped `pipeline`,
        whose hold would never end in a start.
        """
        try:
            return self._aws.codepipeline.read_variables(pipeline, execution)
        except PipelineNotFound:
            raise Misconfigured(refusals.describe_foreign_execution(execution, pipeline)) from None
        except NoAnswer:
            return None  # a doubt is no reason to lose the hold: the retry will ask

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
        self, outcome: Outcome, waiter: WaitingExecution, answered: bool, **fields: object
    ) -> dict[str, object]:
        return report_decision(
            "gate",
            outcome,
            self._aws,
            job=self._job.id,
            pipeline=waiter.pipeline,
            execution=waiter.execution,
            waiting=_list_blocking(waiter.waiting),
            reason=describe_reasons(waiter.waiting, self._now),
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
