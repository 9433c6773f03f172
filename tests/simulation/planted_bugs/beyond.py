"""The keys that are not in the article."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from chalicelib import gate, parameters, retry
from chalicelib.aws import codepipeline
from chalicelib.holds import fate as decision
from chalicelib.holds import hold
from chalicelib.holds import making as holding
from chalicelib.pipelines import execution as executions
from chalicelib.pipelines import reader as asking
from chalicelib.pipelines import state, upstream
from tests.simulation.planted_bugs.bug import both, bug


@bug("Safe", "require: succeeded is taken for idle", seed=6)
def require_ignored() -> AbstractContextManager[object]:
    return patch.object(upstream.Upstream, "satisfied", property(lambda self: self.idle))


@bug(
    "Safe",
    "of one stage of an upstream, its execution counts as past the stage before it came there",
    seed=28,
)
def past_too_early() -> AbstractContextManager[object]:
    return patch.object(state.PipelineState, "is_past", lambda *_: True)


@bug("Safe", "a parked upstream does not count, whatever parked says", seed=9)
def parked_passes() -> AbstractContextManager[object]:
    def blocking(self: upstream.Upstream) -> Any:
        return tuple(
            one
            for one in self.running
            if not self.is_past(one) and not (self.state and self.state.parked(one.id))
        )

    def look(self: asking.UpstreamReader, wanted: Any) -> upstream.Upstream:
        seen = real_look(self, wanted)
        return (
            replace(seen, state=self._aws.codepipeline.read_state(wanted.name))
            if seen.running
            else seen
        )

    real_look = asking.UpstreamReader._read_executions
    return both(
        patch.object(upstream.Upstream, "blocking", property(blocking)),
        patch.object(asking.UpstreamReader, "_read_executions", look),
    )


@bug("Safe", "a gate that waits in place looks at its upstreams only once", seed=1)
def waits_once() -> AbstractContextManager[object]:
    real = upstream.find_unsatisfied
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
    return patch.object(hold.Hold, "given_up", lambda *_: False)


@bug("Once", "a condition's rules are not looked at: what it let pass is started again", seed=844)
def conditions_ignored() -> AbstractContextManager[object]:
    return patch.object(codepipeline.CodePipeline, "list_condition_attempts", lambda *_: ())


@bug("Clean", "a gate that refused is asked again for ever", seed=110)
def refusals_ignored() -> AbstractContextManager[object]:
    return patch.object(retry, "REFUSALS", frozenset())


@bug("Safe", "whoever runs is taken for parked, where parked ones may pass", seed=3)
def always_parked() -> AbstractContextManager[object]:
    return patch.object(
        state.PipelineState, "parked", lambda *_: state.Parked("Deploy", None, None)
    )


@bug("Answered", "a gate that is only to observe holds", seed=75)
def observe_ignored() -> AbstractContextManager[object]:
    real = parameters.parse_parameters
    return patch.object(
        parameters, "parse_parameters", lambda *arguments: replace(real(*arguments), observe=False)
    )


@bug("Answered", "bypass is not looked at", seed=341)
def bypass_ignored() -> AbstractContextManager[object]:
    return patch.object(parameters, "_bypass", lambda _: False)


@bug("Once", "a hold by a rule does not stop at its deadline", seed=30)
def never_stops() -> AbstractContextManager[object]:
    return patch.object(hold.Hold, "ends_by_stopping", property(lambda _: False))


@bug("Live", "a deadline moves with each hold of the same execution", seed=23)
def deadline_forgotten() -> AbstractContextManager[object]:
    return patch.object(holding.Holding, "_since", lambda self, _: self._now)


@bug("Live", "a wait in place lasts until CodePipeline ends it", seed=270)
def no_hand_over() -> AbstractContextManager[object]:
    return patch.object(holding, "LONGEST_IN_PLACE", timedelta(hours=25))


@bug("Live", "a wait in place is handed over to a rule after an hour", seed=40)
def early_hand_over() -> AbstractContextManager[object]:
    return patch.object(holding, "LONGEST_IN_PLACE", timedelta(hours=1))


@bug("Live", "the revisions that were held are not taken", seed=34)
def held_revisions_ignored() -> AbstractContextManager[object]:
    return patch.object(
        retry,
        "choose_revisions",
        lambda own, _, attempts: decision.choose_revisions(own, None, attempts),
    )


@bug("Once", "a rollback is started like any other", seed=66)
def rollback_started() -> AbstractContextManager[object]:
    real = executions.Execution.parse
    return patch.object(
        executions.Execution, "parse", lambda summary: replace(real(summary), kind="STANDARD")
    )


@bug("Live", "a person's mark is not looked at by the gate", seed=15)
def mark_ignored() -> AbstractContextManager[object]:
    def kept(self: holding.Holding, execution: str) -> hold.Hold | None:
        found = real(self, execution)
        return found and replace(found, released_by=None)

    real = holding.Holding._kept
    return patch.object(holding.Holding, "_kept", kept)


@bug("Live", "a person's mark is not looked at by the retry", seed=15)
def mark_not_retried() -> AbstractContextManager[object]:
    return patch.object(hold.Hold, "ends_anyway", hold.Hold.given_up)


@bug("Safe", "the mark of one execution lets those after it go, too", seed=15)
def mark_for_all() -> AbstractContextManager[object]:
    marks: dict[str, str] = {}

    def kept(self: holding.Holding, execution: str) -> hold.Hold | None:
        found = real(self, execution)
        if found and found.released_by:
            marks[found.pipeline] = found.released_by
        by = marks.get(self._asked.pipeline or "")
        return replace(found, released_by=by) if found and by else found

    real = holding.Holding._kept
    return patch.object(holding.Holding, "_kept", kept)
