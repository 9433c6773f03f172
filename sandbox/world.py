"""What the sandbox's services share: one clock, one lock, the way Lambda code runs, and the dials
that tests turn.

moto makes its backends itself, one an account and region, and they find the world they live in with
`current()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.clock import Clock

if TYPE_CHECKING:
    from sandbox.awslambda.invocation import Executor


@dataclass
class Dials:
    """How this world behaves where AWS does not say, or says "sometimes"."""

    start_on_create: bool = True
    """A new pipeline starts by itself (guide: pipelines-create: "the pipeline starts to run when
    you create it").
    """
    action_seconds: float = 2.0
    """How long an action takes whose configuration does not say."""
    continuation_seconds: float = 30.0
    """How long after a continuation token CodePipeline asks again (undocumented)."""
    job_details: str = "pipeline"
    """What GetJobDetails' pipelineContext holds for a Lambda action: "nothing", "pipeline" or
    "execution" too (undocumented).
    """
    token_memory: timedelta | None = None
    """How long a clientRequestToken is remembered (undocumented); None: for ever."""
    events_on: bool = True
    """Whether state-change events are sent at all."""
    event_copies: Callable[[], list[float]] = field(default=lambda: [0.0])
    """Seconds after which each copy of one delivery to a rule's target arrives; [] loses it
    (delivery is at least once, or best effort).
    """
    invocation_copies: Callable[[], list[float]] = field(default=lambda: [0.0])
    """The same for one asynchronous Lambda invocation."""
    rule_warmup: timedelta = timedelta(0)
    """How long a new or changed rule does not match yet, and a removed one still does (model:
    PutRule, DeleteRule: "a short period").
    """
    enforce_iam: bool = True
    """Whether a role's session may do only what the role's policies allow."""
    rates: dict[str, float] = field(default_factory=dict)
    """How many requests a second of roles' sessions AWS answers, by operation:
    {"codepipeline:StartPipelineExecution": 5}; "*" is the rate of each operation that is not named.
    Those beyond are throttled, after a burst of one second's worth. Empty: none ever is.
    """


@dataclass
class World:
    """One sandbox. `executor` runs a Lambda function's code (in this process, or in a runtime of
    its own).
    """

    clock: Clock
    executor: Executor
    dials: Dials = field(default_factory=Dials)
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held by every change of the sandbox's own state, never while Lambda code runs."""


_worlds: list[World] = []


def current() -> World:
    """The world in force. RuntimeError where none is."""
    if not _worlds:
        raise RuntimeError("no sandbox is running: enter sandbox.world.running(World(...)) first")
    return _worlds[-1]


@contextmanager
def running(world: World) -> Iterator[World]:
    """Make `world` the one in force."""
    _worlds.append(world)
    try:
        yield world
    finally:
        _worlds.remove(world)
