"""Pipelines that wait for each other, and those that are held themselves."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from chalicelib.pipelines import reader as asking
from chalicelib.pipelines import wait_cycles as chains
from tests.simulation.planted_bugs.bug import bug


@bug("Safe", "an upstream that is held itself is taken for idle", seed=22)
def held_is_idle() -> AbstractContextManager[object]:
    return patch.object(asking.UpstreamReader, "_read_hold", lambda *_: None)


@bug("Told", "no circle is seen", seed=4)
def no_circle() -> AbstractContextManager[object]:
    return patch.object(chains, "cycle", lambda *_: None)


@bug("Told", "only circles of two are seen", seed=821)
def only_of_two() -> AbstractContextManager[object]:
    real = chains.find_cycle
    return patch.object(
        chains,
        "cycle",
        lambda upstream, waits, asker, _: real(
            upstream, waits, asker, lambda _: chains.WaitingPipeline()
        ),
    )


@bug("Told", "each circle is taken for a deadlock", seed=100)
def each_is_a_deadlock() -> AbstractContextManager[object]:
    return patch.object(chains, "_for_ever", lambda *_: True)


@bug("Told", "a gate that waits in place leaves no mark", seed=4)
def no_mark() -> AbstractContextManager[object]:
    real = chains.format_mark
    return patch.object(chains, "format_mark", lambda since, _: real(since, ()))


@bug("Told", "whoever waits in place is taken for one that makes room", seed=4)
def never_stays() -> AbstractContextManager[object]:
    real = asking.UpstreamReader.__init__

    def init(self: Any, *arguments: Any, **_: Any) -> None:
        real(self, *arguments)

    return patch.object(asking.UpstreamReader, "__init__", init)
