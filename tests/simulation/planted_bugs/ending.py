"""How the retry ends a hold."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chalicelib import errors, retry, retry_function
from chalicelib.aws import codepipeline, eventbridge
from chalicelib.holds import fate as decision
from chalicelib.holds import hold
from chalicelib.pipelines import upstream
from tests.simulation.planted_bugs.bug import both, bug


@bug("Once", "a start has no token of its own", seed=198)
def no_token() -> AbstractContextManager[object]:
    return patch.object(hold.Hold, "start_token", lambda _: str(uuid.uuid4()))


@bug("Live", "the rule is removed before the start", seed=43)
def rule_goes_first() -> AbstractContextManager[object]:
    real = retry._act

    def act(kept: Any, look: Any, aws: Any, now: Any) -> Any:
        if look.next not in retry.STANDS:
            aws.eventbridge.remove(kept.rule)
        return real(kept, look, aws, now)

    return patch.object(retry, "_act", act)


@bug("Clean", "the rule's target is not removed", seed=0)
def target_stays() -> AbstractContextManager[object]:
    return patch.object(
        eventbridge.EventBridge, "remove_rule", eventbridge.EventBridge.delete_empty_rule
    )


@bug("Live", "a retry that AWS does not answer removes the rule", seed=25)
def retry_gives_up() -> AbstractContextManager[object]:
    real = retry.check_hold

    def recheck(event: Any, context: Any, aws: Any, now: Any) -> Any:
        try:
            return real(event, context, aws, now)
        except errors.NoAnswer:
            return aws.eventbridge.remove(event["rule"])

    return patch.object(retry_function, "check_hold", recheck)


@bug("Once", "a newer execution does not end a hold", seed=3)
def newer_ignored() -> AbstractContextManager[object]:
    return patch.object(
        retry,
        "find_fate",
        lambda held, all_: decision.find_fate(held, [one for one in all_ if one.id == held]),
    )


@bug("Live", "a held execution that is still in progress is taken for over", seed=81)
def in_progress_is_over() -> AbstractContextManager[object]:
    def fate(held: str, all_: Any) -> decision.HoldFate:
        found = decision.find_fate(held, all_)
        return (
            replace(found, fate=decision.Fate.OVER)
            if found.fate is decision.Fate.UNDECIDED
            else found
        )

    return patch.object(retry, "find_fate", fate)


@bug("Once", "an execution that the gate let pass at a later attempt is started again", seed=73)
def later_pass_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "has_passed_gate", lambda *_: False)


@bug("Once", "the retry does not look at the upstreams", seed=3)
def upstreams_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "find_unsatisfied", lambda _: ())


@bug("Once", "the retry acts on what it is told, not on what EventBridge keeps", seed=57)
def told_is_believed() -> AbstractContextManager[object]:
    real, real_recheck = eventbridge.EventBridge.read_hold, retry.check_hold
    told: list[hold.Hold | None] = []

    def recheck(event: Any, *more: Any) -> Any:
        told[:] = [hold.Hold.parse(event)]
        return real_recheck(event, *more)

    def kept_by(self: Any, rule: str) -> Any:
        return real(self, rule) and told[-1]

    return both(
        patch.object(retry_function, "check_hold", recheck),
        patch.object(eventbridge.EventBridge, "read_hold", kept_by),
    )


@bug("Live", "a restart has the default variables", seed=12)
def no_variables() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.start_pipeline
    return patch.object(
        codepipeline.CodePipeline,
        "start_pipeline",
        lambda self, pipeline, token, _, revisions: real(self, pipeline, token, {}, revisions),
    )


@bug("Live", "a restart in PARALLEL mode takes the newest revisions", seed=34)
def newest_revisions() -> AbstractContextManager[object]:
    return patch.object(retry, "choose_revisions", lambda *_: ())


@bug("Live", "a variable that was edited away keeps the pipeline from starting", seed=233)
def undeclared_variable() -> AbstractContextManager[object]:
    return patch.object(codepipeline.CodePipeline, "_still_declared", lambda _, request: request)


@bug("Live", "an upstream that was deleted is waited for", seed=110)
def deleted_upstream() -> AbstractContextManager[object]:
    def waiting(kept: Any, asking_: Any, now: Any) -> Any:
        return upstream.find_unsatisfied(
            [
                replace(one, unanswered="gone") if one.gone else one
                for one in asking_.upstreams(kept.depends_on)
            ]
        )

    return patch.object(retry, "_waiting", waiting)


@bug("Live", "the rule of a stage that is retried goes at once", seed=15)
def rule_goes_with_the_retry() -> AbstractContextManager[object]:
    real = retry._act

    def act(kept: Any, look: Any, aws: Any, now: Any) -> Any:
        record = real(kept, look, aws, now)
        if record["decision"] == "retried":
            aws.eventbridge.remove(kept.rule)
        return record

    return patch.object(retry, "_act", act)


@bug("Once", "where AWS does not retry a stage, nobody looks why", seed=185)
def no_second_look() -> AbstractContextManager[object]:
    def retry_stage(held: Any, look: Any, aws: Any) -> Any:
        try:
            aws.codepipeline.retry_stage(held.pipeline, look.stage, held.execution)
        except errors.NotRetryable:
            return replace(look, next=retry.Next.START)
        except errors.TakenOver:
            return retry.Look(retry.Next.DROP, "a newer execution has entered the stage")
        return look

    return patch.object(retry, "_retry_stage", retry_stage)
