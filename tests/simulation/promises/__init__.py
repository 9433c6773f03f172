"""The gate's promises (docs/reliability.md), each checked on what really happened in a run."""

from __future__ import annotations

from sandbox.clock import utcnow
from sandbox.world import Dials
from tests.simulation.promises.answered import answered
from tests.simulation.promises.clean import clean
from tests.simulation.promises.deadlocks import deadlocks
from tests.simulation.promises.ends import ends
from tests.simulation.promises.events import events
from tests.simulation.promises.live import live
from tests.simulation.promises.metrics import metrics
from tests.simulation.promises.once import once
from tests.simulation.promises.safe import safe
from tests.simulation.promises.shown import shown
from tests.simulation.record import Record

__all__ = ["broken"]


def broken(record: Record, dials: Dials) -> list[str]:
    """The promises that a run, which ends now, broke: as sentences. "Told": something that people
    read or wire up was not so.
    """
    return [
        *safe(record),
        *live(record, utcnow(), dials),
        *clean(record),
        *once(record, dials.token_memory),
        *answered(record),
        *deadlocks(record, utcnow()),
        *shown(record),
        *metrics(record),
        *events(record),
        *ends(record),
    ]
