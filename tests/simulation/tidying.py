"""The end of a run: people let nothing wait for them any more, and take apart what can never end by
itself.
"""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.simulation.cast import gates
from tests.simulation.orders import order, read
from tests.simulation.people import ANN, People
from tests.simulation.places import backend
from tests.simulation.record import Record
from tests.simulation.rules import all_rules, remove, with_target
from tests.simulation.waiters import stuck_without_help, waiters

PATIENCE = timedelta(minutes=15)
"""So long a circle of waits is left alone, for all who could tell of it to look."""


class Tidying:
    """`circles`: there may be some."""

    def __init__(self, world: DrivenWorld, people: People, record: Record, circles: bool) -> None:
        self._world = world
        self._people = people
        self._record = record
        self._circles = circles
        self._stuck_since: dict[str, datetime] = {}

    def tidy(self) -> None:
        with self._world.lock:
            self._open_ways()
            self._people.approve()
            if self._circles:
                self._take_apart()
            self._bring_about_successes()

    def _open_ways(self) -> None:
        for pipeline in self._people.backend.pipelines.values():
            for stage in pipeline.stages:
                if not stage.transition.enabled:
                    request = {"pipelineName": pipeline.name, "stageName": stage.name}
                    self._people.backend.enable_stage_transition(
                        {**request, "transitionType": "Inbound"}
                    )

    def _bring_about_successes(self) -> None:
        """Start those whose success is waited for, and which nobody else starts."""
        record, kept = self._record, [name[-36:] for name in with_target()]
        orders = [
            order(job)
            for job in record.jobs()
            if job.action.execution.id in kept or job.action.status == "InProgress"
        ]
        required = {
            wanted.pipeline
            for asked in orders
            for wanted in asked.wanted
            if wanted.require == "succeeded"
        }
        for name in sorted(required - {*record.deleted}):
            pipeline = record.pipelines[name]
            finished = [
                one.status
                for one in pipeline.history
                if one.status in ("Succeeded", "Failed", "Stopped")
            ]
            failed = [one for one in pipeline.history if one.status == "Failed"]
            held = any(
                one.id in kept and (one.mode == "PARALLEL" or one is pipeline.history[-1])
                for one in failed
            )
            if self._waits_for_deleted(pipeline.pipeline):
                self._let_through(name)
            if not pipeline.running and finished[-1:] != ["Succeeded"] and not held:
                record.story.tell(f"somebody sees to it that {name} succeeds")
                backend((pipeline.account_id, pipeline.region)).start_pipeline_execution(
                    {"name": pipeline.name}, ANN
                )

    def _take_apart(self) -> None:
        """Let those that wait for each other for ever only make room for each other, as the message
        of a deadlock says; and remove the hold of a deleted pipeline, as `gatectl doctor --mend`
        does: what it waits for may wait for it.
        """
        now, there = utcnow(), self._people.backend.pipelines
        names = {
            one.pipeline
            for one in stuck_without_help(self._record, waiters(self._record, now), now)
        } & set(there)
        names |= {
            name for name, pipeline in there.items() if self._waits_for_deleted(pipeline.pipeline)
        }
        self._stuck_since = {name: self._stuck_since.get(name, now) for name in names}
        for name in [name for name, since in self._stuck_since.items() if now - since >= PATIENCE]:
            self._let_through(name)
            for rule in [*all_rules()]:
                if self._record.executions[rule[-36:]].pipeline_name == name:
                    self._remove(rule)
        for rule in with_target():
            gone = self._record.deleted.get(self._record.executions[rule[-36:]].pipeline_name)
            if gone is not None and now - gone >= PATIENCE:
                self._remove(rule)

    def _waits_for_deleted(self, declaration: dict[str, Any]) -> bool:
        asked = [read(gate["UserParameters"]) for gate in gates(declaration)]
        return any(
            name in self._record.deleted for one in asked if not one.observe for name in one.names
        )

    def _let_through(self, name: str) -> None:
        """Edit its gates: they make room, and pass where they would wait for a pipeline that is
        gone.
        """
        self._record.story.tell(f"somebody lets the gates of {name} only make room")
        edited = copy.deepcopy(self._people.backend.pipeline(name).pipeline)
        gone = self._waits_for_deleted(edited)
        for gate in gates(edited):
            text = gate["UserParameters"]
            asked = json.loads(text) if text.startswith("{") else {"depends_on": text.split(", ")}
            asked |= {"require": "idle", "hold": "restart"} | ({"observe": True} if gone else {})
            gate["UserParameters"] = json.dumps(asked)
        self._people.backend.update_pipeline(edited)

    def _remove(self, rule: str) -> None:
        self._record.unruled.add(rule[-36:])
        self._record.ruled(rule[-36:], None, by_person=True)
        remove(rule)
