"""Where the executions of a pipeline stand, as plain data: stages, actions, approvals and closed
transitions (GetPipelineState).

In PARALLEL mode AWS does not show every execution there (guide: executions-view): of one that is
not shown, nothing is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.pipelines.execution import RUNNING

if TYPE_CHECKING:
    from chalicelib.holds.verdict import Verdict


@dataclass(frozen=True)
class ActionState:
    """An action's latest run. `mark` is its external execution id, where a gate that waits writes
    what it waits for.
    """

    name: str
    status: str
    since: datetime | None
    approval: bool
    """It waits for a person: CodePipeline shows the token to answer with (model:
    ActionExecution.token).
    """
    mark: str = ""
    message: str = ""
    verdict: Verdict | None = None
    """What the console shows of it: its failure's message, or its summary."""


@dataclass(frozen=True)
class StageState:
    """`execution` entered the stage last and is `status` in it; `inbound` stand before it; `closed`
    says its transition is disabled.
    """

    name: str
    execution: str | None
    status: str
    inbound: tuple[str, ...]
    transition_disabled: bool
    disabled_since: datetime | None
    actions: tuple[ActionState, ...]

    @property
    def busy(self) -> bool:
        return self.status in RUNNING


@dataclass(frozen=True)
class Parked:
    """What a person has to do before an execution goes on: answer `action` of `stage`, or (`action`
    None) enable the way into it.
    """

    stage: str
    action: str | None
    since: datetime | None


@dataclass(frozen=True)
class PipelineState:
    stages: tuple[StageState, ...]

    def stage(self, name: str) -> StageState | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    def is_past(self, execution: str, stage: str) -> bool:
        """Whether `execution` has left `stage` behind, or is through with it. False too where AWS
        does not show it.
        """
        names = [stage_state.name for stage_state in self.stages]
        positions = [
            number
            for number, stage_state in enumerate(self.stages)
            if execution == stage_state.execution or execution in stage_state.inbound
        ]
        if stage not in names or not positions:
            return False
        latest, awaited = self.stages[positions[-1]], names.index(stage)
        return positions[-1] > awaited or (
            positions[-1] == awaited
            and latest.execution == execution
            and latest.status in ("Succeeded", "Skipped")
        )

    def parked(self, execution: str) -> Parked | None:
        """What person `execution` waits for, if it waits for nothing else; also where it stands
        behind one that does.
        """
        for number, stage in enumerate(self.stages):
            if stage.execution == execution and stage.busy:
                return _open_approval(stage)
            if execution in stage.inbound:
                if stage.transition_disabled:
                    return Parked(stage.name, None, stage.disabled_since)
                return _open_approval(self.stages[number]) if stage.busy else None
        return None

    def marks(self, execution: str) -> tuple[str, ...]:
        """The marks of the actions that are in progress in the stage where `execution` is."""
        return tuple(
            action.mark
            for stage in self.stages
            if stage.execution == execution and stage.busy
            for action in stage.actions
            if action.status == "InProgress" and action.mark
        )


def _open_approval(stage: StageState) -> Parked | None:
    open_actions = [action for action in stage.actions if action.status == "InProgress"]
    if not open_actions or not all(action.approval for action in open_actions):
        return None
    return Parked(stage.name, open_actions[0].name, open_actions[0].since)
