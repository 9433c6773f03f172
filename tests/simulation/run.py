"""One run: a small world, one history, its faults; then rest without faults; then the promises."""

from __future__ import annotations

import json
import os
import random as global_random
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.moto_api._internal import mock_random

import app
from chalicelib.pipelines import reader
from chalicelib.records import report
from sandbox.account import ACCOUNT
from sandbox.clock import utcnow
from sandbox.codepipeline import caller, events, paging, responses
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.jobs import ARTIFACT_CREDENTIALS
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.executor import Executor, Invocation, RunOutcome
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials
from tests.simulation import cast, elsewhere, past, promises, release, themes
from tests.simulation.calls import SECRET, Calls
from tests.simulation.clients import clients_through
from tests.simulation.faults import FarFaults, Faults
from tests.simulation.lag import Lag
from tests.simulation.people import People
from tests.simulation.record import Record, label
from tests.simulation.rules import find_held
from tests.simulation.story import Result, Story
from tests.simulation.tidying import Tidying

PROJECT = Path(__file__).parents[2]


class WatchedExecutor:
    """Runs the functions as the world's own executor does, and tells the record."""

    def __init__(self, inner: Executor, record: Record) -> None:
        self._inner = inner
        self._record = record

    def run(self, function: LambdaFunction, request: Invocation) -> RunOutcome:
        record, name = self._record, function.function_name.rpartition("-")[2]
        invocation = record.begin(name, request.payload)
        job = invocation.job
        record.story.tell(
            f"{name} begins, for {label(job.action.execution) if job else invocation.held_id[:8]}"
        )
        record.story.depth += 1
        outcome = self._inner.run(function, request)
        record.end(invocation, outcome.error, outcome.log, outcome.payload)
        record.story.depth -= 1
        record.story.tell(f"{name} ends: {_describe(outcome)[:120]}")
        return outcome


def _describe(outcome: RunOutcome) -> str:
    answer = json.loads(outcome.payload)
    if outcome.error:
        return f"{answer['errorType']}: {answer['errorMessage']}"
    if isinstance(answer, dict) and "decision" in answer:
        return f"{answer['decision']} {answer.get('reason', '')}"
    return str(answer)


def simulate(seed: int) -> Result:
    """Run the history of `seed`. A defect of the simulation itself counts as a broken promise."""
    story = Story()
    with ExitStack() as stack:
        stack.enter_context(_seeded(seed))
        world = stack.enter_context(in_process(_executor(), dials=Dials(start_on_create=False)))
        record = Record(story, world.dials)
        credentials = (ARTIFACT_CREDENTIALS[key] for key in ("secretAccessKey", "sessionToken"))
        record.secrets |= {SECRET, *credentials}
        try:
            _play(seed, world, record, stack)
            broken = promises.find_broken(record)
        except Exception:
            broken = [f"The run itself failed:\n{traceback.format_exc()}"]
        if record.defects:
            broken = [f"The run itself failed:\n{defect}" for defect in record.defects]
        counts = {
            "hits": sum(len(invocation.faults) for invocation in record.invocations),
            "held": len(record.find_holds()),
            "released": len(record.starts) + len(record.retries),
        }
        return Result(seed, broken, story.lines, counts)


def _play(seed: int, world: DrivenWorld, record: Record, stack: ExitStack) -> None:
    dice = partial(_dice, seed)
    theme = themes.draw(dice("theme"))
    cast_ = theme.cast(dice("theme's cast"), cast.draw(dice("cast")))
    far = elsewhere.draw(dice("elsewhere"), cast_) if theme.far else []
    script = dice("script")
    drawn_minutes = script.choice((5.0, 15.0, 30.0, 60.0))
    minutes = theme.minutes or drawn_minutes
    faults = Faults(dice("weather"), minutes)
    far_faults = FarFaults(dice("far weather"), minutes, faults)
    people = People(dice("people"), world, cast_, record)
    calls = Calls(world, faults, far_faults, people, record, _timeout())
    faults.set_dials(world.dials)
    world.dials.targets_linger = timedelta(seconds=dice("lingering").choice((0, 0, 0, 8, 600)))
    theme.adapt(faults, world.dials)
    world.executor = WatchedExecutor(world.executor, record)
    stack.enter_context(_watched(record, calls))
    lag = Lag(dice("lag"), record)
    if lag.longest:
        world.dials.answer_age = lag.draw_age
        stack.enter_context(lag.watch())
    stack.enter_context(_with_event_bus(dice("bus"), record))
    page = script.choice((100, 100, 100, 3, 2))
    stack.enter_context(patch.object(paging, "MAX_PAGE_ITEMS", theme.page_items or page))

    record.story.tell(
        f"the theme is {theme.name}; the faults are {faults}; {far_faults}; {lag}; EVENT_BUS is "
        f"{record.bus or 'not set'}"
    )
    work = dice("work")
    people.backend.outcome = lambda execution, stage, _action: _work(
        work, stage, faults.fair, theme.seconds(work, execution, stage)
    )
    for declaration in cast_.declarations.values():
        people.backend.create_pipeline(declaration, [])
        record.pipelines[declaration["name"]] = people.backend.pipelines[declaration["name"]]
        settings = " and ".join(gate["UserParameters"] for gate in cast.gates(declaration))
        record.story.tell(f"{declaration['name']} is {declaration['executionMode']} {settings}")
    others = elsewhere.Elsewhere(dice("people elsewhere"), people, record, far)
    others.set_up(lambda random, stage: _work(random, stage, faults.fair))
    past.add_past(dice("past"), record)
    _send_deliveries_astray(world, faults, record)
    people.plan(script.choice((0, 2, 4, 8) if theme.minutes is None else (0, 0, 1)), minutes)
    theme.plan(dice("theme's people"), people, cast_, minutes)
    others.plan(minutes)
    release.plan(dice("letting go"), people, record, minutes)
    release.plan_no_names(dice("no names"), people, record, minutes)
    world.clock.advance(timedelta(minutes=minutes))
    record.story.tell("the faults end, and people leave")
    faults.fair, people.here = True, False
    others.open()
    tidying = Tidying(world, people, record, cycles=theme.name == "a circle")
    _rest(world, faults, record, tidying, theme.rest)


