"""The keys that are not in the article."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from chalicelib import gate, parameters, retry
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.holds import fate, making
from chalicelib.holds.hold import Hold
from chalicelib.holds.making import ClosedGate
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.state import Parked, PipelineState
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from tests.simulation.planted_bugs.bug import both, bug


@bug("Safe", "require: succeeded is taken for idle", seed=6)
def require_ignored() -> AbstractContextManager[object]:
    return patch.object(Upstream, "satisfied", property(lambda self: self.idle))


@bug(
    "Safe",
    "of one stage of an upstream, its execution counts as past the stage before it came there",
    seed=28,
)
def past_too_early() -> AbstractContextManager[object]:
    return patch.object(PipelineState, "is_past", lambda *_: True)


@bug("Safe", "a parked upstream does not count, whatever parked says", seed=9)
def parked_passes() -> AbstractContextManager[object]:
    def blocking(self: Upstream) -> Any:
        return tuple(
            one
            for one in self.running
            if not self.is_past(one) and not (self.state and self.state.find_parked(one.id))
        )

    def look(self: UpstreamReader, wanted: Any) -> Upstream:
        seen = real_look(self, wanted)
        return (
            replace(seen, state=self._aws.codepipeline.read_state(wanted.name))
            if seen.running
            else seen
        )

    real_look = UpstreamReader._read_executions
    return both(
        patch.object(Upstream, "blocking", property(blocking)),
        patch.object(UpstreamReader, "_read_executions", look),
    )


@bug("Safe", "a gate that waits in place looks at its upstreams only once", seed=1)
def waits_once() -> AbstractContextManager[object]:
    real = find_unsatisfied
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

    return patch.object(gate, "find_unsatisfied", waiting_for)


@bug("Live", "a hold never gives up", seed=44)
def never_gives_up() -> AbstractContextManager[object]:
    return patch.object(Hold, "is_past_deadline", lambda *_: False)


@bug("Once", "a condition's rules are not looked at: what it let pass is started again", seed=844)
def conditions_ignored() -> AbstractContextManager[object]:
    return patch.object(CodePipeline, "list_condition_attempts", lambda *_: ())


@bug("Clean", "a gate that refused is asked again for ever", seed=110)
def refusals_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "REFUSALS", frozenset())


@bug("Safe", "whoever runs is taken for parked, where parked ones may pass", seed=3)
def always_parked() -> AbstractContextManager[object]:
    return patch.object(PipelineState, "find_parked", lambda *_: Parked("Deploy", None, None))


@bug("Answered", "a gate that is only to observe holds", seed=75)
def observe_ignored() -> AbstractContextManager[object]:
    real = parameters.parse_parameters
    return patch.object(
        gate, "parse_parameters", lambda *arguments: replace(real(*arguments), observe=False)
    )


@bug("Answered", "bypass is not looked at", seed=341)
def bypass_ignored() -> AbstractContextManager[object]:
    return patch.object(parameters, "_read_bypass", lambda _: False)


@bug("Once", "a hold by a rule does not stop at its deadline", seed=30)
def never_stops() -> AbstractContextManager[object]:
    return patch.object(Hold, "ends_by_stopping", property(lambda _: False))


@bug("Live", "a deadline moves with each hold of the same execution", seed=23)
def deadline_forgotten() -> AbstractContextManager[object]:
    return patch.object(ClosedGate, "_find_begin", lambda self, _: self._now)


@bug("Live", "a wait in place lasts until CodePipeline ends it", seed=270)
def no_hand_over() -> AbstractContextManager[object]:
    return patch.object(making, "LONGEST_WAIT_IN_PROGRESS", timedelta(hours=25))


@bug("Live", "a wait in place is handed over to a rule after an hour", seed=40)
def early_hand_over() -> AbstractContextManager[object]:
    return patch.object(making, "LONGEST_WAIT_IN_PROGRESS", timedelta(hours=1))


@bug("Live", "the revisions that were held are not taken", seed=34)
def held_revisions_ignored() -> AbstractContextManager[object]:
    return patch.object(
        retry,
        "choose_revisions",
        lambda own, _, attempts: fate.choose_revisions(own, None, attempts),
    )


@bug("Once", "a rollback is started like any other", seed=66)
def rollback_started() -> AbstractContextManager[object]:
    real = Execution.parse
    return patch.object(Execution, "parse", lambda summary: replace(real(summary), kind="STANDARD"))


@bug("Live", "a person's mark is not looked at by the gate", seed=66)
def mark_ignored() -> AbstractContextManager[object]:
    def read(self: ClosedGate, execution: str) -> Hold | None:
        found = real(self, execution)
        return found and replace(found, released_by=None)

    real = ClosedGate._read_standing_hold
    return patch.object(ClosedGate, "_read_standing_hold", read)


@bug("Live", "a person's mark is not looked at by the retry", seed=15)
def mark_not_retried() -> AbstractContextManager[object]:
    return patch.object(Hold, "ends_anyway", Hold.is_past_deadline)


@bug("Safe", "the mark of one execution lets those after it go, too", seed=46)
def mark_for_all() -> AbstractContextManager[object]:
    marks: dict[str, str] = {}

    def read(self: ClosedGate, execution: str) -> Hold | None:
        found = real(self, execution)
        if found and found.released_by:
            marks[found.pipeline] = found.released_by
        by = marks.get(self._parameters.pipeline or "")
        return replace(found, released_by=by) if found and by else found

    real = ClosedGate._read_standing_hold
    return patch.object(ClosedGate, "_read_standing_hold", read)
