"""One upstream ends, and hundreds of pipelines that it held start again, while AWS throttles. `python -m benchmarks.release_of_many`

How near is that to what the throttle allows at all, and is every pipeline started, once, and every rule removed?
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import click
from moto.codepipeline.models import codepipeline_backends
from moto.moto_api._internal import mock_random
from rich.console import Console
from rich.table import Table

import app
from benchmarks.concurrent import ConcurrentClock, ConcurrentExecutor
from sandbox import eventbridge
from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.awslambda import finished
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials

RATES: Mapping[str, float] = {
    "codepipeline:StartPipelineExecution": 5,
    "codepipeline:ListPipelineExecutions": 10,
    "events:PutRule": 5,
    "*": 50,
}
"""Calls a second. Assumptions: AWS publishes none for CodePipeline, and for EventBridge "about 50" (guide: eb-quota)."""
ALL_HELD = timedelta(minutes=7)
"""The pipelines start at any moment of five minutes, so that their holds' schedules fire at any of theirs."""
AT_MOST = timedelta(hours=2)
UPSTREAM = "infra"


@dataclass(frozen=True)
class Release:
    """What a release showed. Seconds count from the upstream's end. Calls are those of the two functions from then on."""

    last_start: float
    """When the last held pipeline was started."""
    last_pass: float
    """When the gate let the last of them pass."""
    answered: Counter[str]
    """Calls that AWS answered, by function and operation: "retry events:DeleteRule"."""
    throttled: Counter[str]
    """The same for those that it throttled."""
    invocations: Counter[str]
    """By function."""
    errors: int
    """Invocations that ended in an error; Lambda tries each again, twice at most."""
    longest: float
    """The longest invocation."""


@dataclass(frozen=True)
class Bound:
    """What the throttle allows: the slowest operation, by its calls, and their seconds."""

    operation: str
    calls: int
    seconds: float


def release(holds: int, seed: int, rates: Mapping[str, float]) -> Release:
    """Hold so many pipelines without throttling, then let their upstream end with it. Raises AssertionError where a promise is broken."""
    random.seed(seed)  # botocore's jitter, and when the pipelines start
    mock_random.seed(seed)
    executor = ConcurrentExecutor()
    with _world(executor) as world:
        backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        upstream_seconds = ALL_HELD.total_seconds() + random.uniform(0, 300)
        backend.outcome = lambda execution, stage, _: (_seconds(execution, stage, upstream_seconds), "Succeeded")
        names = [f"k8s-{number:03}" for number in range(holds)]
        eventbridge.backend(ACCOUNT, REGION).rules_per_bus = max(300, holds)
        _start(backend, UPSTREAM, [])
        upstream = backend.pipelines[UPSTREAM].history[0]
        for name in names:
            world.clock.call_at(utcnow() + timedelta(seconds=random.uniform(5, 305)), lambda name=name: _start(backend, name, [_gate(name)]))
        world.clock.advance(timedelta(seconds=upstream_seconds))
        _expect(_statuses(backend, names) == Counter({("Failed",): holds}) and _rules() == holds, "every pipeline is held")

        world.dials.rates, executor.calls = dict(rates), []
        executor.longest = timedelta(0)
        begun = utcnow()
        while (_rules() or any(backend.pipelines[name].running for name in (UPSTREAM, *names))) and utcnow() < begun + AT_MOST:
            world.clock.advance(timedelta(seconds=10))
        _expect(not _rules(), "no rule is left")
        print(_statuses(backend, names), Counter(json.loads(run.outcome.payload).get("decision") or run.outcome.payload[:200] for run in finished(ACCOUNT, REGION)))
        _expect(
            _statuses(backend, names) == Counter({("Failed", "Succeeded"): holds}), "every pipeline is started again, once, and succeeds"
        )
        return _seen(backend, names, executor, upstream.updated)


def needed(holds: int, by: str = "") -> Counter[str]:
    """The calls that a release needs where AWS throttles nothing, by operation; those of one function, or of both."""
    few = 10
    calls: Counter[str] = Counter()
    for name, count in release(few, 1, {}).answered.items():
        function, operation = name.split()
        if function.startswith(by):
            calls[operation] += count * holds // few
    return calls


