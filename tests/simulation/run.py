"""One run: a small world, one history, its faults; then fair weather until all rests; then the
promises.
"""

from __future__ import annotations

import json
import random as global_random
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.moto_api._internal import mock_random

import app
from chalicelib.pipelines import reader
from sandbox.account import ACCOUNT
from sandbox.clock import utcnow
from sandbox.codepipeline import caller, events, paging, responses
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.jobs import ARTIFACT_CREDENTIALS
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.executor import Executor, Invocation, RunOutcome
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials
from tests.simulation import cast, elsewhere, letting_go, promises, themes
from tests.simulation.bus import announced
from tests.simulation.calls import SECRET, Calls
from tests.simulation.clients import clients_through
from tests.simulation.past import history
from tests.simulation.people import People
from tests.simulation.promises.holds import holds
from tests.simulation.record import Record
from tests.simulation.rules import with_target
from tests.simulation.story import Result, Story
from tests.simulation.tidying import Tidying
from tests.simulation.weather import FarWeather, Weather

PROJECT = Path(__file__).parents[2]


class WatchedExecutor:
    """Runs the functions as the world's own executor does, and tells the record when a turn begins
    and ends.
    """

    def __init__(self, inner: Executor, record: Record) -> None:
        self._inner = inner
        self._record = record

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        record, name = self._record, function.function_name.rpartition("-")[2]
        turn = record.begin(name, invocation.payload)
        record.story.tell(
            f"{name} begins, for {record.whose(turn.job) if turn.job else turn.held[:8]}"
        )
        record.story.depth += 1
        outcome = self._inner.run(function, invocation)
        record.end(turn, outcome.error, outcome.log, outcome.payload)
        record.story.depth -= 1
        record.story.tell(f"{name} ends: {_decision(outcome)}")
        return outcome


def _decision(outcome: RunOutcome) -> str:
    answer = json.loads(outcome.payload)
    if outcome.error:
        return f"{answer['errorType']}: {answer['errorMessage']}"[:120]
    return (
        f"{answer['decision']} {answer.get('reason', '')}"[:120]
        if isinstance(answer, dict) and "decision" in answer
        else str(answer)[:120]
    )


def simulate(seed: int) -> Result:
    """Run the history of `seed`. A defect of the simulation or the sandbox counts as a broken
    promise too.
    """
    story = Story()
    with ExitStack() as stack:
        stack.enter_context(_seeded(seed))
        world = stack.enter_context(in_process(_executor(), dials=Dials(start_on_create=False)))
        record = Record(story)
        record.secrets |= {
            SECRET,
            *(ARTIFACT_CREDENTIALS[key] for key in ("secretAccessKey", "sessionToken")),
        }
        try:
            _play(seed, world, record, stack)
            broken = promises.broken(record, world.dials)
        except Exception:
            broken = [f"The run itself failed:\n{traceback.format_exc()}"]
        if record.defects:
            broken = [f"The run itself failed:\n{defect}" for defect in record.defects]
        counts = {
            "hits": sum(len(turn.hits) for turn in record.turns),
            "held": len(holds(record)),
            "released": len(record.starts) + len(record.retries),
        }
        return Result(seed, broken, story.lines, counts)


