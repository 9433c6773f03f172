"""How the gate holds."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from chalicelib import errors, gate, gate_function
from chalicelib.aws import codepipeline, eventbridge
from chalicelib.aws.lambda_permission import LambdaPermissions
from chalicelib.holds import making, rule
from tests.simulation.planted_bugs.bug import both, bug


@bug("Once", "all holds share one rule", seed=41)
def shared_rule() -> AbstractContextManager[object]:
    return patch.object(
        making, "name_rule", lambda deployment, _: deployment.rule_prefix + str(uuid.UUID(int=0))
    )


@bug("Live", "the job is answered before the hold is made", seed=5)
def answered_first() -> AbstractContextManager[object]:
    real_put, real_fail = eventbridge.EventBridge.put_hold, codepipeline.CodePipeline.fail_job
    later: list[Callable[[], None]] = []

    def put(self: Any, *arguments: Any, **more: Any) -> None:
        later.append(lambda: real_put(self, *arguments, **more))

    def fail(self: Any, *arguments: Any, **more: Any) -> bool:
        answer = real_fail(self, *arguments, **more)
        while later:
            later.pop()()
        return answer

    return both(
        patch.object(eventbridge.EventBridge, "put_hold", put),
        patch.object(codepipeline.CodePipeline, "fail_job", fail),
    )


@bug("Live", "nobody lets EventBridge invoke the retry", seed=0)
def no_permission() -> AbstractContextManager[object]:
    return patch.object(LambdaPermissions, "allow_rules", lambda *_: None)


@bug("Live", "a hold has no schedule, only events end it", seed=3)
def no_schedule() -> AbstractContextManager[object]:
    return patch.object(making, "build_schedule", lambda *_: "")


@bug("Live", "a hold looks only once an hour, whatever retry_minutes says", seed=12)
def hourly() -> AbstractContextManager[object]:
    real = rule.build_schedule
    return patch.object(making, "build_schedule", lambda now, _: real(now, 60))


@bug("Live", "entries that failed in part are not looked at", seed=85)
def failed_entries_ignored() -> AbstractContextManager[object]:
    return patch.object(eventbridge, "_refuse_failed_entries", lambda *_: None)


@bug("Answered", "a gate that AWS does not answer ends as if all were well", seed=9)
def gate_swallows() -> AbstractContextManager[object]:
    return patch.object(gate_function, "answer_job", _swallowing(gate.answer_job))


@bug("Answered", "a gate that AWS does not answer fails the job without a hold", seed=13)
def fails_without_hold() -> AbstractContextManager[object]:
    real = eventbridge.EventBridge.put_hold

    def put(*arguments: Any, **more: Any) -> None:
        try:
            real(*arguments, **more)
        except errors.NoAnswer as error:
            raise errors.Misconfigured(str(error)) from error

    return patch.object(eventbridge.EventBridge, "put_hold", put)


@bug("Answered", "the text of AWS's errors is passed on", seed=10)
def error_text_in_message() -> AbstractContextManager[object]:
    real = errors.translate_error

    def sorted_out(error: Any, call: str, pipeline: str | None = None) -> Exception:
        sorted_ = real(error, call, pipeline)
        return type(sorted_)(f"{sorted_}: {error}")

    return both(
        patch.object(errors, "translate_error", sorted_out),
        patch.object(codepipeline, "translate_error", sorted_out),
        patch.object(eventbridge, "translate_error", sorted_out),
    )


def _swallowing(function: Callable[..., Any]) -> Callable[..., Any]:
    def swallowing(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except errors.NoAnswer:
            return None

    return swallowing