def bound(calls: Mapping[str, int], rates: Mapping[str, float]) -> Bound:
    """The seconds that the throttle makes these calls take at least."""
    seconds = {operation: count / rates.get(operation, rates["*"]) for operation, count in calls.items()}
    slowest = max(seconds, key=lambda operation: seconds[operation])
    return Bound(slowest, calls[slowest], seconds[slowest])


@contextmanager
def _world(executor: ConcurrentExecutor) -> Iterator[DrivenWorld]:
    deployed = ChaliceExecutor(app, Path(app.__file__).parent)
    dials = Dials(start_on_create=False, enforce_iam=False)
    with in_process(deployed, dials=dials) as world, ConcurrentClock(utcnow()) as clock, executor.in_force():
        world.clock, world.executor = clock, executor
        yield world


def _start(backend: CodePipelineBackend, name: str, stages: list[dict[str, Any]]) -> None:
    """A new pipeline: Source, `stages`, Deploy; it starts at once."""
    backend.create_pipeline(
        {
            "name": name,
            "roleArn": PIPELINE_ROLE,
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "pipelineType": "V2",
            "executionMode": "SUPERSEDED",
            "stages": [
                _stage("Source", "Source", "CodeCommit", {"RepositoryName": name, "BranchName": "main"}, outputArtifacts=[{"name": "source"}]),
                *stages,
                _stage("Deploy", "Build", "CodeBuild", {"ProjectName": name}, inputArtifacts=[{"name": "source"}]),
            ],
        },
        [],
    )
    backend.start_pipeline_execution({"name": name})


def _gate(name: str) -> dict[str, Any]:
    asked = {"depends_on": [UPSTREAM], "pipeline": name, "execution": "#{codepipeline.PipelineExecutionId}"}
    return _stage("Gate", "Invoke", "Lambda", {"FunctionName": "pipeline-gate-dev-gate", "UserParameters": json.dumps(asked)})


def _stage(name: str, category: str, provider: str, configuration: dict[str, str], **more: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actions": [{"name": name, "actionTypeId": kind, "configuration": configuration, **more}]}


def _seconds(execution: PipelineExecution, stage: str, upstream_seconds: float) -> float:
    if stage == "Source":
        return 2
    return upstream_seconds if execution.pipeline_name == UPSTREAM else 30


def _statuses(backend: CodePipelineBackend, names: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(execution.status for execution in backend.pipelines[name].history) for name in names)


def _rules() -> int:
    return len(eventbridge.backend(ACCOUNT, REGION).describe_event_bus("default").rules)


def _seen(backend: CodePipelineBackend, names: list[str], executor: ConcurrentExecutor, end: datetime) -> Release:
    runs = [run for run in finished(ACCOUNT, REGION) if run.started >= end]
    passed = [run.ended for run in runs if '"passed"' in run.outcome.payload]
    last_start = max(backend.pipelines[name].history[-1].started for name in names)
    calls = [call for call in executor.calls if call.when >= end]
    return Release(
        last_start=(last_start - end).total_seconds(),
        last_pass=(max(passed) - end).total_seconds(),
        answered=Counter(f"{call.function} {call.operation}" for call in calls if not call.throttled),
        throttled=Counter(f"{call.function} {call.operation}" for call in calls if call.throttled),
        invocations=Counter(run.invocation.function_name.rpartition("-")[2] for run in runs),
        errors=sum(run.outcome.error is not None for run in runs),
        longest=executor.longest.total_seconds(),
    )


def _expect(held: bool, promise: str) -> None:
    if not held:
        raise AssertionError(f"It does not hold that {promise}.")


@click.command()
@click.option("--holds", default=300, show_default=True, help="So many pipelines wait for one upstream.")
@click.option("--seed", default=1, show_default=True, help="Of botocore's jitter and the moments at which the pipelines start.")
def main(holds: int, seed: int) -> None:
    """Print how a release of many holds goes under AWS's throttling."""
    begun = time.perf_counter()
    print(release(holds, seed, RATES))
    print(time.perf_counter()-begun)
    for by in ("retry",""):
        print(bound(needed(holds, by), RATES), needed(holds,by))


if __name__ == "__main__":
    main()
