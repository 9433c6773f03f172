"""One upstream ends, and hundreds of pipelines that it held start again, while AWS throttles.

How near is that to what the throttle allows at all, and is every pipeline started, once, and every
rule removed? `python -m benchmarks.release_of_many` shows more of it than the table of `make bench`
does.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast

import click
from moto.codepipeline.models import codepipeline_backends
from moto.moto_api._internal import mock_random
from rich.console import Console
from rich.table import Table

import app
from benchmarks.concurrent import ConcurrentClock, ConcurrentExecutor
from benchmarks.figures import Pair, Part, Row, Tell
from benchmarks.pipelines import gate, start
from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda import finished
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials

OTHERS = "*"
RATES: Mapping[str, float] = {
    "codepipeline:StartPipelineExecution": 5,
    "codepipeline:ListPipelineExecutions": 10,
    "events:PutRule": 5,
    OTHERS: 50,
}
"""Calls a second. Assumptions: AWS publishes none for CodePipeline, and for EventBridge "about 50"
(guide: eb-quota).
"""
AT_MOST = timedelta(hours=2)
UPSTREAM = "infra"
HOLDS = 300


@dataclass(frozen=True)
class Release:
    """What a release showed. Seconds count from the upstream's end. Calls are those of the two
    functions from then on.
    """

    once: int
    """How many pipelines were started exactly once. Another one's gate got no answer in time and
    held it a second time.
    """
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


def release(holds: int, seed: int, rates: Mapping[str, float]) -> Release:
    """Hold so many pipelines without throttling, then let their upstream end with it. Raises
    AssertionError where a promise is broken.
    """
    executor = ConcurrentExecutor()
    with _seeded(seed), _world(executor) as world:
        backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        upstream_seconds = _draw(420, 720)
        backend.outcome = lambda execution, stage, _: (
            _seconds(execution, stage, upstream_seconds),
            "Succeeded",
        )
        names = [f"k8s-{number:03}" for number in range(holds)]
        eventbridge.backend(ACCOUNT, REGION).rules_per_bus = max(300, holds)
        start(backend, UPSTREAM, [])
        upstream = backend.pipelines[UPSTREAM].history[0]
        for (
            name
        ) in names:  # within five minutes, so that the schedules of their holds fire in any minute
            world.clock.call_at(
                utcnow() + timedelta(seconds=_draw(5, 305)),
                partial(start, backend, name, [gate(name, UPSTREAM)]),
            )
        world.dials.events_on = (
            False  # nothing matches yet, and three hundred rules would look at each event
        )
        world.clock.advance(timedelta(seconds=upstream_seconds))
        world.dials.events_on = True
        _expect(
            _statuses(backend, names) == Counter({("Failed",): holds}) and _rules() == holds,
            "every pipeline is held",
        )

        world.dials.rates, executor.calls = dict(rates), []
        executor.longest = timedelta(0)
        begun = utcnow()
        while (
            _rules() or any(backend.pipelines[name].running for name in (UPSTREAM, *names))
        ) and utcnow() < begun + AT_MOST:
            world.clock.advance(timedelta(seconds=10))
        _expect(not _rules(), "no rule is left")
        _expect(
            all(ends[-1] == "Succeeded" for ends in _statuses(backend, names)),
            "every pipeline is started again and succeeds",
        )
        return _seen(backend, names, executor, upstream.updated)


def needed(holds: int) -> tuple[Counter[str], Counter[str]]:
    """The calls that a release needs, by operation: the retries', and those of the gates of the
    pipelines that start.

    As many as a small one makes that nothing throttles.
    """
    few = 10
    calls: dict[str, Counter[str]] = {"retry": Counter(), "gate": Counter()}
    for name, count in release(few, 1, {}).answered.items():
        function, operation = name.split()
        calls[function][operation] = count * holds // few
    return calls["retry"], calls["gate"]


def bound(calls: Mapping[str, int]) -> float:
    """The seconds that the throttle makes these calls take: those of the operation that takes
    longest.
    """
    return max(count / _rate(operation) for operation, count in calls.items())


def _rate(operation: str) -> float:
    return RATES.get(operation, RATES[OTHERS])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """botocore's jitter, all ids, and when the pipelines start, follow from the seed."""
    state = random.getstate()
    random.seed(seed)
    mock_random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _world(executor: ConcurrentExecutor) -> Iterator[DrivenWorld]:
    deployed = ChaliceExecutor(app, Path(app.__file__).parent)
    dials = Dials(start_on_create=False, enforce_iam=False)
    with (
        in_process(deployed, dials=dials) as world,
        ConcurrentClock(utcnow()) as clock,
        executor.in_force(),
    ):
        world.clock, world.executor = clock, executor
        yield world


def _draw(least: float, most: float) -> float:
    """Seconds, by the run's seed."""
    return random.uniform(least, most)  # noqa: S311 - no secret


