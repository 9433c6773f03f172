"""How the retry ends a hold."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chalicelib import errors, retry, retry_function
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.holds import continuation, fate, hold, reader
from chalicelib.holds.continuation import Continuation, Way
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.execution import Execution
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import both, bug, bug_in


@bug_in(Hold, "start_token", "Once", seed=125)
def no_token(_real: Any, _self: Hold) -> str:
    """A start has no token of its own."""
    return str(uuid.uuid4())


@bug_in(retry, "_carry_out", "Live", seed=44)
def rule_goes_first(real: Any, hold: Hold, plan: Any, deployment: Any, aws: Any, now: Any) -> Any:
    """The rule is removed before the start."""
    if plan.step is not retry.Step.STAY:
        aws.eventbridge.remove_target(hold.rule)
    return real(hold, plan, deployment, aws, now)


@bug_in(retry_function, "check_hold", "Live", seed=41)
def retry_gives_up(real: Any, event: Any, context: Any, aws: Any, now: Any) -> Any:
    """A retry that AWS does not answer removes the rule."""
    try:
        return real(event, context, aws, now)
    except errors.NoAnswer:
        return aws.eventbridge.remove_target(event["rule"])


@bug_in(reader, "find_fate", "Once", seed=1)
def newer_ignored(real: Any, evidence: fate.Evidence) -> Any:
    """A newer execution does not end a hold."""
    executions = [one for one in evidence.executions or () if one.id == evidence.execution]
    return real(replace(evidence, executions=executions))


@bug_in(reader, "find_fate", "Live", seed=137)
def in_progress_is_over(real: Any, evidence: fate.Evidence) -> Any:
    """A held execution that is still in progress counts as ended."""
    hold_fate = real(evidence)
    moved_on = hold_fate.standing is fate.Standing.MOVED_ON
    return replace(hold_fate, standing=fate.Standing.ENDED) if moved_on else hold_fate


@bug("Once", seed=57)
def told_is_believed() -> AbstractContextManager[object]:
    """The retry acts on its own input, not on what EventBridge keeps."""
    real_read, real_check = EventBridge.read_hold, retry.check_hold
    inputs: list[Hold | None] = []

    def check(event: Any, *arguments: Any) -> Any:
        inputs[:] = [Hold.parse(event)]
        return real_check(event, *arguments)

    def read(self: Any, rule: str) -> Any:
        return real_read(self, rule) and inputs[-1]

    return both(
        patch.object(retry_function, "check_hold", check),
        patch.object(EventBridge, "read_hold", read),
    )


@bug_in(CodePipeline, "start_pipeline", "Live", seed=30)
def no_variables(real: Any, self: Any, pipeline: str, token: str, _: Any, revisions: Any) -> Any:
    """A restart has the default variables."""
    return real(self, pipeline, token, {}, revisions)


@bug_in(CodePipeline, "_remove_undeclared", "Live", seed=285)
def undeclared_variable(_real: Any, _self: Any, request: Any) -> Any:
    """A variable that was edited away keeps the pipeline from starting."""
    return request


@bug_in(retry, "_read_upstreams", "Live", seed=110)
def deleted_upstream(_real: Any, hold: Hold, upstream_reader: Any, _now: Any) -> Any:
    """An upstream that was deleted is waited for."""
    upstreams = upstream_reader.read_upstreams(hold.depends_on)
    return [replace(one, unanswered="gone") if one.missing else one for one in upstreams]


@bug_in(retry, "_carry_out", "Live", seed=44)
def rule_goes_with_the_retry(
    real: Any, hold: Hold, plan: Any, deployment: Any, aws: Any, now: Any
) -> Any:
    """The rule of a stage that is retried is removed immediately."""
    record = real(hold, plan, deployment, aws, now)
    if plan.step is retry.Step.RETRY and "started" not in record:
        aws.eventbridge.remove_target(hold.rule)
    return record


@bug_in(retry, "_ask_for_retry", "Once", seed=15)
def no_second_look(real: Any, hold: Hold, plan: Any, *arguments: Any) -> Any:
    """If AWS does not retry a stage, the retry function does not check why."""
    unchanged = fate.Evidence(hold.pipeline, hold.execution, "dev", attempts=[plan.closed])
    with patch.object(retry, "read_fate", lambda *_: (fate.HELD, unchanged)):
        return real(hold, plan, *arguments)


@bug_in(retry, "find_continuation", "Same", seed=11)
def held_revisions_ignored(real: Any, held: Any, _revisions: Any, *more: Any, **by: Any) -> Any:
    """The revisions that were held are not used."""
    return real(held, None, *more, **by)


@bug_in(retry, "find_continuation", "Same", seed=39)
def latest_always(_real: Any, *_: Any, **__: Any) -> Any:
    """Every start takes the latest revisions."""
    return Continuation(Way.LATEST_REVISIONS)


@bug_in(retry, "has_filters", "Same", seed=448)
def filters_ignored(_real: Any, _declared: Any) -> bool:
    """An execution that a filter started counts as an ordinary push."""
    return False


@bug_in(continuation, "_find_open_key", "Same", seed=330)
def other_key_ignored(_real: Any, _attempts: Any) -> str:
    """An execution that may have taken another S3 key is started again."""
    return ""


@bug_in(retry, "_replace_by_retry", "Live", seed=332)
def refusal_waits(_real: Any, _hold: Hold, _plan: Any, why: str, *_: Any) -> Any:
    """If AWS refuses the held revisions, the hold stays."""
    return retry.Plan(retry.Step.STAY, Outcome.WAITING, why)


@bug_in(Execution, "parse", "Once", seed=555)
def rollback_started(real: Any, summary: Any) -> Any:
    """A rollback is started like any other execution."""
    return replace(real(summary), kind="STANDARD")


@bug_in(hold, "_parse_name", "Once", seed=21)
def anything_releases(_real: Any, value: object) -> str | None:
    """Whatever a rule's Input has as the name of a person releases the hold."""
    return None if value is None else str(value)


@bug_in(Hold, "ends_anyway", "Live", seed=122)
def mark_not_retried(_real: Any, self: Hold, *arguments: Any) -> bool:
    """The retry function ignores a person's mark."""
    return self.is_past_deadline(*arguments)


@bug("Once", seed=3)
def later_pass_ignored() -> AbstractContextManager[object]:
    """An execution that the gate let pass at a later attempt is started again."""
    return both(
        patch.object(fate, "_end_by_passing", lambda _: fate.HELD),
        patch.object(retry, "_has_passed", lambda *_: False),
    )
