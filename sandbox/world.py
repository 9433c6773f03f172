"""What the sandbox's services share: one clock, one lock, the executor of Lambda code, and the
dials that tests set.

moto makes its backends itself, one per account and region. They find their world with
`current_world()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from sandbox.clock import Clock
from sandbox.executor import Executor


@dataclass
class Dials:
    """How this world behaves if AWS does not say, or says "sometimes"."""

    start_on_create: bool = True
    """A new pipeline starts automatically (guide: pipelines-create: "the pipeline starts to run
    when you create it").
    """
    action_seconds: float = 2.0
    """How long an action takes if its configuration does not say."""
    continuation_seconds: float = 30.0
    """How long CodePipeline waits after a continuation token until it asks again (undocumented)."""
    job_details: str = "pipeline"
    """What GetJobDetails' pipelineContext has for a Lambda action: "nothing", "pipeline", or
    "execution" for both (undocumented).
    """
    rule_judged_by: Literal["job", "error", "return value"] = "job"
    """How CodePipeline judges a condition's LambdaInvoke rule: by the job's result, by whether the
    function's first run ended in an error, or by whether that run returned something
    (undocumented: guide, rule-reference-LambdaInvoke, has both "error states returned from
    configured Lambda functions" and "the Lambda function result").
    """
    targets_linger: timedelta = timedelta(0)
    """How long DeleteRule still counts the targets that were removed (practice: infrastructure
    tools repeat it).
    """
    token_memory: timedelta | None = None
    """How long a clientRequestToken is remembered (undocumented); None: forever."""
    lost_revisions: set[str] = field(default_factory=set)
    """Revisions that AWS can no longer fetch for an override, such as a commit after a forced push
    or a version that a lifecycle rule deleted. "*" means all: AWS refuses every override.
    """
    lost_revision_fails: Literal["start", "source"] = "source"
    """What an override with a lost revision leads to: StartPipelineExecution answers
    ValidationException, or its source action fails (undocumented).
    """
    missing_members: set[str] = field(default_factory=set)
    """Optional members that AWS leaves out of its answers about executions and actions, such as
    "revisionId", "startTime" or "lastUpdateTime" (model: SourceRevision, PipelineExecutionSummary
    and others).
    """
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
    answer_age: Callable[[str], float] | None = None
    """How many seconds old an answer of an operation is: of ListPipelineExecutions,
    GetPipelineState or ListTargetsByRule (AWS does not promise that they show immediately what has
    happened). None: always up to date.
    """
    enforce_iam: bool = True
    """Whether a role's session may do only what the role's policies allow."""
    rates: dict[str, float] = field(default_factory=dict)
    """How many requests of roles' sessions AWS answers per second, by operation:
    {"codepipeline:StartPipelineExecution": 5}. "*" is the rate of each operation that is not
    listed. Further requests are throttled, after a burst of one second's worth. Empty: no
    throttling.
    """


@dataclass
class World:
    """One sandbox. `executor` runs the code of Lambda functions, in this process or in others."""

    clock: Clock
    executor: Executor
    dials: Dials = field(default_factory=Dials)
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held by every change of the sandbox's own state, never while Lambda code runs."""


_worlds: list[World] = []


def current_world() -> World:
    """The world that was entered last. RuntimeError if there is none."""
    if not _worlds:
        raise RuntimeError(
            "no sandbox is running: enter sandbox.world.enter_world(World(...)) first"
        )
    return _worlds[-1]


@contextmanager
def enter_world(world: World) -> Iterator[World]:
    """Make `world` the current one until the block ends."""
    _worlds.append(world)
    try:
        yield world
    finally:
        _worlds.remove(world)
