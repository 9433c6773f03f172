"""One run: a small world, one history, its faults; then fair weather until all rests; then the promises."""

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
from chalicelib import asking
from sandbox.account import ACCOUNT
from sandbox.awslambda.invocation import Executor, Invocation, Outcome
from sandbox.clock import utcnow
from sandbox.codepipeline import caller, events, paging, responses
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.inprocess import ChaliceExecutor, DrivenWorld, in_process
from sandbox.world import Dials
from tests.simulation import cast, promises
from tests.simulation.calls import Calls
from tests.simulation.clients import clients_through
from tests.simulation.people import People
from tests.simulation.record import Record
from tests.simulation.story import Result, Story
from tests.simulation.weather import Weather

PROJECT = Path(__file__).parents[2]
LONGEST_REST = timedelta(hours=6)
"""So long after the weather turned fair all must have come to rest."""


class WatchedExecutor:
    """Runs the functions as the world's own executor does, and tells the record when a turn begins and ends."""

    def __init__(self, inner: Executor, record: Record) -> None:
        self._inner = inner
        self._record = record

    def run(self, function: LambdaFunction, invocation: Invocation) -> Outcome:
        record, name = self._record, function.function_name.rpartition("-")[2]
        turn = record.begin(name, invocation.payload)
        record.story.tell(f"{name} begins, for {record.whose(turn.job) if turn.job else turn.held[:8]}")
        record.story.depth += 1
        outcome = self._inner.run(function, invocation)
        record.end(turn, outcome.error, outcome.log + outcome.payload)
        record.story.depth -= 1
        record.story.tell(f"{name} ends: {_decision(outcome)}")
        return outcome


def _decision(outcome: Outcome) -> str:
    answer = json.loads(outcome.payload)
    if outcome.error:
        return f"{answer['errorType']}: {answer['errorMessage']}"[:120]
    return (
        f"{answer['decision']} {answer.get('reason', '')}"[:120] if isinstance(answer, dict) and "decision" in answer else str(answer)[:120]
    )


def simulate(seed: int) -> Result:
    """Run the history of `seed`. A defect of the simulation or the sandbox counts as a broken promise too."""
    story = Story()
    with ExitStack() as stack:
        stack.enter_context(_seeded(seed))
        world = stack.enter_context(in_process(_executor(), dials=Dials(start_on_create=False)))
        record = Record(story)
        try:
            _play(seed, world, record, stack)
        except Exception:
            return Result(seed, [f"The run itself failed:\n{traceback.format_exc()}"], story.lines)
        counts = {
            "turns": len(record.turns),
            "hits": sum(len(turn.hits) for turn in record.turns),
            "held": len(promises.holds(record)),
            "released": len(record.starts) + len(record.retries),
        }
        broken = [f"The run itself failed:\n{defect}" for defect in record.defects] or promises.broken(record, world.dials)
        return Result(seed, broken, story.lines, counts)


def _play(seed: int, world: DrivenWorld, record: Record, stack: ExitStack) -> None:
    drawn = cast.draw(_dice(seed, "cast"))
    script = _dice(seed, "script")
    minutes = script.choice((5.0, 15.0, 30.0, 60.0))
    weather = Weather(_dice(seed, "weather"), minutes)
    people = People(_dice(seed, "people"), world, drawn, record)
    calls = Calls(world, weather, people, record, _timeout())
    weather.turn(world.dials)
    world.executor = WatchedExecutor(world.executor, record)
    stack.enter_context(_watched(record, calls))
    stack.enter_context(patch.object(paging, "PAGE", script.choice((100, 100, 100, 3, 2))))

    work = _dice(seed, "work")
    people.backend.outcome = lambda _execution, stage, _action: _work(work, stage, weather.fair)
    for declaration in drawn.declarations.values():
        people.backend.create_pipeline(declaration, [])
        record.pipelines[declaration["name"]] = people.backend.pipelines[declaration["name"]]
        asks = cast.asks(declaration)
        record.story.tell(f"{declaration['name']} is {declaration['executionMode']} {' and '.join(asks)}")
    record.story.tell(f"the weather is {weather}")

    def copies() -> list[float]:
        drawn_copies = weather.copies()
        if drawn_copies != [0.0]:
            record.trouble()
            record.story.tell(f"a delivery comes {f'after {drawn_copies} s' if drawn_copies else 'never'}")
        return drawn_copies

    def invocations() -> list[float]:
        drawn_copies = copies()
        record.lost_invocations += not drawn_copies
        return drawn_copies

    world.dials.event_copies, world.dials.invocation_copies = copies, invocations
    people.plan(script.choice((0, 2, 4, 8)), minutes)
    world.clock.advance(timedelta(minutes=minutes))
    _rest(world, weather, people, record)


def _rest(world: DrivenWorld, weather: Weather, people: People, record: Record) -> None:
    """Fair weather, nobody about: drive on until nothing runs, no rule has a target and the last late delivery has come."""
    record.story.tell("the weather turns fair, and people leave")
    weather.fair, people.here = True, False
    latest = utcnow() + LONGEST_REST
    while utcnow() < latest:
        people.tidy()
        world.clock.advance(timedelta(minutes=1))
        if utcnow() >= weather.latest_arrival and not record.running and not _restless(people):
            planned = world.clock.next_call()
            if planned is None or planned.label.startswith("the schedule of rule"):
                return
            if planned.when > utcnow():
                world.clock.advance(planned.when - utcnow())


def _restless(people: People) -> bool:
    return any(pipeline.running for pipeline in people.backend.pipelines.values()) or bool(people.held_rules())


def _work(random: Random, stage: str, fair: bool) -> tuple[float, str]:
    """How an action goes: how long it takes, and how it ends."""
    if stage == "Source":
        return random.choice((1.0, 2.0, 4.0)), "Failed" if random.random() < 0.03 else "Succeeded"
    seconds = random.choice((5.0, 60.0)) if fair else random.choice((40.0, 90.0, 90.0, 200.0, 400.0, 1200.0))
    return seconds, "Failed" if random.random() < 0.15 else "Succeeded"


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
    """Let the record see the executions, and the calls pass through `calls`; a function's calls come from its own role's session."""
    real_event, real_caller = events.pipeline_event, caller.caller_arn

    def pipeline_event(pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        record.change(pipeline, execution, state)
        real_event(pipeline, execution, state)

    def caller_arn(response: Any) -> str:
        if not record.running:
            return real_caller(response)
        function = f"pipeline-gate-dev-{record.turn.function}"
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}"

    with (
        patch.object(events, "pipeline_event", pipeline_event),
        patch.object(responses, "caller_arn", caller_arn),
        patch.object(time, "sleep", calls.sleep),
        clients_through(calls.send),
        patch.object(asking, "at_once", lambda ask_one, many: [ask_one(one) for one in many]),  # threads would draw other stories
    ):
        yield


@cache
def _executor() -> ChaliceExecutor:
    return ChaliceExecutor(app, PROJECT)


@cache
def _timeout() -> float:
    return float(json.loads((PROJECT / ".chalice/config.json").read_text())["lambda_timeout"])