def _seconds(execution: PipelineExecution, stage: str, upstream_seconds: float) -> float:
    if stage == "Source":
        return 2
    return upstream_seconds if execution.pipeline_name == UPSTREAM else 30


def _statuses(backend: CodePipelineBackend, names: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(execution.status for execution in backend.pipelines[name].history) for name in names
    )


def _rules() -> int:
    return len(eventbridge.backend(ACCOUNT, REGION).describe_event_bus("default").rules)


def _seen(
    backend: CodePipelineBackend, names: list[str], executor: ConcurrentExecutor, end: datetime
) -> Release:
    runs = [run for run in finished(ACCOUNT, REGION) if run.started >= end]
    passed = [run.ended for run in runs if '"passed"' in run.outcome.payload]
    last_start = max(backend.pipelines[name].history[-1].started for name in names)
    calls = [call for call in executor.calls if call.when >= end]
    return Release(
        once=_statuses(backend, names)["Failed", "Succeeded"],
        last_start=(last_start - end).total_seconds(),
        last_pass=(max(passed) - end).total_seconds(),
        answered=Counter(
            f"{call.function} {call.operation}" for call in calls if not call.throttled
        ),
        throttled=Counter(f"{call.function} {call.operation}" for call in calls if call.throttled),
        invocations=Counter(run.invocation.function_name.rpartition("-")[2] for run in runs),
        errors=sum(run.outcome.error is not None for run in runs),
        longest=executor.longest.total_seconds(),
    )


def _expect(held: bool, promise: str) -> None:
    if not held:
        raise AssertionError(f"It does not hold that {promise}.")


def tables(holds: int, seen: Release) -> tuple[Table, Table]:
    """What the throttle allows, and what happened."""
    of_retry, of_gate = needed(holds)
    of_both = of_retry + of_gate
    throttle = Table(title="The throttle")
    throttle.add_column("operation", no_wrap=True)
    for heading in ("a second", "by retries", "by gates", "take", "throttled"):
        throttle.add_column(heading, justify="right", no_wrap=True)
    for operation in (*RATES, *sorted(of_both.keys() - RATES.keys())):
        if operation != OTHERS:
            throttled = sum(
                count for name, count in seen.throttled.items() if name.endswith(f" {operation}")
            )
            calls = (of_retry[operation], of_gate[operation])
            throttle.add_row(
                operation.partition(":")[2],
                f"{_rate(operation):g}",
                *map(str, calls),
                f"{sum(calls) / _rate(operation):.0f} s",
                str(throttled),
            )
    release = Table("what", "", title=f"{holds} holds end at once", show_header=False)
    for what, value in (
        ("started again exactly once", f"{seen.once} of {holds}"),
        ("rules left", "0"),
        ("last start after the upstream's end", f"{seen.last_start:.1f} s"),
        ("last gate passed after the upstream's end", f"{seen.last_pass:.1f} s"),
        ("the throttle's bound, all calls", f"{bound(of_both):.0f} s"),
        ("[bold]last pass / bound", f"[bold]{seen.last_pass / bound(of_both):.2f}"),
        ("last start / bound", f"{seen.last_start / bound(of_both):.2f}"),
        (
            "last start / bound of the retries' calls alone",
            f"{seen.last_start / bound(of_retry):.2f}",
        ),
        (
            "invocations of the retry, of the gate",
            f"{seen.invocations['retry']}, {seen.invocations['gate']}",
        ),
        ("invocations that ended in an error and were tried again", str(seen.errors)),
        ("longest invocation", f"{seen.longest:.0f} s"),
    ):
        release.add_row(what, value)
    return throttle, release


def measure(tell: Tell) -> Sequence[Pair]:
    tell(f"{HOLDS} holds: this takes about {5 + HOLDS // 12} s")
    seen = release(HOLDS, 1, RATES)
    of_retry, of_gate = needed(HOLDS)
    return [(seen.last_pass, bound(of_retry + of_gate)), (HOLDS - seen.once, None)]


PART = Part(
    "release",
    f"{HOLDS} holds at once, beside the throttle",
    (
        Row("the last gate passes", "s", ratio_at_most=1.3),
        Row("pipelines started twice", at_most=0),
    ),
    measure,
)


@click.command()
@click.option(
    "--holds", default=HOLDS, show_default=True, help="So many pipelines wait for one upstream."
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    help="Of botocore's jitter and the moments at which the pipelines start.",
)
def main(holds: int, seed: int) -> None:
    """Print how a release of many holds goes under AWS's throttling. Exit code 1 where a pipeline
    was started twice.
    """
    console = Console()
    with console.status(f"{holds} holds: this takes about {5 + holds // 12} s"):
        seen = release(holds, seed, RATES)
        both = tables(holds, seen)
    console.print(*both)
    if seen.once < holds:
        raise click.ClickException(
            f"{holds - seen.once} pipelines were held again after their start, and started twice."
        )


if __name__ == "__main__":
    main()
