"""What really happened in a run, beside what the two functions think of it. The promises are judged by this alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.jobs import Job
from sandbox.codepipeline.pipeline import Pipeline
from tests.simulation.story import Story

BEGINS = ("STARTED", "RESUMED")
FINISHES = ("SUCCEEDED", "FAILED", "STOPPED")
ENDS = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED")


@dataclass(frozen=True)
class Truth:
    """How a held execution really stood when an invocation of the retry began. `newer`: the executions that came after it."""

    status: str
    newer: tuple[str, ...]
    passed: bool
    """It had gate actions, and the last attempt of each of them passed."""


@dataclass(eq=False)
class Turn:
    """One invocation of one of the two functions ("gate" or "retry").

    `read` is what ListPipelineExecutions answered it: each pipeline's executions by id, with their status and start time. `hits` are
    the faults that struck it; one that was not struck has no excuse. `at_start` is the truth about the hold, for the retry.
    """

    function: str
    event: dict[str, Any]
    began: datetime
    at_start: Truth | None = None
    read: dict[str, dict[str, tuple[str, float]]] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    """The pipelines whose list it read to the end, or back beyond 14 days."""
    hits: list[str] = field(default_factory=list)
    ended: datetime | None = None
    error: bool = False

    @property
    def job(self) -> str | None:
        job = self.event.get("CodePipeline.job")
        return str(job["id"]) if job else None

    @property
    def held(self) -> str:
        """The execution whose hold a retry looks at."""
        return str(self.event.get("rule", ""))[-36:]


@dataclass(frozen=True)
class Answer:
    """A job's result, as CodePipeline accepted it."""

    turn: Turn
    at: datetime
    success: bool
    text: str


@dataclass(frozen=True)
class Start:
    """A new execution that a turn of the retry started. `read` is a copy of what that turn had read until then."""

    turn: Turn
    at: datetime
    pipeline: str
    execution: PipelineExecution
    read: dict[str, dict[str, tuple[str, float]]]


@dataclass(frozen=True)
class Change:
    at: datetime
    pipeline: str
    execution: str
    state: str