def _send_deliveries_astray(world: DrivenWorld, faults: Faults, record: Record) -> None:
    def copies() -> list[float]:
        drawn = faults.copies()
        if drawn != [0.0]:
            record.note_disturbance()
            record.slow_periods.append(
                (utcnow(), utcnow() + timedelta(seconds=min(drawn, default=0.0)))
            )
            record.story.tell(f"a delivery comes {f'after {drawn} s' if drawn else 'never'}")
        return drawn

    def invocations() -> list[float]:
        drawn = copies()
        record.lost_invocations += not drawn
        return drawn

    world.dials.event_copies, world.dials.invocation_copies = copies, invocations


def _rest(
    world: DrivenWorld, faults: Faults, record: Record, tidying: Tidying, longest: timedelta
) -> None:
    """Drive on until nothing runs, no rule has a target and the last late delivery has come."""
    latest = utcnow() + longest
    while utcnow() < latest:
        tidying.tidy()
        world.clock.advance(timedelta(minutes=1))
        running = any(one.running and not one.deleted for one in record.pipelines.values())
        if running or record.under_way or find_held() or utcnow() < faults.latest_arrival:
            continue
        planned = world.clock.next_call()
        if planned is None or planned.label.startswith("the schedule of rule"):
            return
        if planned.when > utcnow():
            world.clock.advance(planned.when - utcnow())


def _work(
    random: Random, stage: str, fair: bool, seconds: float | None = None
) -> tuple[float, str]:
    """How many seconds an action takes (few when people have left), and how it ends."""
    if stage == "Source":
        return random.choice((1.0, 2.0, 4.0)), "Failed" if random.random() < 0.03 else "Succeeded"
    drawn = random.choice((5.0, 60.0) if fair else (40.0, 90.0, 90.0, 200.0, 400.0, 1200.0))
    return drawn if fair else seconds or drawn, "Failed" if random.random() < 0.15 else "Succeeded"


def _dice(seed: int, subject: str) -> Random:
    """Each subject has dice of its own, so that a change of one draws no other people or faults."""
    return Random(f"{seed} {subject}")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Ids and botocore's jitter follow from the seed."""
    state = global_random.getstate()
    global_random.seed(seed)
    mock_random.seed(seed)
    try:
        yield
    finally:
        global_random.setstate(state)


@contextmanager
def _watched(record: Record, calls: Calls) -> Iterator[None]:
    """Let the record see executions and calls; a function's come from its own role's session."""
    real_event, real_caller = events.send_pipeline_event, caller.find_caller_arn

    def pipeline_event(pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        record.note_state(pipeline, execution, state)
        real_event(pipeline, execution, state)

    def caller_arn(response: Any) -> str:
        if not record.under_way:
            return real_caller(response)
        function = f"pipeline-gate-dev-{record.invocation.function}"
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}"

    with (
        patch.object(events, "send_pipeline_event", pipeline_event),
        patch.object(responses, "find_caller_arn", caller_arn),
        patch.object(time, "sleep", calls.pass_time),
        clients_through(calls.send, lambda: record.invocation.function),
        patch.object(
            reader, "run_in_parallel", lambda ask_one, many: [ask_one(one) for one in many]
        ),  # threads would draw other stories
    ):
        yield


@contextmanager
def _with_event_bus(random: Random, record: Record) -> Iterator[None]:
    """Set EVENT_BUS in some runs, though Chalice's test client reads it from config.json. The bus
    "deployments" does not exist: the functions cannot tell.
    """
    record.bus = random.choice(("default", "deployments", *[None] * 5))
    if record.bus is None:
        yield
        return
    environ = SimpleNamespace(environ={**os.environ, "EVENT_BUS": record.bus})
    with patch.object(report, "os", environ):
        yield


@cache
def _executor() -> ChaliceExecutor:
    return ChaliceExecutor(app, PROJECT)


@cache
def _timeout() -> float:
    return float(json.loads((PROJECT / ".chalice/config.json").read_text())["lambda_timeout"])
