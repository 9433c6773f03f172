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
from chalicelib.holds import fate, reader
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.upstream import find_unsatisfied
from tests.simulation.planted_bugs.bug import both, bug


@bug("Once", "a start has no token of its own", seed=198)
def no_token() -> AbstractContextManager[object]:
    return patch.object(Hold, "start_token", lambda _: str(uuid.uuid4()))


@bug("Live", "the rule is removed before the start", seed=43)
def rule_goes_first() -> AbstractContextManager[object]:
    real = retry._carry_out

    def carry_out(hold: Hold, plan: Any, deployment: Any, aws: Any, now: Any) -> Any:
        if plan.step is not retry.Step.STAY:
            aws.eventbridge.remove_target(hold.rule)
        return real(hold, plan, deployment, aws, now)

    return patch.object(retry, "_carry_out", carry_out)


@bug("Clean", "the rule's target is not removed", seed=0)
def target_stays() -> AbstractContextManager[object]:
    return patch.object(EventBridge, "remove_target", lambda *_: True)


@bug("Live", "a retry that AWS does not answer removes the rule", seed=43)
def retry_gives_up() -> AbstractContextManager[object]:
    real = retry.check_hold

    def recheck(event: Any, context: Any, aws: Any, now: Any) -> Any:
        try:
            return real(event, context, aws, now)
        except errors.NoAnswer:
            return aws.eventbridge.remove_target(event["rule"])

    return patch.object(retry_function, "check_hold", recheck)


@bug("Once", "a newer execution does not end a hold", seed=3)
def newer_ignored() -> AbstractContextManager[object]:
    def find(evidence: fate.Evidence) -> fate.HoldFate:
        only = [one for one in evidence.executions or () if one.id == evidence.execution]
        return fate.find_fate(replace(evidence, executions=only))

    return patch.object(reader, "find_fate", find)


@bug("Live", "a held execution that is still in progress is taken for over", seed=25)
def in_progress_is_over() -> AbstractContextManager[object]:
    def find(evidence: fate.Evidence) -> fate.HoldFate:
        found = fate.find_fate(evidence)
        moved_on = found.standing is fate.Standing.MOVED_ON
        return replace(found, standing=fate.Standing.ENDED) if moved_on else found

    return patch.object(reader, "find_fate", find)


@bug("Once", "an execution that the gate let pass at a later attempt is started again", seed=73)
def later_pass_ignored() -> AbstractContextManager[object]:
    return patch.object(fate, "_end_by_passing", lambda _: fate.HELD)


@bug("Once", "the retry does not look at the upstreams", seed=3)
def upstreams_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "find_unsatisfied", lambda _: ())


@bug("Once", "the retry acts on what it is told, not on what EventBridge keeps", seed=57)
def told_is_believed() -> AbstractContextManager[object]:
    real, real_recheck = EventBridge.read_hold, retry.check_hold
    told: list[Hold | None] = []

    def recheck(event: Any, *more: Any) -> Any:
        told[:] = [Hold.parse(event)]
        return real_recheck(event, *more)

    def kept_by(self: Any, rule: str) -> Any:
        return real(self, rule) and told[-1]

    return both(
        patch.object(retry_function, "check_hold", recheck),
        patch.object(EventBridge, "read_hold", kept_by),
    )


@bug("Live", "a restart has the default variables", seed=12)
def no_variables() -> AbstractContextManager[object]:
    real = CodePipeline.start_pipeline
    return patch.object(
        CodePipeline,
        "start_pipeline",
        lambda self, pipeline, token, _, revisions: real(self, pipeline, token, {}, revisions),
    )


@bug("Live", "a restart in PARALLEL mode takes the newest revisions", seed=34)
def newest_revisions() -> AbstractContextManager[object]:
    return patch.object(retry, "choose_revisions", lambda *_: ())


@bug("Live", "a variable that was edited away keeps the pipeline from starting", seed=233)
def undeclared_variable() -> AbstractContextManager[object]:
    return patch.object(CodePipeline, "_remove_undeclared", lambda _, request: request)


@bug("Live", "an upstream that was deleted is waited for", seed=110)
def deleted_upstream() -> AbstractContextManager[object]:
    def read(hold: Hold, upstream_reader: Any, now: Any) -> Any:
        upstreams = upstream_reader.read_upstreams(hold.depends_on)
        return find_unsatisfied(
            [replace(one, unanswered="gone") if one.missing else one for one in upstreams]
        )

    return patch.object(retry, "_read_waiting", read)


@bug("Live", "the rule of a stage that is retried goes at once", seed=78)
def rule_goes_with_the_retry() -> AbstractContextManager[object]:
    real = retry._carry_out

    def carry_out(hold: Hold, plan: Any, deployment: Any, aws: Any, now: Any) -> Any:
        record = real(hold, plan, deployment, aws, now)
        if plan.step is retry.Step.RETRY and "started" not in record:
            aws.eventbridge.remove_target(hold.rule)
        return record

    return patch.object(retry, "_carry_out", carry_out)


@bug("Once", "where AWS does not retry a stage, nobody looks why", seed=66)
def no_second_look() -> AbstractContextManager[object]:
    real = retry._ask_for_retry

    def ask(hold: Hold, plan: Any, deployment: Any, aws: Any) -> Any:
        with patch.object(retry, "read_fate", lambda *_: (fate.HELD, None)):
            return real(hold, plan, deployment, aws)

    return patch.object(retry, "_ask_for_retry", ask)
