"""Answers that are some seconds old: the functions read what was true a moment ago."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from unittest.mock import patch

from sandbox.clock import utcnow
from sandbox.codepipeline import events
from sandbox.codepipeline.execution import ActionExecution, PipelineExecution, StageExecution
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.past import Past
from tests.simulation.places import name_pipeline
from tests.simulation.record import Record
from tests.simulation.state import ShownState

UNRELIABLE = timedelta(seconds=30)


class Lag:
    """How old the functions' answers are, drawn for each call. People's answers are up to date."""

    def __init__(self, random: Random, record: Record) -> None:
        self._random = random
        self._record = record
        self.longest: float = random.choice((0.0, 0.0, 3.0, 10.0, 10.0))

    def __str__(self) -> str:
        return f"answers are up to {self.longest} s old"

    def draw_age(self, operation: str) -> float:
        """`Dials.answer_age`."""
        # A function whose pauses are left out does not give the lists time to catch up.
        left_out = self._record.left_out_pause
        is_reliable = left_out is None or utcnow() - left_out >= UNRELIABLE
        is_read_by_function = bool(self._record.under_way)
        age = self._random.uniform(0, self.longest) if is_reliable and is_read_by_function else 0.0
        if operation == "GetPipelineState":
            self._record.state_shown_at = utcnow() - timedelta(seconds=age)
        return age

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note what the states show after each change."""
        real_pipeline_event = events.send_pipeline_event
        real_stage_event = events.send_stage_event
        real_action_event = events.send_action_event

        def pipeline_event(pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
            real_pipeline_event(pipeline, execution, state)
            self._note(pipeline)

        def stage_event(pipeline: Pipeline, stage: StageExecution, state: str) -> None:
            real_stage_event(pipeline, stage, state)
            self._note(pipeline)

        def action_event(pipeline: Pipeline, action: ActionExecution, state: str) -> None:
            real_action_event(pipeline, action, state)
            self._note(pipeline)

        with (
            patch.object(events, "send_pipeline_event", pipeline_event),
            patch.object(events, "send_stage_event", stage_event),
            patch.object(events, "send_action_event", action_event),
        ):
            yield

    def _note(self, pipeline: Pipeline) -> None:
        past = self._record.past_states.setdefault(name_pipeline(pipeline), Past(ShownState()))
        past.note(ShownState.find(pipeline))
