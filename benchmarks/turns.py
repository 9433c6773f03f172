"""Pipelines that exclude each other take turns, in real time, with the processes of `make sandbox`.

Groups run at the same time in one sandbox, because most of the time they wait. The large ones run
separately: the processor time that they need would slow the small ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.deployment import deploy
from benchmarks.exclusive_group import Disturbance, ExclusiveGroup, RunningGroup, TurnFigures
from benchmarks.figures import Pair, Part, Quantity, ShowProgress
from sandbox.server import SandboxServer
from sandbox.world import Dials

GATE = "pipeline-gate-dev-gate"
MODES = ("restart", "retry", "wait")
SMALL_GROUPS = (
    *(ExclusiveGroup(count, mode) for count in (2, 4) for mode in MODES),
    *(ExclusiveGroup(4, "restart", item) for item in Disturbance if item.value),
)
LARGE_GROUPS = tuple(ExclusiveGroup(8, mode) for mode in MODES)
GROUPS = (*SMALL_GROUPS, *LARGE_GROUPS)
POLL_SECONDS = 0.5
SECONDS_AFTER_TARGET = 10
"""For how long a group that has missed its target still runs."""
MAX_INVOCATIONS = 200
"""At the same time. Most of them only sleep."""


def run_groups(groups: Sequence[ExclusiveGroup], show_progress: ShowProgress) -> list[TurnFigures]:
    """Let all groups take their turns at the same time."""
    show_progress("deploying the gate to the sandbox")
    dials = Dials(start_on_create=False)
    with SandboxServer(dials=dials, max_concurrency=MAX_INVOCATIONS) as server:
        deploy(server.environment())
        with server.world.lock:
            running = [RunningGroup(group, GATE) for group in groups]
        figures: dict[ExclusiveGroup, TurnFigures] = {}
        while len(figures) < len(groups):
            time.sleep(POLL_SECONDS)
            for item in running:
                if item.group in figures:
                    continue
                with server.world.lock:
                    item.disturb()
                    is_late = item.seconds > item.group.max_seconds + SECONDS_AFTER_TARGET
                    if item.has_ended or is_late:
                        figures[item.group] = item.read_figures()
            longest = max(group.max_seconds for group in groups)
            show_progress(
                f"{len(figures)} of {len(groups)} groups are through after "
                f"{running[0].seconds:.0f} s (at most {longest + SECONDS_AFTER_TARGET:.0f} s)"
            )
        return [figures[group] for group in groups]


def measure(show_progress: ShowProgress) -> Sequence[Pair]:
    figures = [*run_groups(SMALL_GROUPS, show_progress), *run_groups(LARGE_GROUPS, show_progress)]
    _, most_failures, count = max(
        (item.failures / group.count, item.failures, group.count)
        for group, item in zip(GROUPS, figures, strict=True)
    )
    return [
        *(
            (item.seconds, group.deploy_seconds)
            for group, item in zip(GROUPS, figures, strict=True)
        ),
        (most_failures, count),
        (sum(item.overlaps for item in figures), None),
        (sum(item.missed for item in figures), None),
    ]


PART = Part(
    name="turns",
    title="Taking turns, beside the sum of the deploys",
    quantities=(
        *(Quantity(group.label, "s", at_most=group.max_seconds) for group in GROUPS),
        Quantity("failed executions, beside pipelines", ratio_at_most=2),
        Quantity("deploys that overlapped", at_most=0),
        Quantity("pipelines that did not deploy once", at_most=0),
    ),
    measure=measure,
)
