"""EVENT_BUS, in some runs: the default bus, or one for the purpose."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from chalicelib.records import report
from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from tests.simulation.record import Record


@contextmanager
def announced(random: Random, record: Record) -> Iterator[None]:
    """Set EVENT_BUS for the functions, as .chalice/config.json would: Chalice's test client reads
    that file at each invocation.
    """
    record.bus = random.choice(("default", "deployments", *[None] * 5))
    if record.bus is None:
        yield
        return
    if record.bus != "default":
        eventbridge.backend(ACCOUNT, REGION).create_event_bus(record.bus)
    environ = SimpleNamespace(environ={**os.environ, "EVENT_BUS": record.bus})
    with patch.object(report, "os", environ):
        yield
