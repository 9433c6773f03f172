"""How a gate holds a pipeline. To add a mode, add an entry to MODES."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HoldMode:
    """One value of the key `hold`, and what follows from it.

    `stays_in_progress`: the gate's action stays in progress, and CodePipeline invokes the gate
    again. Otherwise the action fails, and a rule remembers the execution. `starts_over`: the
    pipeline continues as a new execution; otherwise the held one continues. `mode_of_rule`: the
    mode that a rule stores whenever one is made, also when a wait gets too long for an action in
    progress. It names a mode that fails the action.
    """

    name: str
    stays_in_progress: bool
    starts_over: bool
    mode_of_rule: str

    @property
    def fails_execution(self) -> bool:
        """Whether the held execution shows as failed while it is held."""
        return not self.stays_in_progress

    @property
    def keeps_queue_order(self) -> bool:
        """Whether, in QUEUED mode, no later execution gets in before the held one."""
        return self.stays_in_progress

    def __str__(self) -> str:
        return self.name


RESTART = HoldMode("restart", stays_in_progress=False, starts_over=True, mode_of_rule="restart")
RETRY = HoldMode("retry", stays_in_progress=False, starts_over=False, mode_of_rule="retry")
WAIT = HoldMode("wait", stays_in_progress=True, starts_over=False, mode_of_rule="restart")

MODES = {mode.name: mode for mode in (RESTART, RETRY, WAIT)}
"""Every mode by its name, as UserParameters and rules spell it."""
DEFAULT = RESTART


def parse_rule_mode(name: object) -> HoldMode:
    """Return the mode that a rule's Input names. Raises ValueError if no rule holds like that."""
    mode = MODES.get(str(name))
    if mode is None or mode.stays_in_progress:
        raise ValueError(f"{name} is no mode of a rule")
    return mode
