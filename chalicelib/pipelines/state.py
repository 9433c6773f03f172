"""The state of a pipeline (GetPipelineState) as plain data: where its executions stand.

In PARALLEL mode AWS does not show every execution there (guide: executions-view). Nothing here
describes the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.pipelines.execution import ROLLBACK, RUNNING

if TYPE_CHECKING:
    from chalicelib.holds.verdict import Verdict


@dataclass(frozen=True)
class ActionState:
    """The latest run of an action, or of a rule of a stage's entry condition.

    `since`: when its status last changed (aware UTC).
    `approval`: whether it waits for a person: CodePipeline shows the token that approves it
    (model: ActionExecution.token).
    `mark`: its external execution id. A gate that waits with its action in progress stores there
    what it waits for (wait_cycles.Mark).
    `message`: what the console shows: the failure's message, or else the summary.
    `verdict`: how the gate failed it; None if the gate did not.
    """

    name: str
    status: str
    since: datetime | None
    approval: bool
    mark: str = ""
    message: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True)
class StageState:
    """A stage, and the executions in it and before it.

    `execution`: the id of the execution that entered the stage last; None if none has.
    `status`: the status of that execution in this stage; "" if there is none.
    `kind`: STANDARD or ROLLBACK: whether it ran the stage in order to roll it back.
    `inbound`: the ids of the executions that wait before the stage.
    `transition_disabled`, `disabled_since`: whether the transition into the stage is disabled, and
    when it was last enabled or disabled (aware UTC).
    """

    name: str
    execution: str | None
    status: str
    inbound: tuple[str, ...]
    transition_disabled: bool
    disabled_since: datetime | None
    actions: tuple[ActionState, ...]
    kind: str = "STANDARD"

    @property
    def busy(self) -> bool:
        return self.status in RUNNING

    @property
    def succeeded(self) -> bool:
        """Whether its last run is a success of what was pushed, not a rollback."""
        return self.status == "Succeeded" and self.kind != ROLLBACK


@dataclass(frozen=True)
class Parked:
    """What an execution needs a person for.

    `action`: the approval in `stage` that is open; None: the transition into `stage` is disabled.
    `since`: aware UTC.
    """

    stage: str
    action: str | None
    since: datetime | None


@dataclass(frozen=True)
class PipelineState:
    """The stages of a pipeline, in order."""

    stages: tuple[StageState, ...]

    def find_stage(self, name: str) -> StageState | None:
        """Return the stage with this name; None if the pipeline has no such stage."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def list_running(self) -> tuple[str, ...]:
        """Return the ids of the executions in a stage or waiting before one, each once."""
        ids = (
            id_
            for stage in self.stages
            for id_ in (*stage.inbound, *((stage.execution,) if stage.busy else ()))
        )
        return tuple(dict.fromkeys(id_ for id_ in ids if id_ is not None))

    def is_past(self, execution: str, stage: str) -> bool:
        """Return whether `execution` has finished `stage`, or is already behind it.

        False if the state does not show the execution.
        """
        names = [stage_state.name for stage_state in self.stages]
        positions = [
            position
            for position, stage_state in enumerate(self.stages)
            if execution == stage_state.execution or execution in stage_state.inbound
        ]
        if stage not in names or not positions:
            return False
        awaited, current = names.index(stage), positions[-1]
        if current != awaited:
            return current > awaited
        latest = self.stages[current]
        return latest.execution == execution and latest.status in ("Succeeded", "Skipped")

    def find_parked(self, execution: str) -> Parked | None:
        """Return what `execution` needs a person for; None if it can continue without one.

        It also needs a person if it waits behind an execution that does.
        """
        for stage in self.stages:
            if stage.execution == execution and stage.busy:
                return _find_open_approval(stage)
            if execution in stage.inbound:
                if stage.transition_disabled:
                    return Parked(stage.name, None, stage.disabled_since)
                return _find_open_approval(stage) if stage.busy else None
        return None

    def list_marks(self, execution: str) -> tuple[str, ...]:
        """Return the marks of the actions that `execution` has in progress."""
        return tuple(
            action.mark
            for stage in self.stages
            if stage.execution == execution and stage.busy
            for action in stage.actions
            if action.status == "InProgress" and action.mark
        )


def _find_open_approval(stage: StageState) -> Parked | None:
    """Return the first open approval of a stage; None if another action is in progress too."""
    open_actions = [action for action in stage.actions if action.status == "InProgress"]
    if not open_actions or not all(action.approval for action in open_actions):
        return None
    return Parked(stage.name, open_actions[0].name, open_actions[0].since)
