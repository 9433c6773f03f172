"""How the gate holds."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chalicelib import errors, gate, gate_function
from chalicelib.aws import codepipeline, eventbridge
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.holds import making
from chalicelib.holds.hold import Hold
from chalicelib.holds.making import ClosedGate
from chalicelib.holds.schedule import Schedule
from chalicelib.holds.waiter import Waiter
from chalicelib.pipelines import wait_cycles
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import both, bug, bug_in


@bug_in(making, "identify_waiter", "Answered", seed=12)
def claims_believed(_real: Any, job: Any, parameters: Any, *_: Any) -> Waiter:
    """Whatever an action names is held, if it is running."""
    return Waiter(parameters.pipeline or "", parameters.execution or "", job.gate, verified=True)


@bug_in(making, "name_rule", "Once", seed=41)
def shared_rule(_real: Any, deployment: Any, _execution: Any) -> str:
    """All holds share one rule."""
    return str(deployment.rule_prefix + str(uuid.UUID(int=0)))


@bug("Live", seed=5)
def answered_first() -> AbstractContextManager[object]:
    """The job is answered before the hold is made."""
    real_put, real_fail = EventBridge.put_hold, CodePipeline.fail_job
    later: list[Callable[[], None]] = []

    def put(*arguments: Any, **keys: Any) -> None:
        later.append(lambda: real_put(*arguments, **keys))

    def fail(*arguments: Any, **keys: Any) -> bool:
        answer = real_fail(*arguments, **keys)
        while later:
            later.pop()()
        return answer

    return both(
        patch.object(EventBridge, "put_hold", put), patch.object(CodePipeline, "fail_job", fail)
    )


@bug_in(Schedule, "expression", "Live", seed=3)
def hourly(_real: Any, self: Schedule) -> str:
    """A hold looks only once an hour, whatever retry_minutes says."""
    return f"cron({self.first_minute} * * * ? *)"


@bug_in(gate_function, "answer_job", "Answered", seed=9)
def gate_swallows(real: Any, *arguments: Any) -> Any:
    """A gate that AWS does not answer ends as if all were well."""
    try:
        return real(*arguments)
    except errors.NoAnswer:
        return {"decision": Outcome.UNANSWERED.word}


@bug_in(gate_function, "keeps_condition_closed", "Answered", seed=5)
def closed_condition_ends_well(_real: Any, *_: Any) -> bool:
    """A closed stage condition fails its job, but ends without an error."""
    return False


@bug_in(EventBridge, "put_hold", "Answered", seed=22)
def fails_without_hold(real: Any, *arguments: Any, **keys: Any) -> None:
    """A gate that AWS does not answer fails the job without a hold."""
    try:
        real(*arguments, **keys)
    except errors.NoAnswer as error:
        raise errors.Misconfigured(str(error)) from error


@bug("Answered", seed=10)
def error_text_in_message() -> AbstractContextManager[object]:
    """The text of AWS's errors is passed on."""
    real = errors.translate_error

    def translate(error: Any, call: str, pipeline: str | None = None) -> Exception:
        translated = real(error, call, pipeline)
        return type(translated)(f"{translated}: {error}")

    return both(
        patch.object(errors, "translate_error", translate),
        patch.object(codepipeline, "translate_error", translate),
        patch.object(eventbridge, "translate_error", translate),
    )


@bug_in(gate, "parse_parameters", "Answered", seed=75)
def observe_ignored(real: Any, *arguments: Any) -> Any:
    """A gate that is only to observe holds."""
    return replace(real(*arguments), observe=False)


@bug_in(ClosedGate, "_find_begin", "Live", seed=91)
def deadline_forgotten(_real: Any, self: ClosedGate, *_: Any) -> Any:
    """A deadline moves with each hold of the same execution."""
    return self._now


@bug_in(ClosedGate, "_read_rule", "Live", seed=78)
def mark_ignored(real: Any, *arguments: Any) -> Any:
    """The gate ignores a person's mark."""
    hold = real(*arguments)
    return hold and replace(hold, released_by=None)


@bug_in(Hold, "find_wait", "Safe", seed=0)
def wait_of_the_execution(_real: Any, self: Hold, *_: Any) -> Hold:
    """A release and a deadline belong to the execution, whichever of its gates they were for."""
    return self


@bug("Safe", seed=127)
def mark_for_all() -> AbstractContextManager[object]:
    """The mark of one execution also releases those after it."""
    marks: dict[str, str] = {}

    def read(self: ClosedGate, execution: str) -> Hold | None:
        hold = real(self, execution)
        if hold and hold.released_by:
            marks[hold.pipeline] = hold.released_by
        by = marks.get(self._parameters.pipeline or "")
        return replace(hold, released_by=by) if hold and by else hold

    real = ClosedGate._read_rule
    return patch.object(ClosedGate, "_read_rule", read)


@bug_in(wait_cycles, "find_cycle", "Told", seed=285)
def each_is_a_deadlock(real: Any, *arguments: Any) -> Any:
    """Each cycle in which a success is required counts as a deadlock."""
    cycle = real(*arguments)
    return cycle and replace(cycle, deadlock=True)
