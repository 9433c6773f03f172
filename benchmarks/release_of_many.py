"""One upstream ends, and hundreds of pipelines that it held start again, while AWS throttles.

The last pass is compared with the least time that the throttle allows. Every pipeline must be
started exactly once, and every rule removed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from moto.codepipeline.models import codepipeline_backends

from benchmarks.concurrent import ConcurrentExecutor, enter_concurrent_world
from benchmarks.figures import Pair, Part, Quantity, ShowProgress
from benchmarks.pipelines import create_pipeline, make_gate_stage
from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda import list_finished_runs
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend

ANY_OTHER_CALL = "*"
RATES: Mapping[str, float] = {
    "codepipeline:StartPipelineExecution": 5,
    "codepipeline:ListPipelineExecutions": 10,
    "events:PutRule": 5,
    "lambda:AddPermission": 15,
    ANY_OTHER_CALL: 50,
}
"""Calls per second. Assumptions: AWS publishes none for CodePipeline, and "about 50" for
EventBridge (guide: eb-quota). Lambda's is published (guide: gettingstarted-limits).
"""
MAX_DURATION = timedelta(hours=2)
UPSTREAM = "infra"
HOLDS = 300
SEED = 1
UNTHROTTLED_HOLDS = 10
"""As many as no throttle would slow down."""


@dataclass(frozen=True)
class Release:
    """What happened from the upstream's end on."""

    started_once: int
    """How many pipelines were started exactly once. Each other one was held a second time, because
    its gate got no answer in time.
    """
    last_pass: float
    """Seconds until the gate let the last of them pass."""
    answered: Counter[str]
    """The functions' calls that AWS answered, by operation: "events:DeleteRule"."""
    throttled: Counter[str]
    """The functions' calls that AWS throttled, by operation."""
    failed_invocations: int
    """Invocations that ended in an error. Lambda tries each again, twice at most."""


def release(holds: int, seed: int, rates: Mapping[str, float]) -> Release:
    """Hold `holds` pipelines without throttling, then throttle and let their upstream end.

    AssertionError if a rule stays, or if a pipeline does not succeed in the end.
    """
    executor = ConcurrentExecutor()
    with enter_concurrent_world(executor, seed) as world:
        backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        upstream_seconds = _draw(420, 720)
        backend.outcome = lambda execution, stage, _: (
            _choose_seconds(execution, stage, upstream_seconds),
            "Succeeded",
        )
        names = [f"k8s-{number:03}" for number in range(holds)]
        eventbridge.backend(ACCOUNT, REGION).rules_per_bus = max(300, holds)
        create_pipeline(backend, UPSTREAM, [])
        upstream = backend.pipelines[UPSTREAM].history[0]
        # Within five minutes, so that the schedules of their holds fire in any minute.
        for name in names:
            world.clock.call_at(
                utcnow() + timedelta(seconds=_draw(5, 305)),
                partial(create_pipeline, backend, name, [make_gate_stage(name, UPSTREAM)]),
            )
        # No event matches a rule yet, and matching each with three hundred rules takes long.
        world.dials.events_on = False
        world.clock.advance(timedelta(seconds=upstream_seconds))
        world.dials.events_on = True
        _expect(
            _count_histories(backend, names) == Counter({("Failed",): holds})
            and _count_rules() == holds,
            "every pipeline is held",
        )

        world.dials.rates, executor.calls = dict(rates), []
        latest_end = utcnow() + MAX_DURATION
        while (
            _count_rules() or any(backend.pipelines[name].running for name in (UPSTREAM, *names))
        ) and utcnow() < latest_end:
            world.clock.advance(timedelta(seconds=10))
        _expect(not _count_rules(), "no rule is left")
        _expect(
            all(statuses[-1] == "Succeeded" for statuses in _count_histories(backend, names)),
            "every pipeline is started again and succeeds",
        )
        return _read_release(backend, names, executor, upstream.updated)


def count_calls(holds: int) -> Counter[str]:
    """The calls of a release that nothing throttles, by operation: those of the retries, and those
    of the gates of the pipelines that start.
    """
    calls = release(UNTHROTTLED_HOLDS, SEED, {}).answered
    return Counter(
        {operation: count * holds // UNTHROTTLED_HOLDS for operation, count in calls.items()}
    )


def find_least_seconds(calls: Mapping[str, int]) -> float:
    """The seconds that these calls take at least: those of the operation that is throttled most."""
    return max(
        count / RATES.get(operation, RATES[ANY_OTHER_CALL]) for operation, count in calls.items()
    )


def _draw(least: float, most: float) -> float:
    """Seconds, which follow from the run's seed."""
    return random.uniform(least, most)  # noqa: S311 - no secret


def _choose_seconds(execution: PipelineExecution, stage: str, upstream_seconds: float) -> float:
    """How long an action of this stage takes."""
    if stage == "Source":
        return 2
    return upstream_seconds if execution.pipeline_name == UPSTREAM else 30


def _count_histories(backend: CodePipelineBackend, names: list[str]) -> Counter[tuple[str, ...]]:
    """How many pipelines have which executions: their statuses, oldest first."""
    return Counter(
        tuple(execution.status for execution in backend.pipelines[name].history) for name in names
    )


def _count_rules() -> int:
    return len(eventbridge.backend(ACCOUNT, REGION).describe_event_bus("default").rules)


def _read_release(
    backend: CodePipelineBackend, names: list[str], executor: ConcurrentExecutor, end: datetime
) -> Release:
    runs = [run for run in list_finished_runs(ACCOUNT, REGION) if run.started >= end]
    passes = [run.ended for run in runs if '"passed"' in run.outcome.payload]
    calls = [call for call in executor.calls if call.when >= end]
    return Release(
        started_once=_count_histories(backend, names)["Failed", "Succeeded"],
        last_pass=(max(passes) - end).total_seconds(),
        answered=Counter(call.operation for call in calls if not call.throttled),
        throttled=Counter(call.operation for call in calls if call.throttled),
        failed_invocations=sum(run.outcome.error is not None for run in runs),
    )


def _expect(is_kept: bool, promise: str) -> None:
    if not is_kept:
        raise AssertionError(f"This is not so: {promise}.")


def measure(show_progress: ShowProgress) -> Sequence[Pair]:
    show_progress(f"{HOLDS} holds: this takes about {5 + HOLDS // 12} s")
    throttled = release(HOLDS, SEED, RATES)
    return [
        (throttled.last_pass, find_least_seconds(count_calls(HOLDS))),
        (HOLDS - throttled.started_once, None),
        (throttled.failed_invocations, None),
    ]


PART = Part(
    name="release",
    title=f"{HOLDS} holds at once, beside the throttle",
    quantities=(
        Quantity("the last gate passes", "s", ratio_at_most=1.3),
        Quantity("pipelines started twice", at_most=0),
        Quantity("invocations that failed"),
    ),
    measure=measure,
)
