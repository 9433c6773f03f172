"""What really happened in a run, beside what the two functions think of it. The promises are judged
by this alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sandbox.awslambda.invocation import RETRY_DELAYS
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ActionJob, PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline
from tests.simulation.places import name_of
from tests.simulation.story import Story
from tests.simulation.turns import Answer, Change, Kept, Read, Ruled, Start, Stood, Truth, Turn

RUNNING = ("InProgress", "Stopping")
BEGINS = ("STARTED", "RESUMED")
FINISHES = ("SUCCEEDED", "FAILED", "STOPPED")
ENDS = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED")
Piece = tuple[datetime, datetime | None]
"""From when till when; None: to this day."""


class Record:
    """Fills itself while a run goes on. Pipelines are named as places.py has it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.pipelines: dict[str, Pipeline] = {}
        """All there ever were; a deleted one stays here."""
        self.deleted: dict[str, datetime] = {}
        self.closed: dict[str, list[Piece]] = {}
        """When the gate's role was not let look at which pipeline."""
        self.executions: dict[str, PipelineExecution] = {}
        self.changes: list[Change] = []
        self.running: list[Turn] = []
        """The turns under way: the last one runs, the others wait for it."""
        self.turns: list[Turn] = []
        self.answers: dict[str, Answer] = {}
        self.kept: list[Kept] = []
        self.starts: list[Start] = []
        self.retries: list[Start] = []
        """Stages that a turn of the retry took again; `execution` is the held one itself."""
        self.overridden: set[str] = set()
        """The executions that a person let past a condition, or tried to."""
        self.unruled: set[str] = set()
        """The held executions whose rule a person removed."""
        self.let_go: dict[str, datetime] = {}
        """The held executions that a person let go on at once (`gatectl release`), and when."""
        self.edits: list[tuple[datetime, str]] = []
        """When people edited which pipeline."""
        self.rules: list[Ruled] = []
        self.troubles: list[datetime] = []
        """When a fault struck, a delivery went astray, or a turn was slow."""
        self.slow: list[Piece] = []
        """While a turn paused, a delivery was under way, or one that failed was yet to be
        repeated.
        """
        self.lost_invocations = 0
        self.defects: list[str] = []
        """Of the sandbox or the simulation itself, as tracebacks."""
        self.words: list[str] = []
        """All that people or logs got to read."""
        self.secrets: set[str] = set()
        """What must not stand in them."""
        self.bus: str | None = None
        """EVENT_BUS."""

    @property
    def turn(self) -> Turn:
        return self.running[-1]

    def trouble(self, what: str | None = None) -> None:
        """Note that the weather is not fair now; `what` struck the turn that runs."""
        self.troubles.append(utcnow())
        if what is not None:
            self.turn.hits.append(what)

    def change(self, pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        self.executions[execution.id] = execution
        self.changes.append(Change(utcnow(), name_of(pipeline), execution.id, state))
        by = f", by {execution.trigger_detail.rpartition('/')[2]}" if state == "STARTED" else ""
        self.story.tell(f"{pipeline.name} {execution.id[:8]} {state.lower()}{by}")

    def past(self, pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        """An execution that was over before the run began."""
        self.executions[execution.id] = execution
        self.changes.append(Change(execution.updated, name_of(pipeline), execution.id, state))

    def delete(self, pipeline: str) -> None:
        self.deleted[pipeline] = utcnow()

    def begin(self, function: str, payload: str) -> Turn:
        turn = Turn(function, json.loads(payload), utcnow())
        if function == "retry":
            turn.at_start = self._truth(turn.held)
        self.turns.append(turn)
        self.running.append(turn)
        return turn

    def end(self, turn: Turn, error: str | None, log: str, payload: str) -> None:
        self.running.remove(turn)
        turn.ended, turn.error = utcnow(), error is not None
        if error is not None:
            self.slow.append(
                (turn.ended, turn.ended + RETRY_DELAYS[-1])
            )  # Lambda asks again only then
        turn.lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        self.words.append(log + payload)

    def _truth(self, held: str) -> Truth | None:
        execution = self.executions.get(held)
        if (
            execution is None
            or execution.pipeline_name not in self.pipelines
            or execution.pipeline_name in self.deleted
        ):
            return None  # or it is elsewhere, where nothing is held
        newer = [
            other.id
            for other in self.pipelines[execution.pipeline_name].history
            if other.number > execution.number
        ]
        last = [
            action
            for stage in execution.stages.values()
            for action in stage.actions.values()
            if action.type["provider"] == "Lambda"
        ]
        last += [
            rule
            for stage in execution.stages.values()
            if stage.entry
            for rule in stage.entry.rules.values()
        ]
        return Truth(
            execution.status,
            tuple(newer),
            bool(last) and all(action.status == "Succeeded" for action in last),
        )

    # What the functions' calls did and were told

    def listed(
        self, pipeline: str, request: dict[str, Any], answer: dict[str, Any], oldest: float
    ) -> None:
        """A turn read a page of executions. `oldest`: epoch seconds before which it need not
        look.
        """
        page = answer["pipelineExecutionSummaries"]
        read = self.turn.read.setdefault(pipeline, {})
        if "nextToken" not in request:
            read.clear()
            self.turn.complete.discard(pipeline)
        read.update({one["pipelineExecutionId"]: (one["status"], one["startTime"]) for one in page})
        if "nextToken" not in answer or any(one["startTime"] < oldest for one in page):
            self.turn.complete.add(pipeline)

    def looked(self, pipeline: str) -> None:
        """A turn read where a pipeline's executions stand."""
        model = self.pipelines[pipeline]
        running = [
            id_
            for id_, (status, _) in self.turn.read.get(pipeline, {}).items()
            if status in RUNNING
        ]
        self.turn.stood[pipeline] = {id_: Stood.of(model, self.executions[id_]) for id_ in running}
        for stage in model.stages:
            if stage.latest is not None:
                status = stage.latest.stages[stage.name].status
                reads = self.turn.in_stage.setdefault((pipeline, stage.name), [])
                reads.append((stage.latest.id, status))

    def answered(
        self, job: str, success: bool, text: str, outputs: dict[str, str] | None = None
    ) -> None:
        self.answers[job] = Answer(self.turn, utcnow(), success, text, outputs or {})
        self.words.append(text)
        self.story.tell(
            f"{self.turn.function} answers {self.whose(job)}: {'pass' if success else text[:90]}"
        )

    def keeps_open(self, job: str, summary: str, percent: int | None) -> None:
        self.kept.append(Kept(self.turn, utcnow(), job, summary, percent))
        self.words.append(summary)

    def started(self, pipeline: str, execution: str) -> None:
        self.starts.append(
            Start(self.turn, utcnow(), pipeline, self.executions[execution], self._read())
        )

    def retried(self, execution: str) -> None:
        held = self.executions[execution]
        self.story.tell(
            f"{self.turn.function}: takes the stage of {held.pipeline_name} {execution[:8]} again"
        )
        self.retries.append(Start(self.turn, utcnow(), held.pipeline_name, held, self._read()))

    def _read(self) -> Read:
        return {name: dict(executions) for name, executions in self.turn.read.items()}

    def ruled(self, held: str, hold: str | None, *, by_person: bool = False) -> None:
        """`hold`: the Input that the rule's target got; None: it lost its target."""
        turn = self.running[-1] if self.running and not by_person else None
        self.rules.append(Ruled(held, utcnow(), None if hold is None else json.loads(hold), turn))

    # Looking back

    def jobs(self) -> list[ActionJob]:
        return [job for pipeline in self.pipelines.values() for job in pipeline.jobs.values()]

    def jobs_of(self, execution: str) -> list[ActionJob]:
        return [job for job in self.jobs() if job.action.execution.id == execution]

    def job(self, job: str) -> ActionJob | None:
        return next(
            (pipeline.jobs[job] for pipeline in self.pipelines.values() if job in pipeline.jobs),
            None,
        )

    def whose(self, job: str) -> str:
        found = self.job(job)
        return (
            f"{found.action.execution.pipeline_name} {found.action.execution.id[:8]}"
            if found
            else f"job {job}"
        )

    def busy(self, pipeline: str) -> list[Piece]:
        """When `pipeline` ran, in pieces that may overlap."""
        since: dict[str, datetime] = {}
        pieces: list[Piece] = []
        for change in self.changes:
            if change.pipeline != pipeline:
                continue
            if change.state in BEGINS:
                since.setdefault(change.execution, change.at)
            elif change.state in ENDS and change.execution in since:
                pieces.append((since.pop(change.execution), change.at))
        end = self.deleted.get(pipeline)
        return pieces + [(begun, end) for begun in since.values()]

    def held(self, pipeline: str) -> list[Piece]:
        """When a rule held an execution of `pipeline`, which then counts as running."""
        held = {one.held for one in self.rules if one.held in self.executions}
        return [
            piece
            for id_ in held
            if self.executions[id_].pipeline_name == pipeline
            for piece in self.ruled_pieces(id_)
        ]

    def ruled_pieces(self, held: str) -> list[Piece]:
        """When the rule of that execution had its target."""
        since: datetime | None = None
        pieces: list[Piece] = []
        for one in self.rules:
            if one.held != held:
                continue
            if one.hold is not None:
                since = since or one.at
            elif since is not None:
                pieces.append((since, one.at))
                since = None
        return pieces if since is None else [*pieces, (since, None)]

    def newest_finished(self, pipeline: str, at: datetime) -> tuple[str, str] | None:
        """The newest execution of `pipeline` that had finished by then, and the state in which it
        had ended.
        """
        return next(
            (found for when, found in reversed([*self._newest_finished(pipeline)]) if when <= at),
            None,
        )

    def newest_finished_between(
        self, pipeline: str, since: datetime, until: datetime
    ) -> list[tuple[str, str] | None]:
        """The same after each change of that time: several may come in one moment."""
        return [found for when, found in self._newest_finished(pipeline) if since <= when <= until]

    def _newest_finished(self, pipeline: str) -> Iterator[tuple[datetime, tuple[str, str] | None]]:
        ended: dict[str, str] = {}
        for change in self.changes:
            if change.pipeline == pipeline:
                if change.state in BEGINS:
                    ended.pop(change.execution, None)
                elif change.state in FINISHES:
                    ended[change.execution] = change.state
                newest = max(ended, key=lambda id_: self.executions[id_].number, default=None)
                yield change.at, (newest, ended[newest]) if newest is not None else None
