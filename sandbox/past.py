"""What an answer of AWS showed a few seconds ago: AWS does not promise that its lists show at once
what has just happened (model: ListPipelineExecutions and others say nothing about consistency).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sandbox.clock import utcnow
from sandbox.world import current_world

Shown = TypeVar("Shown")

KEPT = timedelta(minutes=1)
"""How long a former value is kept."""


def draw_moment(operation: str) -> datetime | None:
    """The moment (aware UTC) that an answer to `operation` shows; None: now (Dials.answer_age)."""
    answer_age = current_world().dials.answer_age
    seconds = 0.0 if answer_age is None else answer_age(operation)
    return utcnow() - timedelta(seconds=seconds) if seconds else None


@dataclass
class Past(Generic[Shown]):
    """What was shown of a thing after each of its latest changes. `before`: what was shown before
    the first one.
    """

    before: Shown
    changes: list[tuple[datetime, Shown]] = field(default_factory=list)

    def note(self, shown: Shown) -> None:
        """The thing changed now, and is shown like this from now on."""
        now = utcnow()
        while self.changes and self.changes[0][0] < now - KEPT:
            self.before = self.changes.pop(0)[1]
        self.changes.append((now, shown))

    def has_changed_since(self, moment: datetime) -> bool:
        return bool(self.changes) and self.changes[-1][0] > moment

    def at(self, moment: datetime) -> Shown:
        """What was shown at `moment`."""
        earlier = [shown for changed, shown in self.changes if changed <= moment]
        return earlier[-1] if earlier else self.before
