"""Reads from AWS what became of a hold: no more than its fate depends on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.aws.clients import Aws
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.deployment import Deployment
from chalicelib.errors import NotPermitted, PipelineNotFound
from chalicelib.holds.continuation import is_restart
from chalicelib.holds.fate import (
    Evidence,
    HoldFate,
    Standing,
    find_closed_gate,
    find_closed_gates,
    find_fate,
    find_predecessor,
)
from chalicelib.holds.hold import Hold
from chalicelib.holds.turns import list_earlier_holds
from chalicelib.holds.verdict import Verdict
from chalicelib.pipelines.execution import LONGEST_LAG_SECONDS, LOOK_BACK, Attempt
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from chalicelib.pipelines.wait_cycles import read_mark

MAX_PREDECESSORS = 5
"""How many executions are read to find the beginning of a wait, if AWS does not show the mark."""


def read_fate(
    codepipeline: CodePipeline, hold: Hold, deployed_as: str, now: datetime
) -> tuple[HoldFate, Evidence]:
    """Return what became of `hold`, and what that was concluded from. `deployed_as`: the Chalice
    stage of the gate that holds. `now`: aware UTC.

    Two calls or three for a hold that stands, one for most that are over. Raises NotPermitted or
    NoAnswer.
    """
    lag = timedelta(seconds=LONGEST_LAG_SECONDS)
    recent = now - hold.since < 2 * lag  # the gate answers only after `lag`
    evidence = Evidence(hold.pipeline, hold.execution, deployed_as, hold.restarted_as, recent)
    try:
        executions = codepipeline.list_executions(
            hold.pipeline, since=hold.since - LOOK_BACK, until=hold.execution
        )
        return complete_fate(codepipeline, hold, replace(evidence, executions=executions))
    except PipelineNotFound:
        evidence = replace(evidence, pipeline_exists=False)
        return find_fate(evidence), evidence


def complete_fate(
    codepipeline: CodePipeline, hold: Hold, evidence: Evidence
) -> tuple[HoldFate, Evidence]:
    """Return the fate by this evidence; where that is not enough, read what is missing.

    Raises NotPermitted, NoAnswer or PipelineNotFound.
    """
    fate = find_fate(evidence)
    if fate.standing is Standing.UNKNOWN and evidence.executions and evidence.attempts is None:
        attempts = read_attempts(codepipeline, hold, evidence.gate_function)
        evidence = replace(evidence, attempts=attempts)
        fate = find_fate(evidence)
    if fate.standing is Standing.UNKNOWN and not evidence.reaches_back:
        executions = codepipeline.list_executions(
            hold.pipeline, since=hold.since - LOOK_BACK, until=hold.execution
        )
        evidence = replace(evidence, executions=executions, reaches_back=True)
        fate = find_fate(evidence)
    return fate, evidence


def read_attempts(
    codepipeline: CodePipeline, hold: Hold, gate_function: str
) -> tuple[Attempt, ...]:
    """Return the attempts of the held execution's actions; those of its stages' conditions too,
    unless the actions show the closed gate, and the gate that holds.
    """
    attempts = codepipeline.list_attempts(hold.pipeline, hold.execution)
    shown = {(attempt.stage, attempt.action) for attempt in attempts}
    if find_closed_gate(attempts, gate_function) and (hold.gate is None or hold.gate in shown):
        return attempts
    conditions = codepipeline.list_condition_attempts(hold.pipeline, hold.execution)
    return (*attempts, *conditions)


def read_begin_of_held(
    codepipeline: CodePipeline,
    pipeline: str,
    execution: str,
    gate: tuple[str, str] | None,
    deployment: Deployment,
) -> datetime | None:
    """Return when the wait began that `execution` continues (aware UTC): the retry function started
    it in place of one that was held at the same gate. None if AWS shows none.

    Its mark says so. If AWS does not show it, the gate's attempts do. Raises NotPermitted, NoAnswer
    or PipelineNotFound.
    """
    executions = codepipeline.list_newest_executions(pipeline)
    begin = None
    for _ in range(MAX_PREDECESSORS):
        held = find_predecessor(execution, executions)
        if held is None:
            break
        attempts = (
            *codepipeline.list_attempts(pipeline, held.id),
            *codepipeline.list_condition_attempts(pipeline, held.id),
        )
        closed = [
            attempt
            for attempt in find_closed_gates(attempts, deployment.gate_function)
            if attempt.verdict is Verdict.HELD and gate in (None, (attempt.stage, attempt.action))
        ]
        if not closed:
            break
        if mark := read_mark(closed[0].mark):
            return mark.since
        begin, execution = closed[0].started, held.id
        if not is_restart(held.origin, deployment.retry_function):
            break
    return begin


def read_first_hold(
    hold: Hold, upstreams: Sequence[Upstream], aws: Aws, context: object, now: datetime
) -> Hold | None:
    """Return the hold that goes before this one, whose `upstreams` are satisfied; None if it is
    this one's turn. `context`: the Lambda context. `now`: aware UTC.

    What the other waits for and this one does not has to be read: it may not be able to go.
    """
    satisfied = {upstream.dependency for upstream in upstreams}
    for earlier in list_earlier_holds(hold, upstreams, now):
        reader = UpstreamReader(earlier.pipeline, aws, context, now)
        unread = [
            entry
            for entry in earlier.depends_on
            if entry not in satisfied
            and not (
                entry.name == hold.pipeline and entry.require == "idle" and reader.is_local(entry)
            )
        ]
        with suppress(NotPermitted):  # what this hold may not read is no reason to keep it
            upstreams_of_earlier = reader.read_upstreams(unread)
            existing = [upstream for upstream in upstreams_of_earlier if not upstream.missing]
            if not find_unsatisfied(existing):
                return earlier
    return None
