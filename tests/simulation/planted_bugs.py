"""Bugs to plant: each a small patch of the code, to show that the simulation would notice it.

`seed` is the first one whose run catches it; should the code or the simulation change, the test looks on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import app
from chalicelib import awslambda, codepipeline, decision, errors, eventbridge, executions, gate, hold, messages, retry

BUGS: list[PlantedBug] = []


@dataclass(frozen=True)
class PlantedBug:
    """`what` is broken, in a few words; `plant` breaks it as long as the context lasts."""

    name: str
    what: str
    seed: int
    plant: Callable[[], AbstractContextManager[object]]


def bug(what: str, seed: int = 0) -> Callable[[Callable[[], AbstractContextManager[object]]], Callable[[], AbstractContextManager[object]]]:
    def listed(plant: Callable[[], AbstractContextManager[object]]) -> Callable[[], AbstractContextManager[object]]:
        BUGS.append(PlantedBug(plant.__name__, what, seed, plant))
        return plant

    return listed


# What the gate sees of an upstream


@bug("of an upstream's executions only the newest is looked at")
def only_the_newest() -> AbstractContextManager[object]:
    return patch.object(executions.Upstream, "running", property(lambda self: tuple(one for one in self.executions[:1] if one.running)))


@bug("an upstream that is Stopping is taken for idle")
def stopping_is_idle() -> AbstractContextManager[object]:
    return patch.object(executions, "RUNNING", frozenset({"InProgress"}))


@bug("only the first page of an upstream's executions is read")
def one_page() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline._pages_of_executions

    def pages(self: codepipeline.CodePipeline, pipeline: str) -> Any:
        yield next(iter(real(self, pipeline)))

    return patch.object(codepipeline.CodePipeline, "_pages_of_executions", pages)


@bug("an upstream of which AWS does not answer is taken for idle")
def unanswered_is_idle() -> AbstractContextManager[object]:
    return patch.object(executions.Upstream, "idle", property(lambda self: not self.running))


@bug("an upstream that the gate may not look at is taken for idle")
def denied_is_idle() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.executions

    def seen(self: codepipeline.CodePipeline, *arguments: Any, **more: Any) -> Any:
        try:
            return real(self, *arguments, **more)
        except errors.NotPermitted:
            return ()

    return patch.object(codepipeline.CodePipeline, "executions", seen)


@bug("only the first of several upstreams is looked at")
def only_the_first_upstream() -> AbstractContextManager[object]:
    return patch.object(gate, "waiting_for", lambda upstreams: decision.waiting_for(upstreams[:1]))


# How the gate holds


@bug("all holds share one rule")
def shared_rule() -> AbstractContextManager[object]:
    return patch.object(hold, "rule_name", lambda deployment, _: deployment.rule_prefix + str(uuid.UUID(int=0)))


@bug("the job is answered before the hold is made")
def answered_first() -> AbstractContextManager[object]:
    real_put, real_fail = eventbridge.EventBridge.put, codepipeline.CodePipeline.fail
    later: list[Callable[[], None]] = []

    def put(self: Any, *arguments: Any, **more: Any) -> None:
        later.append(lambda: real_put(self, *arguments, **more))

    def fail(self: Any, *arguments: Any, **more: Any) -> bool:
        answer = real_fail(self, *arguments, **more)
        while later:
            later.pop()()
        return answer

    return _both(patch.object(eventbridge.EventBridge, "put", put), patch.object(codepipeline.CodePipeline, "fail", fail))


@bug("nobody lets EventBridge invoke the retry")
def no_permission() -> AbstractContextManager[object]:
    return patch.object(awslambda.AwsLambda, "let_rules_invoke", lambda *_: None)


@bug("a hold has no schedule, only events end it")
def no_schedule() -> AbstractContextManager[object]:
    return patch.object(hold, "schedule", lambda *_: "")


@bug("a hold looks only once an hour, whatever retry_minutes says")
def hourly() -> AbstractContextManager[object]:
    real = hold.schedule
    return patch.object(hold, "schedule", lambda now, _: real(now, 60))


@bug("entries that failed in part are not looked at")
def failed_entries_ignored() -> AbstractContextManager[object]:
    return patch.object(eventbridge, "_refuse_failed_entries", lambda *_: None)


@bug("a gate that AWS does not answer ends as if all were well")
def gate_swallows() -> AbstractContextManager[object]:
    return patch.object(app, "answer", _swallowing(gate.answer))


@bug("a gate that AWS does not answer fails the job without a hold")
def fails_without_hold() -> AbstractContextManager[object]:
    real = eventbridge.EventBridge.put

    def put(*arguments: Any, **more: Any) -> None:
        try:
            real(*arguments, **more)
        except errors.NoAnswer as error:
            raise errors.Misconfigured(str(error)) from error

    return patch.object(eventbridge.EventBridge, "put", put)


@bug("the text of AWS's errors is passed on")
def error_text_in_message() -> AbstractContextManager[object]:
    def sorted_out(error: Any, call: str) -> Exception:
        sorted_ = errors.sorted_out(error, call)
        return type(sorted_)(f"{sorted_}: {error}")

    return _both(patch.object(codepipeline, "sorted_out", sorted_out), patch.object(eventbridge, "sorted_out", sorted_out))


# How the retry ends a hold


@bug("a start has no token of its own")
def no_token() -> AbstractContextManager[object]:
    return patch.object(hold.Hold, "start_token", lambda _: str(uuid.uuid4()))


@bug("the rule is removed before the start")
def rule_goes_first() -> AbstractContextManager[object]:
    real = retry._act

    def act(kept: Any, look: Any, aws: Any) -> Any:
        if look.next is not retry.Next.WAIT:
            aws.eventbridge.remove(kept.rule)
        return real(kept, look, aws)

    return patch.object(retry, "_act", act)


@bug("the rule's target is not removed")
def target_stays() -> AbstractContextManager[object]:
    return patch.object(eventbridge.EventBridge, "remove", eventbridge.EventBridge.delete_if_empty)


@bug("a retry that AWS does not answer removes the rule")
def retry_gives_up() -> AbstractContextManager[object]:
    def recheck(event: Any, context: Any, aws: Any, now: Any) -> Any:
        try:
            return retry.recheck(event, context, aws, now)
        except errors.NoAnswer:
            return aws.eventbridge.remove(event["rule"])

    return patch.object(app, "recheck", recheck)


@bug("a newer execution does not end a hold")
def newer_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "fate", lambda held, all_: decision.fate(held, [one for one in all_ if one.id == held]))


@bug("a held execution that is still in progress is taken for over")
def in_progress_is_over() -> AbstractContextManager[object]:
    def fate(held: str, all_: Any) -> decision.Finding:
        found = decision.fate(held, all_)
        return replace(found, fate=decision.Fate.OVER) if found.fate is decision.Fate.UNDECIDED else found

    return patch.object(retry, "fate", fate)


@bug("a held execution that is still in progress is taken for held")
def in_progress_is_held() -> AbstractContextManager[object]:
    def fate(held: str, all_: Any) -> decision.Finding:
        found = decision.fate(held, all_)
        return replace(found, fate=decision.Fate.HELD) if found.fate is decision.Fate.UNDECIDED else found

    return patch.object(retry, "fate", fate)


@bug("an execution that the gate let pass at a later attempt is started again")
def later_pass_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "failed_by_gate", lambda *_: True)


@bug("the retry does not look at the upstreams")
def upstreams_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "waiting_for", lambda _: ())


@bug("the retry acts on what it is told, not on what EventBridge keeps")
def told_is_believed() -> AbstractContextManager[object]:
    real, told = eventbridge.EventBridge.hold_kept_by, []

    def recheck(event: Any, *more: Any) -> Any:
        told[:] = [hold.Hold.of(event)]
        return retry.recheck(event, *more)

    def kept_by(self: Any, rule: str) -> Any:
        return real(self, rule) and told[-1]

    return _both(patch.object(app, "recheck", recheck), patch.object(eventbridge.EventBridge, "hold_kept_by", kept_by))


@bug("a restart has the default variables")
def no_variables() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.start
    return patch.object(
        codepipeline.CodePipeline, "start", lambda self, pipeline, token, _, revisions: real(self, pipeline, token, {}, revisions)
    )


@bug("a restart in PARALLEL mode takes the newest revisions")
def newest_revisions() -> AbstractContextManager[object]:
    return patch.object(retry, "revisions_to_start_with", lambda *_: ())


@bug("a variable that was edited away keeps the pipeline from starting")
def undeclared_variable() -> AbstractContextManager[object]:
    return patch.object(codepipeline.CodePipeline, "_still_declared", lambda _, request: request)


@bug("an upstream that was deleted is waited for")
def deleted_upstream() -> AbstractContextManager[object]:
    def upstream(name: str, aws: Any, now: Any) -> executions.Upstream:
        try:
            return executions.Upstream(name, aws.codepipeline.executions(name, since=now - timedelta(days=14)))
        except errors.PipelineNotFound:
            return executions.Upstream(name, unanswered="it is gone")

    return patch.object(retry, "_upstream", upstream)


@bug("in PARALLEL mode its own restart is not recognised")
def own_restart_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "own_restart", lambda *_: None)


def _both(*patches: AbstractContextManager[object]) -> AbstractContextManager[object]:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack


def _swallowing(function: Callable[..., Any]) -> Callable[..., Any]:
    def swallowing(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except errors.NoAnswer:
            return None

    return swallowing
