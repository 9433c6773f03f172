"""Waiting in real time, for what happens in other processes."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMEOUT_SECONDS = 120
"""Reached only by a test that fails: a loaded machine starts a process in seconds."""
POLL_SECONDS = 0.1


def wait_until(happens: Callable[[], object]) -> None:
    """Return as soon as `happens` returns something true. Fails after TIMEOUT_SECONDS."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(POLL_SECONDS)
