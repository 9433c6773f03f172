"""Reads from AWS what became of a hold: no more than its fate depends on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import PipelineNotFound
from chalicelib.holds.fate import Evidence, HoldFate, Standing, find_closed_gate, find_fate
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.execution import LONGEST_LAG_SECONDS, LOOK_BACK, Attempt


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
