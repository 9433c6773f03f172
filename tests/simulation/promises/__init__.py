"""The gate's promises (docs/reliability.md), each checked on what really happened in a run."""

from __future__ import annotations

from tests.simulation.promises.answered import answered
from tests.simulation.promises.claims import claims, was_misled
from tests.simulation.promises.clean import clean
from tests.simulation.promises.deadlocks import deadlocks
from tests.simulation.promises.ends import ends
from tests.simulation.promises.events import events
from tests.simulation.promises.live import live
from tests.simulation.promises.metrics import metrics
from tests.simulation.promises.once import once
from tests.simulation.promises.safe import safe
from tests.simulation.promises.same import same
from tests.simulation.promises.shown import shown
from tests.simulation.record import Record

PROMISES = (
    ("Safe", safe),
    ("Live", live),
    ("Clean", clean),
    ("Once", once),
    ("Answered", answered),
    ("Answered", claims),
    ("Same", same),
    ("Told", deadlocks),
    ("Told", shown),
    ("Told", metrics),
    ("Told", events),
    ("Told", ends),
)
"""Told: what people read or connect to other actions is correct."""


def find_broken(record: Record) -> list[str]:
    """The promises that a run, which ends now, broke: as sentences."""
    if was_misled(record):
        return []
    return [f"{name}: {sentence}" for name, promise in PROMISES for sentence in promise(record)]
