"""Many runs on all cores, until they are done, the time is up or a person stops them."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from rich.console import Console

from tests.simulation.run import simulate
from tests.simulation.story import Result, format_result

BLOCK = 20
"""How many runs a process gets at the same time."""


def soak(first: int, runs: int | None, minutes: float | None) -> int:
    """Play the seeds from `first` on: `runs` of them, or for `minutes`, or until Ctrl-C.

    Prints the story of each run that breaks a promise, and a summary. Returns the exit status.
    """
    console, began = Console(), time.monotonic()
    end = None if minutes is None else began + 60 * minutes
    done = broken = 0
    with console.status("") as status:
        try:
            for result in _results(first, runs, end):
                done += 1
                if result.broken:
                    broken += 1
                    console.print(format_result(result), markup=False, highlight=False)
                rate = done / (time.monotonic() - began)
                status.update(f"{done} runs, {rate:.0f} a second, {broken} with broken promises")
        except KeyboardInterrupt:
            console.print("stopped")
    took = (time.monotonic() - began) / 60
    console.print(
        f"{done} runs, {broken} with broken promises, seeds {first}..{first + done - 1}, "
        f"{took:.1f} min",
        highlight=False,
    )
    return 1 if broken else 0


def _results(first: int, runs: int | None, end: float | None) -> Iterator[Result]:
    """The results as they come. Blocks of seeds begin in order, and each that began is finished."""
    starts = itertools.count(first, BLOCK) if runs is None else range(first, first + runs, BLOCK)
    blocks = (
        range(start, start + BLOCK if runs is None else min(start + BLOCK, first + runs))
        for start in starts
    )
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, initializer=_quiet) as pool:
        under_way: set[Future[list[Result]]] = set()
        while True:
            if end is None or time.monotonic() < end:
                under_way |= {
                    pool.submit(_block, block)
                    for block in itertools.islice(blocks, 2 * cores - len(under_way))
                }
            if not under_way:
                return
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for block in finished:
                yield from block.result()


def _quiet() -> None:
    """Ctrl-C is for the parent process; the sandbox's warnings are not shown."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)


def _block(seeds: range) -> list[Result]:
    results = [simulate(seed) for seed in seeds]
    for result in results:
        if not result.broken:
            result.story.clear()  # it is long, and only shown for broken runs
    return results