class Record:
    """Fills itself while a run goes on."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.pipelines: dict[str, Pipeline] = {}
        """All there ever were; a deleted one stays here."""
        self.deleted: dict[str, datetime] = {}
        self.executions: dict[str, PipelineExecution] = {}
        self.changes: list[Change] = []
        self.running: list[Turn] = []
        """The turns under way: the last one runs, the others wait for it."""
        self.turns: list[Turn] = []
        self.answers: dict[str, Answer] = {}
        self.starts: list[Start] = []
        self.retries: list[Start] = []
        """Stages that a turn of the retry took again; `execution` is the held one itself."""
        self.overridden: set[str] = set()
        """The executions that a person let past a condition, or tried to."""
        self.released: set[str] = set()
        """The held executions whose rule a person removed."""
        self.rules: list[tuple[str, datetime, bool]] = []
        """When the rule of which held execution got its target, or lost it."""
        self.troubles: list[datetime] = []
        """When a fault struck, a delivery went astray, or a turn was slow."""
        self.lost_invocations = 0
        self.defects: list[str] = []
        """Of the sandbox or the simulation itself, as tracebacks."""
        self.words: list[str] = []
        """All that people or logs got to read."""

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
        self.changes.append(Change(utcnow(), pipeline.name, execution.id, state))
        by = f", by {execution.trigger_detail.rpartition('/')[2]}" if state == "STARTED" else ""
        self.story.tell(f"{pipeline.name} {execution.id[:8]} {state.lower()}{by}")

    def delete(self, pipeline: str) -> None:
        self.deleted[pipeline] = utcnow()

    def begin(self, function: str, payload: str) -> Turn:
        turn = Turn(function, json.loads(payload), utcnow())
        if function == "retry":
            turn.at_start = self._truth(turn.held)
        self.turns.append(turn)
        self.running.append(turn)
        return turn

    def end(self, turn: Turn, error: str | None, words: str) -> None:
        self.running.remove(turn)
        turn.ended, turn.error = utcnow(), error is not None
        self.words.append(words)

    def _truth(self, held: str) -> Truth | None:
        execution = self.executions.get(held)
        if execution is None or execution.pipeline_name in self.deleted:
            return None
        newer = [other.id for other in self.pipelines[execution.pipeline_name].history if other.number > execution.number]
        last = [action for stage in execution.stages.values() for action in stage.actions.values() if action.type["provider"] == "Lambda"]
        last += [rule for stage in execution.stages.values() if stage.entry for rule in stage.entry.rules.values()]
        return Truth(execution.status, tuple(newer), bool(last) and all(action.status == "Succeeded" for action in last))

    # What the functions' calls did and were told

    def listed(self, request: dict[str, Any], answer: dict[str, Any], oldest: float) -> None:
        """A turn read a page of executions. `oldest`: epoch seconds before which it need not look."""
        name, page = request["pipelineName"], answer["pipelineExecutionSummaries"]
        read = self.turn.read.setdefault(name, {})
        if "nextToken" not in request:
            read.clear()
            self.turn.complete.discard(name)
        read.update({one["pipelineExecutionId"]: (one["status"], one["startTime"]) for one in page})
        if "nextToken" not in answer or any(one["startTime"] < oldest for one in page):
            self.turn.complete.add(name)

    def answered(self, job: str, success: bool, text: str) -> None:
        self.answers[job] = Answer(self.turn, utcnow(), success, text)
        self.words.append(text)
        self.story.tell(f"{self.turn.function} answers {self.whose(job)}: {'pass' if success else text[:90]}")

    def started(self, pipeline: str, execution: str) -> None:
        read = {name: dict(executions) for name, executions in self.turn.read.items()}
        self.starts.append(Start(self.turn, utcnow(), pipeline, self.executions[execution], read))

    def retried(self, execution: str) -> None:
        read = {name: dict(executions) for name, executions in self.turn.read.items()}
        held = self.executions[execution]
        self.story.tell(f"{self.turn.function}: takes the stage of {held.pipeline_name} {execution[:8]} again")
        self.retries.append(Start(self.turn, utcnow(), held.pipeline_name, held, read))

    def ruled(self, held: str, has_target: bool) -> None:
        self.rules.append((held, utcnow(), has_target))

    # Looking back

    def jobs(self) -> list[Job]:
        return [job for pipeline in self.pipelines.values() for job in pipeline.jobs.values()]

    def job(self, job: str) -> Job | None:
        return next((pipeline.jobs[job] for pipeline in self.pipelines.values() if job in pipeline.jobs), None)

    def whose(self, job: str) -> str:
        found = self.job(job)
        return f"{found.action.execution.pipeline_name} {found.action.execution.id[:8]}" if found else f"job {job}"

    def busy(self, pipeline: str) -> list[tuple[datetime, datetime | None]]:
        """From when till when `pipeline` ran, in pieces that may overlap; None: to this day."""
        since: dict[str, datetime] = {}
        pieces: list[tuple[datetime, datetime | None]] = []
        for change in self.changes:
            if change.pipeline != pipeline:
                continue
            if change.state in BEGINS:
                since.setdefault(change.execution, change.at)
            elif change.state in ENDS and change.execution in since:
                pieces.append((since.pop(change.execution), change.at))
        end = self.deleted.get(pipeline)
        return pieces + [(begun, end) for begun in since.values()]

    def held(self, pipeline: str) -> list[tuple[datetime, datetime | None]]:
        """From when till when a rule held an execution of `pipeline`, which then counts as running; None: to this day."""
        since: dict[str, datetime] = {}
        pieces: list[tuple[datetime, datetime | None]] = []
        for held, at, has_target in self.rules:
            if held not in self.executions or self.executions[held].pipeline_name != pipeline:
                continue
            if has_target:
                since.setdefault(held, at)
            elif held in since:
                pieces.append((since.pop(held), at))
        return pieces + [(begun, None) for begun in since.values()]

    def newest_finished(self, pipeline: str, at: datetime) -> str | None:
        """The state in which the newest execution of `pipeline` that had finished by then had ended."""
        ended: dict[str, str] = {}
        for change in self.changes:
            if change.pipeline == pipeline and change.at <= at:
                if change.state in BEGINS:
                    ended.pop(change.execution, None)
                elif change.state in FINISHES:
                    ended[change.execution] = change.state
        newest = max(ended, key=lambda id_: self.executions[id_].number, default=None)
        return ended[newest] if newest is not None else None
