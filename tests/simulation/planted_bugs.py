"""Bugs to plant: each a small patch of the code, to show that the simulation would notice it.

`seed` is the first one whose run catches it; should the code or the simulation change, the test looks on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from chalicelib import (
    asking,
    awslambda,
    codepipeline,
    decision,
    errors,
    eventbridge,
    executions,
    gate,
    hold,
    retry,
    state,
    upstream,
)

BUGS: list[PlantedBug] = []


Plant = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class PlantedBug:
    """`what` is broken, in a few words; `plant` breaks it as long as the context lasts; `breaks` is the promise that suffers."""

    name: str
    breaks: str
    what: str
    seed: int
    plant: Plant


def bug(breaks: str, what: str, seed: int) -> Callable[[Plant], Plant]:
    def listed(plant: Plant) -> Plant:
        BUGS.append(PlantedBug(plant.__name__, breaks, what, seed, plant))
        return plant

    return listed


# What the gate sees of an upstream


@bug("Safe", "of an upstream's executions only the newest is looked at", seed=1)
def only_the_newest() -> AbstractContextManager[object]:
    return patch.object(upstream.Upstream, "running", property(lambda self: tuple(one for one in self.executions[:1] if one.running)))


@bug("Safe", "an upstream that is Stopping is taken for idle", seed=30)
def stopping_is_idle() -> AbstractContextManager[object]:
    return patch.object(executions, "RUNNING", frozenset({"InProgress"}))


@bug("Safe", "only the first page of an upstream's executions is read", seed=10)
def one_page() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline._pages_of_executions

    def pages(self: codepipeline.CodePipeline, pipeline: str) -> Any:
        yield next(iter(real(self, pipeline)))

    return patch.object(codepipeline.CodePipeline, "_pages_of_executions", pages)


@bug("Safe", "an upstream of which AWS does not answer is taken for idle", seed=25)
def unanswered_is_idle() -> AbstractContextManager[object]:
    return patch.object(upstream.Upstream, "idle", property(lambda self: not self.blocking))


@bug("Safe", "an upstream that the gate may not look at is taken for idle", seed=123)
def denied_is_idle() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.executions

    def seen(self: codepipeline.CodePipeline, *arguments: Any, **more: Any) -> Any:
        try:
            return real(self, *arguments, **more)
        except errors.NotPermitted:
            return ()

    return patch.object(codepipeline.CodePipeline, "executions", seen)


@bug("Safe", "only the first of several upstreams is looked at", seed=0)
def only_the_first_upstream() -> AbstractContextManager[object]:
    return patch.object(gate, "waiting_for", lambda upstreams: upstream.waiting_for(upstreams[:1]))


# How the gate holds


@bug("Once", "all holds share one rule", seed=12)
def shared_rule() -> AbstractContextManager[object]:
    return patch.object(hold, "rule_name", lambda deployment, _: deployment.rule_prefix + str(uuid.UUID(int=0)))


@bug("Live", "the job is answered before the hold is made", seed=5)
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


@bug("Live", "nobody lets EventBridge invoke the retry", seed=0)
def no_permission() -> AbstractContextManager[object]:
    return patch.object(awslambda.AwsLambda, "let_rules_invoke", lambda *_: None)


@bug("Live", "a hold has no schedule, only events end it", seed=3)
def no_schedule() -> AbstractContextManager[object]:
    return patch.object(hold, "schedule", lambda *_: "")


@bug("Live", "a hold looks only once an hour, whatever retry_minutes says", seed=1)
def hourly() -> AbstractContextManager[object]:
    real = hold.schedule
    return patch.object(hold, "schedule", lambda now, _: real(now, 60))


@bug("Live", "entries that failed in part are not looked at", seed=317)
def failed_entries_ignored() -> AbstractContextManager[object]:
    return patch.object(eventbridge, "_refuse_failed_entries", lambda *_: None)


@bug("Answered", "a gate that AWS does not answer ends as if all were well", seed=9)
def gate_swallows() -> AbstractContextManager[object]:
    return patch.object(gate, "answer", _swallowing(gate.answer))


@bug("Answered", "a gate that AWS does not answer fails the job without a hold", seed=7)
def fails_without_hold() -> AbstractContextManager[object]:
    real = eventbridge.EventBridge.put

    def put(*arguments: Any, **more: Any) -> None:
        try:
            real(*arguments, **more)
        except errors.NoAnswer as error:
            raise errors.Misconfigured(str(error)) from error

    return patch.object(eventbridge.EventBridge, "put", put)


@bug("Answered", "the text of AWS's errors is passed on", seed=7)
def error_text_in_message() -> AbstractContextManager[object]:
    def sorted_out(error: Any, call: str) -> Exception:
        sorted_ = errors.sorted_out(error, call)
        return type(sorted_)(f"{sorted_}: {error}")

    return _both(patch.object(codepipeline, "sorted_out", sorted_out), patch.object(eventbridge, "sorted_out", sorted_out))


# How the retry ends a hold


@bug("Once", "a start has no token of its own", seed=123)
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
    return patch.object(eventbridge.EventBridge, "remove", eventbridge.EventBridge.delete_if_empty)


@bug("Live", "a retry that AWS does not answer removes the rule", seed=41)
def retry_gives_up() -> AbstractContextManager[object]:
    real = retry.recheck

    def recheck(event: Any, context: Any, aws: Any, now: Any) -> Any:
        try:
            return real(event, context, aws, now)
        except errors.NoAnswer:
            return aws.eventbridge.remove(event["rule"])

    return patch.object(retry, "recheck", recheck)


@bug("Once", "a newer execution does not end a hold", seed=1)
def newer_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "fate", lambda held, all_: decision.fate(held, [one for one in all_ if one.id == held]))


@bug("Live", "a held execution that is still in progress is taken for over", seed=1045)
def in_progress_is_over() -> AbstractContextManager[object]:
    def fate(held: str, all_: Any) -> decision.Finding:
        found = decision.fate(held, all_)
        return replace(found, fate=decision.Fate.OVER) if found.fate is decision.Fate.UNDECIDED else found

    return patch.object(retry, "fate", fate)


@bug("Once", "an execution that the gate let pass at a later attempt is started again", seed=73)
def later_pass_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "passed_the_gate", lambda *_: False)


@bug("Once", "the retry does not look at the upstreams", seed=1)
def upstreams_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "waiting_for", lambda _: ())


@bug("Once", "the retry acts on what it is told, not on what EventBridge keeps", seed=57)
def told_is_believed() -> AbstractContextManager[object]:
    real, real_recheck = eventbridge.EventBridge.hold_kept_by, retry.recheck
    told: list[hold.Hold | None] = []

    def recheck(event: Any, *more: Any) -> Any:
        told[:] = [hold.Hold.of(event)]
        return real_recheck(event, *more)

    def kept_by(self: Any, rule: str) -> Any:
        return real(self, rule) and told[-1]

    return _both(patch.object(retry, "recheck", recheck), patch.object(eventbridge.EventBridge, "hold_kept_by", kept_by))


@bug("Live", "a restart has the default variables", seed=1)
def no_variables() -> AbstractContextManager[object]:
    real = codepipeline.CodePipeline.start
    return patch.object(
        codepipeline.CodePipeline, "start", lambda self, pipeline, token, _, revisions: real(self, pipeline, token, {}, revisions)
    )


@bug("Live", "a restart in PARALLEL mode takes the newest revisions", seed=27)
def newest_revisions() -> AbstractContextManager[object]:
    return patch.object(retry, "revisions_to_start_with", lambda *_: ())


@bug("Live", "a variable that was edited away keeps the pipeline from starting", seed=233)
def undeclared_variable() -> AbstractContextManager[object]:
    return patch.object(codepipeline.CodePipeline, "_still_declared", lambda _, request: request)


@bug("Live", "an upstream that was deleted is waited for", seed=110)
def deleted_upstream() -> AbstractContextManager[object]:
    def waiting(kept: Any, asking_: Any, now: Any) -> Any:
        return upstream.waiting_for([replace(one, unanswered="gone") if one.gone else one for one in asking_.upstreams(kept.depends_on)])

    return patch.object(retry, "_waiting", waiting)


# The keys that are not in the article


@bug("Safe", "require: succeeded is taken for idle", seed=1)
def require_ignored() -> AbstractContextManager[object]:
    return patch.object(upstream.Upstream, "satisfied", property(lambda self: self.idle))


@bug("Safe", "of one stage of an upstream, its execution counts as past the stage before it came there", seed=20)
def past_too_early() -> AbstractContextManager[object]:
    return patch.object(state.PipelineState, "is_past", lambda *_: True)


@bug("Safe", "a parked upstream does not count, whatever parked says", seed=0)
def parked_passes() -> AbstractContextManager[object]:
    def blocking(self: upstream.Upstream) -> Any:
        return tuple(one for one in self.running if not self._past(one) and not (self.state and self.state.parked(one.id)))

    def look(self: asking.Asking, wanted: Any) -> upstream.Upstream:
        seen = real_look(self, wanted)
        return replace(seen, state=self._aws.codepipeline.state(wanted.name)) if seen.running else seen

    real_look = asking.Asking._look
    return _both(patch.object(upstream.Upstream, "blocking", property(blocking)), patch.object(asking.Asking, "_look", look))


@bug("Safe", "a gate that waits in place looks at its upstreams only once", seed=1)
def waits_once() -> AbstractContextManager[object]:
    real = upstream.waiting_for
    asked: set[str] = set()

    def waiting_for(upstreams: Any) -> Any:
        key = ",".join(one.label for one in upstreams)
        if key in asked:
            asked.clear()
            return ()
        found = real(upstreams)
        if found:
            asked.add(key)
        return found

    return patch.object(gate, "waiting_for", waiting_for)


@bug("Live", "a hold never gives up", seed=44)
def never_gives_up() -> AbstractContextManager[object]:
    return patch.object(hold.Hold, "given_up", lambda *_: False)


@bug("Once", "a condition's rules are not looked at: what it let pass is started again", seed=844)
def conditions_ignored() -> AbstractContextManager[object]:
    return patch.object(codepipeline.CodePipeline, "conditions", lambda *_: ())


@bug("Clean", "a gate that refused is asked again for ever", seed=110)
def refusals_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "REFUSALS", frozenset())


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
