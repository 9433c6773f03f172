"""Does somebody wait still? A hold's rule outlives a wait that was made needless: it goes when the
upstreams have ended.
"""

from __future__ import annotations

from chalicelib.account.reader import Pipeline
from chalicelib.account.waits import Wait
from chalicelib.holds.fate import Fate, HoldFate, find_fate
from chalicelib.pipelines.execution import PARALLEL

READ = 100
"""So many executions of a pipeline an account reads: older ones are not known here."""


def find_wait_fate(wait: Wait, pipeline: Pipeline | None) -> HoldFate:
    """What became of the execution that waited; `pipeline`: its own, None where that is gone.
    UNDECIDED: its stage was retried, it runs.

    As far as an account's look tells: whether one that failed had passed the gate before, only
    where AWS shows its stages still.
    """
    if wait.rule is None:
        return HoldFate(Fate.HELD)  # its action is in progress
    if pipeline is None:
        return HoldFate(Fate.OVER, f"the pipeline {wait.pipeline} is gone")
    if pipeline.unseen:
        return HoldFate(Fate.HELD)  # as far as its rule tells
    executions = pipeline.executions
    if (
        pipeline.mode == PARALLEL
        and len(executions) >= READ
        and all(one.id != wait.execution for one in executions)
    ):
        return HoldFate(Fate.HELD)  # older than what was read
    found = find_fate(wait.execution, executions)
    if found.fate is Fate.HELD and _passed(wait, pipeline):
        return HoldFate(Fate.OVER, f"execution {wait.execution} passed the gate at a later attempt")
    return found


def _passed(wait: Wait, pipeline: Pipeline) -> bool:
    """Whether all of its gates where AWS still shows it have let it pass."""
    stages = [pipeline.state.stage(gate.stage) for gate in pipeline.gates] if pipeline.state else []
    names = {(gate.stage, gate.action) for gate in pipeline.gates}
    shown = [
        action.status
        for stage in stages
        if stage and stage.execution == wait.execution
        for action in stage.actions
        if (stage.name, action.name) in names
    ]
    return bool(shown) and all(status == "Succeeded" for status in shown)