def _play(seed: int, world: DrivenWorld, record: Record, stack: ExitStack) -> None:
    theme = themes.drawn(_dice(seed, "theme"))
    drawn = theme.cast(_dice(seed, "theme's cast"), cast.draw(_dice(seed, "cast")))
    far = elsewhere.draw(_dice(seed, "elsewhere"), drawn) if theme.far else []
    script = _dice(seed, "script")
    drawn_minutes = script.choice((5.0, 15.0, 30.0, 60.0))
    minutes = theme.minutes or drawn_minutes
    weather = Weather(_dice(seed, "weather"), minutes)
    far_weather = FarWeather(_dice(seed, "far weather"), minutes, weather)
    people = People(_dice(seed, "people"), world, drawn, record)
    calls = Calls(world, weather, far_weather, people, record, _timeout())
    weather.turn(world.dials)
    theme.turn(weather)
    world.dials.continuation_seconds = theme.asks_again or world.dials.continuation_seconds
    world.executor = WatchedExecutor(world.executor, record)
    stack.enter_context(_watched(record, calls))
    stack.enter_context(announced(_dice(seed, "bus"), record))
    page = script.choice((100, 100, 100, 3, 2))
    stack.enter_context(patch.object(paging, "MAX_PAGE_ITEMS", 100 if theme.large_pages else page))

    record.story.tell(
        f"the theme is {theme.name}; the weather is {weather}; {far_weather}; EVENT_BUS is "
        f"{record.bus or 'not set'}"
    )
    work = _dice(seed, "work")
    people.backend.outcome = lambda execution, stage, _action: _work(
        work, stage, weather.fair, theme.seconds(work, execution, stage)
    )
    for declaration in drawn.declarations.values():
        people.backend.create_pipeline(declaration, [])
        record.pipelines[declaration["name"]] = people.backend.pipelines[declaration["name"]]
        asks = [gate["UserParameters"] for gate in cast.gates(declaration)]
        record.story.tell(
            f"{declaration['name']} is {declaration['executionMode']} {' and '.join(asks)}"
        )
    others = elsewhere.Elsewhere(_dice(seed, "people elsewhere"), people, record, far)
    others.set_up(lambda random, stage: _work(random, stage, weather.fair))
    history(_dice(seed, "past"), record)
    _deliveries(world, weather, record)
    people.plan(script.choice((0, 2, 4, 8) if theme.minutes is None else (0, 0, 1)), minutes)
    theme.plan(_dice(seed, "theme's people"), people, drawn, minutes)
    others.plan(minutes)
    letting_go.plan(_dice(seed, "letting go"), people, record, minutes)
    world.clock.advance(timedelta(minutes=minutes))
    record.story.tell("the weather turns fair, and people leave")
    weather.fair, people.here = True, False
    others.open()
    tidying = Tidying(world, people, record, circles=theme.name == "a circle")
    _rest(world, weather, record, tidying, theme.rest)


def _deliveries(world: DrivenWorld, weather: Weather, record: Record) -> None:
    """Let deliveries go astray as the weather says."""

    def copies() -> list[float]:
        drawn = weather.copies()
        if drawn != [0.0]:
            record.trouble()
            record.slow.append((utcnow(), utcnow() + timedelta(seconds=min(drawn, default=0.0))))
            record.story.tell(f"a delivery comes {f'after {drawn} s' if drawn else 'never'}")
        return drawn

    def invocations() -> list[float]:
        drawn = copies()
        record.lost_invocations += not drawn
        return drawn

    world.dials.event_copies, world.dials.invocation_copies = copies, invocations


def _rest(
    world: DrivenWorld, weather: Weather, record: Record, tidying: Tidying, longest: timedelta
) -> None:
    """Fair weather, nobody about: drive on until nothing runs, no rule has a target and the last
    late delivery has come.
    """
    latest = utcnow() + longest
    while utcnow() < latest:
        tidying.tidy()
        world.clock.advance(timedelta(minutes=1))
        if utcnow() >= weather.latest_arrival and not record.running and not _restless(record):
            planned = world.clock.next_call()
            if planned is None or planned.label.startswith("the schedule of rule"):
                return
            if planned.when > utcnow():
                world.clock.advance(planned.when - utcnow())


def _restless(record: Record) -> bool:
    return any(
        pipeline.running and not pipeline.deleted for pipeline in record.pipelines.values()
    ) or bool(with_target())


def _work(
    random: Random, stage: str, fair: bool, seconds: float | None = None
) -> tuple[float, str]:
    """How an action goes: how long it takes, unless that is given (when people have left, none
    takes long), and how it ends.
    """
    if stage == "Source":
        return random.choice((1.0, 2.0, 4.0)), "Failed" if random.random() < 0.03 else "Succeeded"
    drawn = (
        random.choice((5.0, 60.0))
        if fair
        else random.choice((40.0, 90.0, 90.0, 200.0, 400.0, 1200.0))
    )
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
    """Let the record see the executions, and the calls pass through `calls`; a function's calls
    come from its own role's session.
    """
    real_event, real_caller = events.send_pipeline_event, caller.find_caller_arn

    def pipeline_event(pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        record.change(pipeline, execution, state)
        real_event(pipeline, execution, state)

    def caller_arn(response: Any) -> str:
        if not record.running:
            return real_caller(response)
        function = f"pipeline-gate-dev-{record.turn.function}"
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}"

    with (
        patch.object(events, "send_pipeline_event", pipeline_event),
        patch.object(responses, "find_caller_arn", caller_arn),
        patch.object(time, "sleep", calls.sleep),
        clients_through(calls.send, lambda: record.turn.function),
        patch.object(
            reader, "run_in_parallel", lambda ask_one, many: [ask_one(one) for one in many]
        ),  # threads would draw other stories
    ):
        yield


@cache
def _executor() -> ChaliceExecutor:
    return ChaliceExecutor(app, PROJECT)


@cache
def _timeout() -> float:
    return float(json.loads((PROJECT / ".chalice/config.json").read_text())["lambda_timeout"])
