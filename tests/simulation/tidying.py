"""The end of a run: people end what waits for them, and what can never end on its own."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.simulation.cast import gates
from tests.simulation.people import ANN, People
from tests.simulation.places import backend
from tests.simulation.record import Record
from tests.simulation.rules import find_held, find_rules
from tests.simulation.settings import parse_keys, parse_settings, read_settings
from tests.simulation.waiters import find_stuck_without_help, find_waiters

PATIENCE = timedelta(minutes=15)
"""How long a cycle of waits is left alone, so that every function that could report it checks."""


class Tidying:
    """`cycles`: whether pipelines may wait for each other."""

    def __init__(self, world: DrivenWorld, people: People, record: Record, cycles: bool) -> None:
        self._world = world
        self._people = people
        self._record = record
        self._cycles = cycles
        self._stuck_since: dict[str, datetime] = {}

    def tidy(self) -> None:
        with self._world.lock:
            self._open_ways()
            self._people.approve()
            if self._cycles:
                self._take_apart()
            self._bring_about_successes()

    def _open_ways(self) -> None:
        backend = self._people.backend
        for pipeline in backend.pipelines.values():
            for stage in pipeline.stages:
                if not stage.transition.enabled:
                    names = {"pipelineName": pipeline.name, "stageName": stage.name}
                    backend.enable_stage_transition({**names, "transitionType": "Inbound"})

    def _bring_about_successes(self) -> None:
        """Start the pipelines whose success is required and that nothing else starts."""
        record, held = self._record, find_held()
        required = {
            name
            for job in record.jobs()
            if job.action.execution.id in held or job.action.status == "InProgress"
            for name in read_settings(job).required
        }
        for name in sorted(required - {*record.deleted}):
            pipeline = record.pipelines[name]
            if self._waits_for_deleted(pipeline.pipeline):
                self._let_through(name)
            newest = record.newest_finished(name, utcnow())
            succeeded = newest is not None and newest[1] == "SUCCEEDED"
            is_held = any(
                one.status == "Failed" and one.id in held
                for one in pipeline.history
                if one.mode == "PARALLEL" or one is pipeline.history[-1]
            )
            if not pipeline.running and not succeeded and not is_held:
                record.story.tell(f"a person starts {name}, whose success is required")
                codepipeline = backend((pipeline.account_id, pipeline.region))
                codepipeline.start_pipeline_execution({"name": pipeline.name}, ANN)

    def _take_apart(self) -> None:
        """Break cycles that would wait forever, as the message of a deadlock says, and remove the
        hold of a deleted pipeline, as `gatectl doctor --mend` does: the pipeline that it waits for
        may wait for it.
        """
        now, record, pipelines = utcnow(), self._record, self._people.backend.pipelines
        stuck = {
            one.pipeline for one in find_stuck_without_help(record, find_waiters(record, now), now)
        }
        names = [
            name
            for name in sorted(pipelines)
            if name in stuck or self._waits_for_deleted(pipelines[name].pipeline)
        ]
        self._stuck_since = {name: self._stuck_since.get(name, now) for name in names}
        overdue = [name for name, since in self._stuck_since.items() if now - since >= PATIENCE]
        for name in overdue:
            self._let_through(name)
            self._end_holds(name)
        for name, gone in record.deleted.items():
            if now - gone >= PATIENCE:
                self._end_holds(name)

    def _end_holds(self, pipeline: str) -> None:
        for held in find_rules():
            if self._record.executions[held].pipeline_name == pipeline:
                self._people.end_hold(held)

    def _waits_for_deleted(self, declaration: dict[str, Any]) -> bool:
        settings = [parse_settings(gate["UserParameters"]) for gate in gates(declaration)]
        return any(
            name in self._record.deleted
            for one in settings
            if not one.observe
            for name in one.pipelines
        )

    def _let_through(self, name: str) -> None:
        """Edit its gates: they require only idle in the mode restart, and pass if they would wait
        for a deleted pipeline.
        """
        self._record.story.tell(f"a person edits the gates of {name} to require only idle")
        edited = copy.deepcopy(self._people.backend.pipeline(name).pipeline)
        changed: dict[str, Any] = {"require": "idle", "hold": "restart"}
        if self._waits_for_deleted(edited):
            changed["observe"] = True
        for gate in gates(edited):
            keys = parse_keys(gate["UserParameters"])
            gate["UserParameters"] = json.dumps({**keys, **changed})
        self._people.backend.update_pipeline(edited)
