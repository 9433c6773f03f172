"""How the gate holds a pipeline: by a rule that starts it (or retries its stage) later, or in
place, with the action kept open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib import job, parameters
from chalicelib.answers import let_pass
from chalicelib.aws.clients import Aws
from chalicelib.deployment import Deployment
from chalicelib.errors import Misconfigured, NoAnswer, NoRoom, NotPermitted, PipelineNotFound
from chalicelib.holds.hold import Hold
from chalicelib.holds.mode import MODES
from chalicelib.holds.rule import build_schedule, find_next_check, name_rule
from chalicelib.job import Job
from chalicelib.parameters import Parameters
from chalicelib.phrases import MAX_NAMES
from chalicelib.pipelines import estimate
from chalicelib.pipelines import wait_cycles as chains
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_deadlock
from chalicelib.records import log
from chalicelib.wording import held_pipeline, open_gate, refusals
from chalicelib.wording.reasons import describe_reasons

LONGEST_IN_PLACE = timedelta(hours=23)
"""CodePipeline ends an action after 24 hours (guide: limits): before that, a rule takes over."""


class Holding:
    """One job that cannot pass. `upstreams`: all that it waits for or not."""

    def __init__(
        self,
        job: Job,
        asked: Parameters,
        upstreams: Sequence[Upstream],
        aws: Aws,
        context: object,
        now: datetime,
    ) -> None:
        self._job = job
        self._asked = asked
        self._upstreams = upstreams
        self._aws = aws
        self._context = context
        self._now = now

    def of(self, waiting: Sequence[Upstream], asking: UpstreamReader) -> dict[str, object]:
        """Hold the pipeline for the upstreams `waiting`; returns the record."""
        waiting = [*asking.read_details(waiting[:MAX_NAMES]), *waiting[MAX_NAMES:]]
        if self._asked.observe:
            summary = open_gate.describe_observed_wait(waiting, self._now)
            return let_pass(
                self._job,
                self._asked,
                "observed",
                summary,
                self._upstreams,
                self._aws,
                waiting=_named(waiting),
            )
        pipeline, execution = self._held_execution()
        kept = self._kept(execution)
        since = self._since(kept)
        if kept and kept.released_by:
            return self._let_go(waiting, kept.released_by, since)
        if cycle := find_deadlock(waiting):
            message = held_pipeline.describe_deadlock(cycle)
            answered = self._aws.codepipeline.fail_job(self._job.id, "ConfigurationError", message)
            return self._log("deadlock", pipeline, execution, reason=message, answered=answered)
        give_up = (
            None
            if self._asked.give_up_minutes is None
            else since + timedelta(minutes=self._asked.give_up_minutes)
        )
        if give_up and self._now >= give_up:
            return self._give_up(waiting, pipeline, execution, since)
        if (
            self._asked.mode.stays_in_progress
            and self._now - (self._job.since or self._now) < LONGEST_IN_PLACE
        ):
            return self._in_place(waiting, asking, pipeline, execution, since, give_up)
        return self._by_rule(waiting, pipeline, execution, since, give_up)

    def _in_place(
        self,
        waiting: Sequence[Upstream],
        asking: UpstreamReader,
        pipeline: str,
        execution: str,
        since: datetime,
        give_up: datetime | None,
    ) -> dict[str, object]:
        """Keep the action open: CodePipeline asks again."""
        if self._job.since is None:
            self._variables(
                pipeline, execution
            )  # for its refusal of a mistyped name: later, the hold may need a rule
        edges = [
            chains.WaitEdge(
                one.dependency.name,
                one.dependency.require,
                tuple(execution.short_id for execution in one.blocking),
            )
            for one in waiting
            if asking.is_local(one.dependency)
        ]
        done = [
            estimate.estimate_percent(one.blocking, one.executions, self._now)
            for one in waiting
            if one.foreseeable
        ]
        answered = self._aws.codepipeline.keep_job_open(
            self._job.id,
            job.format_token(since),
            held_pipeline.describe_wait(
                waiting, pipeline, since, give_up, self._asked.on_give_up, self._now
            ),
            percent=min((one for one in done if one is not None), default=None),
            mark=chains.format_mark(since, edges),
        )
        decided = "held" if self._job.since is None else "still held"
        return self._log(
            decided,
            pipeline,
            execution,
            waiting=_named(waiting),
            reason=describe_reasons(waiting, self._now),
            answered=answered,
        )

    def _by_rule(
        self,
        waiting: Sequence[Upstream],
        pipeline: str,
        execution: str,
        since: datetime,
        give_up: datetime | None,
    ) -> dict[str, object]:
        """Make the rule that is the hold, then fail the action with the reason."""
        deployment = Deployment.from_context(self._context)
        name = name_rule(deployment, execution)
        variables = self._variables(pipeline, execution)
        mode = MODES[self._asked.mode.mode_of_rule]
        kept = Hold(
            name,
            pipeline,
            execution,
            self._asked.depends_on,
            since,
            variables,
            mode,
            self._asked.revisions,
            give_up,
            self._asked.on_give_up,
        )
        minutes = self._asked.retry_minutes
        self._aws.lambda_permissions.allow_rules(deployment.retry_arn, deployment.all_rules_arn)
        try:
            self._aws.eventbridge.put_hold(
                kept,
                schedule=build_schedule(self._now, minutes),
                # The time in it is this attempt's own, whenever the hold began: so the sweep knows
                # that the rule is being made.
                description=held_pipeline.describe_rule(kept, waiting, self._now),
                retry_arn=deployment.retry_arn,
            )
        except NoRoom:
            # Only since when: it stays no longer than there is no room, so for whom it waits is no
            # link of a deadlock.
            mark = chains.format_mark(since, ())
            answered = self._aws.codepipeline.keep_job_open(
                self._job.id,
                job.format_token(since),
                held_pipeline.describe_full_quota(waiting, self._now),
                mark=mark,
            )
            return self._log("kept open", pipeline, execution, answered=answered)
        # Only now, with the rule in place: an execution that ended before would be lost if the gate
        # died in between.
        message = held_pipeline.describe_hold(
            waiting, kept, minutes, find_next_check(self._now, minutes), self._now
        )
        answered = self._aws.codepipeline.fail_job(self._job.id, "JobFailed", message)
        reason = describe_reasons(waiting, self._now)
        return self._log(
            "held",
            pipeline,
            execution,
            rule=name,
            waiting=_named(waiting),
            reason=reason,
            answered=answered,
        )

    # Ending a wait whatever the upstreams do

    def _let_go(
        self, waiting: Sequence[Upstream], released_by: str, since: datetime
    ) -> dict[str, object]:
        summary = open_gate.describe_release(waiting, released_by, since, self._now)
        # After a hold by a rule, the retry has counted the time.
        waited = None if self._job.since is None else self._waited(since)
        seen = {"waiting": _named(waiting), "waited_seconds": waited, "released_by": released_by}
        return let_pass(
            self._job, self._asked, "let go", summary, self._upstreams, self._aws, **seen
        )

    def _give_up(
        self, waiting: Sequence[Upstream], pipeline: str, execution: str, since: datetime
    ) -> dict[str, object]:
        seen = {
            "waiting": _named(waiting),
            "waited_seconds": self._waited(since),
            "on_give_up": self._asked.on_give_up,
        }
        if self._asked.on_give_up == "continue":
            summary = open_gate.describe_pass_after_give_up(waiting, since, self._now)
            return let_pass(
                self._job, self._asked, "gave up", summary, self._upstreams, self._aws, **seen
            )
        message = held_pipeline.describe_give_up(waiting, since, self._now)
        answered = self._aws.codepipeline.fail_job(self._job.id, "JobFailed", message)
        return self._log(
            "gave up",
            pipeline,
            execution,
            **seen,
            reason=describe_reasons(waiting, self._now),
            answered=answered,
        )

    def _waited(self, since: datetime) -> int:
        return int((self._now - since).total_seconds())

    def _since(self, kept: Hold | None) -> datetime:
        """Since when this execution waits: a stage that was retried goes on with the deadline that
        it has.
        """
        if self._job.since:
            return self._job.since
        goes_on = kept and (
            kept.released_by or (kept.give_up and self._asked.give_up_minutes is not None)
        )
        return kept.since if kept and goes_on else self._now

    # Who is held

    def _held_execution(self) -> tuple[str, str]:
        """The pipeline and execution to hold: as the action's parameters say, or else as
        CodePipeline does.
        """
        pipeline, execution = self._asked.pipeline, self._asked.execution
        if pipeline is None or execution is None:
            told_pipeline, told_execution = self._told_owner()
            pipeline, execution = pipeline or told_pipeline, execution or told_execution
        if pipeline is None:
            raise Misconfigured(refusals.describe_unknown_owner("pipeline"))
        if execution is None:
            raise Misconfigured(refusals.describe_unknown_owner("execution"))
        parameters.refuse_self(
            self._asked.depends_on, pipeline, self._aws.codepipeline.region, self._job.account
        )
        return pipeline, execution

    def _told_owner(self) -> tuple[str | None, str | None]:
        try:
            return self._aws.codepipeline.read_job_owner(self._job.id)
        except NotPermitted:
            return None, None  # the message to come says how to do without

    def _kept(self, execution: str) -> Hold | None:
        """The hold of this execution that stands already: made before its stage was retried, or
        marked by a person who lets it go.
        """
        try:
            return self._aws.eventbridge.read_hold(
                name_rule(Deployment.from_context(self._context), execution)
            )
        except (Misconfigured, ValueError):
            return None  # no rule can be named, or it is not the gate's own words: they will be written anew
        except NoAnswer:
            if self._asked.give_up_minutes is not None:
                raise  # its deadline must not move
            return None  # a doubt is no reason to lose the hold

    def _variables(self, pipeline: str, execution: str) -> dict[str, str] | None:
        """The variables of the execution to hold. Asking shows a mistyped `pipeline`, whose hold
        would never end in a start.
        """
        try:
            return self._aws.codepipeline.read_variables(pipeline, execution)
        except PipelineNotFound:
            raise Misconfigured(refusals.describe_foreign_execution(execution, pipeline)) from None
        except NoAnswer:
            return None  # a doubt is no reason to lose the hold: the retry will ask

    def _log(
        self, decided: str, pipeline: str | None, execution: str | None, **seen: object
    ) -> dict[str, object]:
        return log.log_decision(
            "gate", decided, job=self._job.id, pipeline=pipeline, execution=execution, **seen
        )


def _named(waiting: Sequence[Upstream]) -> dict[str, object]:
    """What keeps the gate closed, for the log."""
    return {
        one.label: one.unanswered
        or [f"{execution.id} {execution.status}" for execution in one.blocking]
        for one in waiting
    }
