"""Pipelines that wait for each other, and those that are held themselves."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from chalicelib.holds import making
from chalicelib.pipelines import wait_cycles
from chalicelib.pipelines.reader import UpstreamReader
from tests.simulation.planted_bugs.bug import bug


@bug("Safe", "an upstream that is held itself is taken for idle", seed=22)
def held_is_idle() -> AbstractContextManager[object]:
    return patch.object(UpstreamReader, "_read_hold", lambda *_: None)


@bug("Told", "no circle is seen", seed=4)
def no_circle() -> AbstractContextManager[object]:
    return patch.object(wait_cycles, "find_cycle", lambda *_: None)


@bug("Told", "only circles of two are seen", seed=821)
def only_of_two() -> AbstractContextManager[object]:
    real = wait_cycles.find_cycle
    return patch.object(
        wait_cycles,
        "find_cycle",
        lambda upstream, waits, asker, _: real(
            upstream, waits, asker, lambda _: wait_cycles.WaitingPipeline()
        ),
    )


@bug("Told", "each circle is taken for a deadlock", seed=100)
def each_is_a_deadlock() -> AbstractContextManager[object]:
    return patch.object(wait_cycles, "_waits_forever", lambda *_: True)


@bug("Told", "a gate that waits in place leaves no mark", seed=4)
def no_mark() -> AbstractContextManager[object]:
    real = wait_cycles.format_mark
    return patch.object(making, "format_mark", lambda since, _: real(since, ()))


@bug("Told", "whoever waits in place is taken for one that makes room", seed=4)
def never_stays() -> AbstractContextManager[object]:
    real = UpstreamReader.__init__

    def init(self: Any, *arguments: Any, **_: Any) -> None:
        real(self, *arguments)

    return patch.object(UpstreamReader, "__init__", init)
