"""What really happened in a run, whatever the functions report. The promises compare with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.awslambda.invocation import RETRY_DELAYS
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import ActionJob, PipelineExecution
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.past import Past
from sandbox.world import Dials
from tests.simulation.entries import (
    Answer,
    HeldState,
    Invocation,
    KeptOpen,
    Position,
    Reading,
    RuleChange,
    Start,
    StateChange,
)
from tests.simulation.places import name_pipeline
from tests.simulation.settings import belongs_to, is_released
from tests.simulation.state import ShownState
from tests.simulation.story import Story

RUNNING = ("InProgress", "Stopping")
FINISHED = ("Succeeded", "Failed", "Stopped", "Cancelled")
BEGINS = ("STARTED", "RESUMED")
FINISHES = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED")
ENDS = (*FINISHES, "SUPERSEDED")
LONGEST_LAG = timedelta(seconds=10)
"""How old an answer may be."""
RESTART_TIME = timedelta(minutes=2)
"""An execution that is cancelled counts as running this much longer, if nothing starts it again."""
LOOK_BACK = timedelta(days=14)
"""How far back a list of executions has to be read."""
LONGEST_APPROVAL = timedelta(days=60)
"""How long an execution can have sat in an approval, and then continue."""
Period = tuple[datetime, datetime | None]
"""When it began and ended; None: it has not ended."""


def label(execution: PipelineExecution) -> str:
    """How stories and broken promises name an execution."""
    return f"{execution.pipeline_name} {execution.id[:8]}"


class Record:
    """Fills itself during a run. Pipelines are named as in places.py."""

    def __init__(self, story: Story, dials: Dials) -> None:
        self.story = story
        self.dials = dials
        self.pipelines: dict[str, Pipeline] = {}
        """All pipelines of the run, including deleted ones."""
        self.deleted: dict[str, datetime] = {}
        self.closed_periods: dict[str, list[Period]] = {}
        """When the gate's role could not read a pipeline, by pipeline."""
        self.executions: dict[str, PipelineExecution] = {}
        self.changes: list[StateChange] = []
        self.under_way: list[Invocation] = []
        """The last one is running, the others wait for it."""
        self.invocations: list[Invocation] = []
        self.answers: dict[str, Answer] = {}
        """By the job's id."""
        self.kept_open: list[KeptOpen] = []
        self.starts: list[Start] = []
        self.retries: list[Start] = []
        """Stages that the retry function retried; `execution` is the held one."""
        self.overridden: set[str] = set()
        """The executions that a person let past a condition, or tried to."""
        self.rule_removed: set[str] = set()
        """The held executions whose rule a person removed."""
        self.released: dict[str, datetime] = {}
        """The held executions that a person released (`gatectl release`), and when."""
        self.edits: list[tuple[datetime, str]] = []
        """When people edited a pipeline, and its name."""
        self.rule_changes: list[RuleChange] = []
        self.disturbances: list[datetime] = []
        """When a fault struck, a delivery went astray, or an invocation was slow."""
        self.slow_periods: list[Period] = []
        """While an invocation paused, or a delivery or the repeat of a failed one was due."""
        self.past_states: dict[str, Past[ShownState]] = {}
        """What the pipelines' states showed, if answers may be old."""
        self.state_shown_at = utcnow()
        """The moment that the last state shows."""
        self.left_out_pause: datetime | None = None
        """When a function's pause was left out last, because invocations were nested too deep."""
        self.lost_invocations = 0
        self.defects: list[str] = []
        """Of the sandbox or the simulation itself, as tracebacks."""
        self.texts: list[str] = []
        """All that people or logs can show."""
        self.secrets: set[str] = set()
        """What they must not contain."""
        self.bus: str | None = None
        """EVENT_BUS."""

    @property
    def invocation(self) -> Invocation:
        """The invocation that is running."""
        return self.under_way[-1]

    def note_disturbance(self, fault: str | None = None) -> None:
        """Something went wrong now; `fault` struck the running invocation."""
        self.disturbances.append(utcnow())
        if fault is not None:
            self.invocation.faults.append(fault)

    def note_state(self, pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        self.executions[execution.id] = execution
        self.changes.append(StateChange(utcnow(), name_pipeline(pipeline), execution.id, state))
        by = f", by {execution.trigger_detail.rpartition('/')[2]}" if state == "STARTED" else ""
        self.story.tell(f"{label(execution)} {state.lower()}{by}")

    def note_past(self, pipeline: Pipeline, execution: PipelineExecution, state: str) -> None:
        """An execution that was over before the run began."""
        self.executions[execution.id] = execution
        self.changes.append(
            StateChange(execution.updated, name_pipeline(pipeline), execution.id, state)
        )

    def begin(self, function: str, payload: str) -> Invocation:
        invocation = Invocation(function, json.loads(payload), utcnow())
        if job := invocation.event.get("CodePipeline.job"):
            invocation.job = self.find_job(job["id"])
        if function == "retry":
            invocation.at_start = self._find_held_state(invocation.held_id)
        self.invocations.append(invocation)
        self.under_way.append(invocation)
        return invocation

    def end(self, invocation: Invocation, error: str | None, log: str, payload: str) -> None:
        self.under_way.remove(invocation)
        invocation.ended = utcnow()
        invocation.keeps_closed = (
            error is not None and json.loads(payload)["errorType"] == "ClosedCondition"
        )
        invocation.error = error is not None and not invocation.keeps_closed
        if invocation.error:  # only then does Lambda invoke it again, and that changes something
            self.slow_periods.append((invocation.ended, invocation.ended + RETRY_DELAYS[-1]))
        invocation.lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        self.texts.append(log + payload)

    def _find_held_state(self, held: str) -> HeldState | None:
        """None: it is unknown, or in another region or account, where nothing is held."""
        execution = self.executions.get(held)
        name = execution.pipeline_name if execution else ""
        if execution is None or name not in self.pipelines or name in self.deleted:
            return None
        history = self.pipelines[name].history
        newer = tuple(other.id for other in history if other.number > execution.number)
        gates = [
            run
            for stage in execution.stages.values()
            for run in [
                *stage.actions.values(),
                *(stage.entry.rules if stage.entry else {}).values(),
            ]
            if run.type["provider"] in ("Lambda", "LambdaInvoke")
        ]
        passed = bool(gates) and all(run.status == "Succeeded" for run in gates)
        return HeldState(execution.status, newer, passed)

    # What the functions' calls did and read

    def note_list(self, pipeline: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """A page of executions was read."""
        page, is_last = answer["pipelineExecutionSummaries"], "nextToken" not in answer
        now, oldest = utcnow().timestamp(), min(one["startTime"] for one in page) if page else 0.0
        readings = self.invocation.readings.setdefault(pipeline, [])
        if "nextToken" not in request:
            readings.append(Reading())
        reading = readings[-1]
        for one in page:
            times = one["startTime"], one["lastUpdateTime"]
            reading.executions[one["pipelineExecutionId"]] = (one["status"], *times)
        reading.complete |= is_last or oldest < now - LOOK_BACK.total_seconds()
        reading.has_all |= is_last or oldest < now - LONGEST_APPROVAL.total_seconds()

    def note_positions(self, pipeline: str) -> None:
        """The stages of a pipeline's executions were read."""
        invocation, past = self.invocation, self.past_states.get(pipeline)
        if past and past.has_changed_since(self.state_shown_at):
            state = past.at(self.state_shown_at)
        else:
            state = ShownState.find(self.pipelines[pipeline])
        listed = invocation.list_executions(pipeline)
        running = [id_ for id_, (status, *_) in listed.items() if status in RUNNING]
        invocation.positions[pipeline] = {
            id_: state.positions.get(id_, Position()) for id_ in (*running, *state.running)
        }
        for stage, latest in state.stages.items():
            invocation.stage_reads.setdefault((pipeline, stage), []).append(latest)

    def note_answer(
        self, job_id: str, success: bool, text: str, outputs: dict[str, str] | None = None
    ) -> None:
        job, invocation = self.find_job(job_id), self.invocation
        self.answers[job_id] = Answer(invocation, utcnow(), job, success, text, outputs or {})
        self.texts.append(text)
        result = "pass" if success else text[:90]
        self.story.tell(f"{invocation.function} answers {label(job.action.execution)}: {result}")

    def note_kept_open(self, job_id: str, summary: str, percent: int | None) -> None:
        job = self.find_job(job_id)
        self.kept_open.append(KeptOpen(self.invocation, utcnow(), job, summary, percent))
        self.texts.append(summary)

    def note_start(self, execution: PipelineExecution) -> None:
        self.starts.append(self._start(execution))

    def note_retry(self, held: PipelineExecution) -> None:
        self.story.tell(f"{self.invocation.function}: retries the stage of {label(held)}")
        self.retries.append(self._start(held))

    def _start(self, execution: PipelineExecution) -> Start:
        readings = {name: [*each] for name, each in self.invocation.readings.items()}
        return Start(self.invocation, utcnow(), execution, readings)

    def note_rule(self, held: str, hold: str | None, *, by_person: bool = False) -> None:
        """`hold`: the Input that the rule's target got; None: it lost its target."""
        invocation = self.invocation if self.under_way and not by_person else None
        hold_input = None if hold is None else json.loads(hold)
        self.rule_changes.append(RuleChange(held, utcnow(), hold_input, invocation))

    # Looking back

    def jobs(self) -> list[ActionJob]:
        return [job for pipeline in self.pipelines.values() for job in pipeline.jobs.values()]

    def find_jobs(self, execution: str) -> list[ActionJob]:
        return [job for job in self.jobs() if job.action.execution.id == execution]

    def find_job(self, job_id: str) -> ActionJob:
        return next(
            pipeline.jobs[job_id] for pipeline in self.pipelines.values() if job_id in pipeline.jobs
        )

    def find_holds(self) -> dict[str, list[Answer]]:
        """The answers that held an execution by a rule, by the execution's id."""
        holds: dict[str, list[Answer]] = {}
        for answer in self.answers.values():
            if answer.verdict == "held":
                holds.setdefault(answer.execution.id, []).append(answer)
        return holds

    def find_running_periods(self, pipeline: str) -> list[Period]:
        """When `pipeline` ran or counted as running, in periods that may overlap."""
        since: dict[str, datetime] = {}
        periods: list[Period] = []
        for change in self.changes:
            if change.pipeline != pipeline:
                continue
            if change.state in BEGINS:
                since.setdefault(change.execution, change.at)
            elif change.state in ENDS and change.execution in since:
                longer = RESTART_TIME if change.state == "CANCELED" else timedelta()
                periods.append((since.pop(change.execution), change.at + longer))
        end = self.deleted.get(pipeline)
        return periods + [(began, end) for began in since.values()]

    def find_held_periods(self, pipeline: str) -> list[Period]:
        """When a rule held an execution of `pipeline`, which then counts as running."""
        held = {one.held_id for one in self.rule_changes}
        executions = [self.executions[id_] for id_ in held if id_ in self.executions]
        ids = [execution.id for execution in executions if execution.pipeline_name == pipeline]
        return [period for id_ in ids for period in self.find_rule_periods(id_)]

    def find_rule_changes(self, held: str) -> list[RuleChange]:
        return [one for one in self.rule_changes if one.held_id == held]

    def find_hold(self, held: str, before: datetime | None = None) -> Mapping[str, Any]:
        """The Input in that execution's rule, now or just before a moment; {} if there is none."""
        holds = [
            one.hold for one in self.find_rule_changes(held) if before is None or one.at < before
        ]
        return holds[-1] or {} if holds else {}

    def find_releases(self, job: ActionJob) -> list[datetime]:
        """When people released the wait of this job's gate."""
        return [
            one.at
            for one in self.find_rule_changes(job.action.execution.id)
            if one.invocation is None
            and one.hold is not None
            and is_released(one.hold)
            and belongs_to(one.hold, job)
        ]

    def find_rule_periods(self, held: str) -> list[Period]:
        """When the rule of that execution had its target."""
        since: datetime | None = None
        periods: list[Period] = []
        for one in self.find_rule_changes(held):
            if one.hold is not None:
                since = since or one.at
            elif since is not None:
                periods.append((since, one.at))
                since = None
        return periods if since is None else [*periods, (since, None)]

    def newest_finished(self, pipeline: str, at: datetime) -> tuple[str, str] | None:
        """The execution that decided by then whether the pipeline had succeeded, and the state in
        which it had ended; ROLLED BACK: a rollback that succeeded.
        """
        history = [newest for when, newest in self._newest_finished(pipeline) if when <= at]
        return history[-1] if history else None

    def newest_finished_between(
        self, pipeline: str, since: datetime, until: datetime
    ) -> list[tuple[str, str] | None]:
        """The same after each change of that time: several may come in one moment."""
        return [
            newest for when, newest in self._newest_finished(pipeline) if since <= when <= until
        ]

    def _newest_finished(self, pipeline: str) -> Iterator[tuple[datetime, tuple[str, str] | None]]:
        ended: dict[str, tuple[datetime, str]] = {}
        latest: PipelineExecution | None = None
        for at, execution, state in self._list_changes(pipeline):
            latest = max(filter(None, (latest, execution)), key=lambda one: one.number)
            if state in BEGINS:
                ended.pop(execution.id, None)
            elif state in FINISHES:
                ended[execution.id] = at, state
            elif state == "" and execution.id in ended:
                ended[execution.id] = at, ended[execution.id][1]
            yield at, self._choose_finished(ended, latest)

    def _list_changes(self, pipeline: str) -> list[tuple[datetime, PipelineExecution, str]]:
        """The changes of its executions in order, and in PARALLEL mode the ends of actions, as "":
        such an end can come later than that of the execution, and changes its lastUpdateTime.
        """
        changes = [
            (change.at, self.executions[change.execution], change.state)
            for change in self.changes
            if change.pipeline == pipeline
        ]
        changes += [
            (run.updated, execution, "")
            for execution in {execution.id: execution for _, execution, _ in changes}.values()
            if execution.mode == "PARALLEL"
            for run in (*execution.actions, *execution.rules)
            if run.status != "InProgress"
        ]
        return sorted(changes, key=lambda change: change[0])

    def _choose_finished(
        self, ended: Mapping[str, tuple[datetime, str]], latest: PipelineExecution
    ) -> tuple[str, str] | None:
        def rank(id_: str) -> tuple[object, ...]:
            number = self.executions[id_].number
            return (ended[id_][0], number) if latest.mode == "PARALLEL" else (number,)

        newest = max(ended, key=rank, default=None)
        if newest is None:
            return None
        state = ended[newest][1]
        rolled_back = self.executions[newest].type == "ROLLBACK" and state == "SUCCEEDED"
        return newest, "ROLLED BACK" if rolled_back else state
