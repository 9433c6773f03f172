"""Live: every held execution continues soon after it may and AWS answers, or at its deadline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from chalicelib.holds.schedule import Schedule
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.entries import Answer, Invocation, KeptOpen, Start
from tests.simulation.record import LONGEST_LAG, Period, Record, label
from tests.simulation.revisions import took_what_no_start_takes
from tests.simulation.settings import (
    GateSettings,
    Requirement,
    belongs_to,
    is_released,
    read_settings,
)
from tests.simulation.waiters import find_upstreams

MOMENT, MINUTE = timedelta(milliseconds=1), timedelta(minutes=1)
IN_PLACE = timedelta(hours=23)
"""An action in the mode wait stays in progress at least this long before a rule takes over."""


def live(record: Record) -> Iterator[str]:
    for held, answers in record.find_holds().items():
        yield from _check_hold(record, record.executions[held], answers)
    yield from _check_waits_in_progress(record)
    yield from _find_held_after_release(record)
    yield from _check_restarts(record)


def _check_hold(
    record: Record, execution: PipelineExecution, answers: list[Answer]
) -> Iterator[str]:
    """It continues at most retry_minutes + 1 minute after its upstreams allow it and AWS answers:
    by a newer execution of its pipeline; in PARALLEL mode by its own restart, with its variables;
    in the mode retry by a retry of its stage.
    """
    latest, name = answers[-1], label(execution)
    # Two gates of one execution share its rule: the gate that wrote it last decides how often it
    # fires, and for which upstreams.
    jobs = record.find_jobs(execution.id)
    settings = [read_settings(job) for job in jobs]
    # In a circle, a rule holds it instead.
    in_circle = execution.pipeline_name in find_upstreams(record, execution.pipeline_name)
    stays = all(one.hold == "wait" for one in settings) and not in_circle
    if stays and any(answer.at - answer.job.action.started < IN_PLACE for answer in answers):
        yield f"{name} failed, though its mode was wait"
    if _is_excused(record, execution, latest, settings):
        return
    slack = (max(one.retry_minutes for one in settings) + 1) * MINUTE
    since = latest.at + record.dials.rule_warmup
    continued = _find_end(record, execution, latest)
    first = _find_first(record, execution.id, answers)
    stops, continues = (
        [first + one.give_up for one in settings if one.give_up and one.continues is continuing]
        for continuing in (False, True)
    )
    # Two gates that write the rule at the same moment do not see each other's wait, so one keeps no
    # deadline (docs/reliability.md, "What is not promised").
    may_lack_deadline = record.dials.answer_age and len({job.action.name for job in jobs}) > 1
    all_continue = len(continues) == len(settings) and not may_lack_deadline
    may_continue = max(continues) if all_continue else None
    released = _find_release(record, execution.id)
    if released is not None and released >= latest.at:
        may_continue = min(may_continue or released, released)
    # The deadlines by the gate's own clock. An invocation that died may have made the rule.
    kept = record.find_hold(execution.id, latest.at)
    began = min(
        *(answer.invocation.began for answer in answers if answer.at >= first),
        datetime.fromisoformat(kept["since"]) if kept else first,
    )
    gives_up = [stop - (first - began) for stop in stops]
    requirements = {requirement for one in settings for requirement in one.requirements}
    # A gate that no invocation answers keeps the execution in progress until CodePipeline ends its
    # action.
    mute = [
        (job.action.started, job.action.updated if job.action.status != "InProgress" else None)
        for job in jobs
        if not job.answered
    ]
    ended = min(_drop_none(continued, *gives_up, utcnow()))
    begins = _find_overdue(record, requirements, since, may_continue, slack, ended, mute)
    if begins is not None:
        ending = f"continued at {continued:%d %H:%M:%S}" if continued else "never continued"
        upstreams = ", ".join(sorted(one.pipeline for one in requirements))
        yield (
            f"{name}, held at {latest.at:%d %H:%M:%S}, {ending}, though {upstreams} allowed it and "
            f"AWS answered from {begins:%d %H:%M:%S} on, and it checks every {slack}"
        )
    awakened = [one.invocation.began for one in _list_continuations(record, execution)]
    for end in _find_ends_in_time(record, execution, requirements, since, mute):
        # The simulation plays functions that run at the same time one after the other, so this one
        # may come to its end late.
        in_time = ended <= end + MINUTE or any(end <= at <= end + MINUTE for at in awakened)
        if not in_time and execution.id not in record.rule_removed:
            yield f"{name} was not awakened by the event at {end:%d %H:%M:%S}"
    if len(stops) == len(settings) and released is None and not may_lack_deadline:
        since = max(min(stops), since)
        until = since + slack
        gone = [
            end for _, end in record.find_rule_periods(execution.id) if end and end >= latest.at
        ]
        ended = min(_drop_none(continued, *gone), default=utcnow())
        disturbed = _is_disturbed(record, since, until) or _overlap(mute, since, until)
        if until < ended and not disturbed:
            stop = f"{min(stops):%d %H:%M:%S}"
            yield f"{name} was to give up at {stop}, and is still held at {until:%d %H:%M:%S}"


def _find_overdue(
    record: Record,
    requirements: Iterable[Requirement],
    since: datetime,
    may_continue: datetime | None,
    slack: timedelta,
    ended: datetime,
    excuses: Iterable[Period],
) -> datetime | None:
    """The first moment from which nothing kept a wait from ending for as long as `slack`: it was
    allowed to continue, and AWS answered. None: there is no such moment.

    `since`: when the wait began; `may_continue`: when it ends in any case; `ended`: when it or the
    run ended.
    """
    busy = [
        period
        for one in requirements
        for period in (
            *record.find_running_periods(one.pipeline),
            *record.find_held_periods(one.pipeline),
        )
    ]
    closed = [*excuses]
    for one in requirements:
        closed += record.closed_periods.get(one.pipeline, [])
    starts = {
        *(since, may_continue or since),
        *_drop_none(*(end for _, end in [*busy, *closed])),
        *(moment + MOMENT for moment in record.disturbances),
    }
    for begins in sorted(start for start in starts if start >= since):
        until = begins + slack
        if ended <= until:
            return None
        satisfied = not _overlap(busy, begins, until) and all(
            _has_succeeded(record, one, begins) for one in requirements
        )
        answers = not _overlap(closed, begins, until) and not _is_disturbed(record, begins, until)
        if answers and (satisfied or (may_continue is not None and begins >= may_continue)):
            return begins
    return None


def _find_ends_in_time(
    record: Record,
    held: PipelineExecution,
    requirements: Collection[Requirement],
    since: datetime,
    excuses: Iterable[Period],
) -> Iterator[datetime]:
    """The ends of upstreams from which on a wait was allowed to end for a minute: their events wake
    the retry function, though AWS's lists may not show them yet.

    An event in the minute of the rule's schedule counts as a firing of the schedule, which comes
    again. What only a stage ends, how long a cancelled execution counts, and pipelines elsewhere,
    whose events may not arrive, are left out.
    """
    inputs = [one.hold for one in record.find_rule_changes(held.id) if one.hold]
    schedule = Schedule.parse(inputs[-1].get("schedule")) if inputs else None
    if not record.dials.events_on or schedule is None:
        return
    if len({job.action.name for job in record.find_jobs(held.id)}) > 1:
        return  # they share the rule, which events of one gate's upstreams fire
    if any(
        one.stage or one.parked == "pass" or one.pipeline.startswith("arn:") for one in requirements
    ):
        return
    names = {one.pipeline for one in requirements}
    for change in record.changes:
        begins = change.at
        if change.pipeline not in names or change.state not in ("SUCCEEDED", "FAILED", "STOPPED"):
            continue
        if begins <= since or schedule.fires_in_minute_of(begins):
            continue
        if not record.find_hold(held.id, begins):
            continue  # the hold had ended
        overdue = _find_overdue(
            record, requirements, begins, None, MINUTE, begins + MINUTE + MOMENT, excuses
        )
        if overdue == begins:
            yield begins


def _overlap(periods: Iterable[Period], since: datetime, until: datetime) -> bool:
    return any(begun <= until and (end is None or end > since) for begun, end in periods)


def _has_succeeded(record: Record, requirement: Requirement, at: datetime) -> bool:
    newest = record.newest_finished(requirement.pipeline, at)
    return requirement.require != "succeeded" or bool(newest and newest[1] == "SUCCEEDED")


def _is_disturbed(record: Record, since: datetime, until: datetime) -> bool:
    return any(since <= moment <= until for moment in record.disturbances)


def _drop_none(*moments: datetime | None) -> list[datetime]:
    return [moment for moment in moments if moment is not None]


def _find_first(record: Record, held: str, answers: list[Answer]) -> datetime:
    """When the wait of the last of these holds began: its rule has existed since then."""
    latest = answers[-1].at
    periods = record.find_rule_periods(held)
    began = max((began for began, _ in periods if began <= latest), default=latest)
    return min(answer.at for answer in answers if answer.at >= began)


def _is_excused(
    record: Record, execution: PipelineExecution, held: Answer, settings: list[GateSettings]
) -> bool:
    """Whether the execution does not have to continue.

    - Its pipeline was deleted, a person removed its rule (as the message allows), or the execution
      was stopped, or a person let it pass after it was held.
    - It is a rollback, or no start can take its revisions, and it can no longer be retried, because
      its pipeline was edited or another execution entered its stage.
    - It has to continue as the same execution, and another of its gates refused its parameters.
    - It requires the success of a stage: only the stories' tests cover that.
    """
    id_, pipeline = execution.id, record.pipelines[execution.pipeline_name]
    answers = [record.answers.get(job.id) for job in record.find_jobs(id_)]
    refused = any(one and one.verdict not in ("", "held", "gave-up") for one in answers)
    resumed = any(
        (one.execution, one.state) == (id_, "RESUMED") and one.at >= held.at
        for one in record.changes
    )
    retried = any(one.execution is execution and one.at >= held.at for one in record.retries)
    overtaken = any(
        stage.name in execution.stages and stage.latest is not execution
        for stage in pipeline.stages
    )
    no_start = (
        took_what_no_start_takes(execution)
        or bool(record.dials.lost_revisions)
        or any(
            one.invocation.held_id == id_ and _has_failed_in_source(one) for one in record.starts
        )
    )
    edited = pipeline.version != execution.pipeline_version
    return (
        execution.pipeline_name in record.deleted
        or id_ in record.rule_removed | record.overridden
        or execution.status != "Failed"
        or (resumed and not retried)
        or ((execution.type == "ROLLBACK" or no_start) and (edited or overtaken))
        or (refused and (no_start or id_ in record.released))
        or (refused and any(one.hold == "retry" for one in settings))
        or any(one.requires_stage for one in settings)
    )


def _find_end(record: Record, held: PipelineExecution, latest: Answer) -> datetime | None:
    """When it continued: by a newer execution (in PARALLEL mode its own restart), or because the
    retry function retried its stage.
    """
    moments = [
        one.at
        for one in _list_continuations(record, held)
        # The other gate of its stage may answer only after the restart.
        if one.at >= latest.at or one.execution is not held
    ]
    if held.mode != "PARALLEL":
        newer = record.pipelines[held.pipeline_name].history[held.number + 1 :]
        failed = [one.execution for one in record.starts if _has_failed_in_source(one)]
        moments += [execution.started for execution in newer if execution not in failed][:1]
    return min(moments, default=None)


def _list_continuations(record: Record, held: PipelineExecution) -> list[Start]:
    """The retries of its stage, and the starts in its place, that continued a held execution."""
    starts = [
        one
        for one in record.starts
        if one.invocation.held_id == held.id and not _has_failed_in_source(one)
    ]
    return [*(one for one in record.retries if one.execution is held), *starts]


def _has_failed_in_source(start: Start) -> bool:
    """Whether a start with held revisions failed because its source could not take them, and the
    retry function saw that.
    """
    restart, read = start.execution, start.invocation.list_executions(start.pipeline)
    is_lost = bool(restart.overrides) and not restart.revisions
    return is_lost and read.get(restart.id, ("",))[0] == "Failed"


def _check_waits_in_progress(record: Record) -> Iterator[str]:
    """In the mode wait, the action succeeds at the next check, and no time limit ends it."""
    again = timedelta(seconds=record.dials.continuation_seconds)
    first: dict[str, KeptOpen] = {}
    for kept in record.kept_open:
        first.setdefault(kept.job.action.id, kept)
    unanswered = {job.action.id for job in record.jobs() if not job.answered}  # see answered.py
    for kept in first.values():
        action, execution, since = kept.job.action, kept.execution, kept.at
        settings, name = read_settings(kept.job), label(execution)
        if action.error and "did not end within 24 hours" in action.error[1]:
            yield f"{name} stayed in progress until CodePipeline ended its action"
        is_deleted = execution.pipeline_name in record.deleted
        # Only the stories' tests cover gates that require the success of a stage.
        if action.id in unanswered or settings.requires_stage or is_deleted:
            continue
        may_continue = [since + settings.give_up] if settings.give_up else []
        # A mark disappears with its rule if a person removes that.
        if execution.id not in record.rule_removed:
            may_continue += [max(at, since) for at in record.find_releases(kept.job)]
        ended = utcnow() if action.status == "InProgress" else action.updated
        begins = _find_overdue(
            record,
            settings.requirements,
            since,
            min(may_continue, default=None),
            again + MINUTE,
            ended,
            record.slow_periods,
        )
        if begins is not None:
            when = f"{ended:%d %H:%M:%S}, though it could from {begins:%d %H:%M:%S} on"
            yield f"{name}, whose mode is wait, continued at {when}"


def _find_held_after_release(record: Record) -> Iterator[str]:
    """A gate that was invoked after a person had released its execution holds it again."""
    holds: list[Answer | KeptOpen] = [*record.kept_open]
    for answers in record.find_holds().values():
        holds += answers
    for held in holds:
        id_, invocation = held.execution.id, held.invocation
        # A late twin of its gate may have written the rule again without the mark, and the gate may
        # miss the mark if EventBridge does not answer, or if the rule went while the gate ran:
        # a person removed it, or a newer execution had taken the place of this one.
        # A release belongs to one gate: a later one of the same execution holds it again.
        # In the mode wait, a gate that does not see the mark yet is invoked again soon.
        stays = isinstance(held, KeptOpen) and record.dials.answer_age is not None
        moments = [invocation.began + MOMENT, *([invocation.began - LONGEST_LAG] if stays else [])]
        marked = all(
            is_released(kept) and belongs_to(kept, held.job)
            for kept in (record.find_hold(id_, moment) for moment in moments)
        )
        overlooked = any(fault.startswith("ListTargetsByRule") for fault in invocation.faults)
        removed = any(
            one.hold is None
            and one.at >= invocation.began
            and (one.invocation is None or _was_replaced(one.invocation))
            for one in record.find_rule_changes(id_)
        )
        if marked and not overlooked and not removed:
            when = f"{invocation.began:%d %H:%M:%S}"
            yield f"{label(held.execution)} is held at {when}, though a person had released it"


def _was_replaced(retry: Invocation) -> bool:
    return any("replaced_by" in line for line in retry.lines)


def _find_release(record: Record, held: str) -> datetime | None:
    """When a person released it, if that mark existed until the hold ended."""
    since, before = None, False
    for one in record.find_rule_changes(held):
        marked = one.hold is not None and is_released(one.hold)
        if one.hold is not None and marked is not before:
            since = one.at if marked else None
        before = marked
    return since


def _check_restarts(record: Record) -> Iterator[str]:
    """A restart has the held execution's variables, as far as the pipeline still declares them."""
    for start in record.starts:
        held, new = record.executions.get(start.invocation.held_id), start.execution
        # The record does not say what an edited pipeline declared when the retry read it.
        if held is None or any(
            name == start.pipeline and start.invocation.began <= at <= start.at
            for at, name in record.edits
        ):
            continue
        about = f"{label(new)}, restart of {held.id[:8]},"
        for name, value in held.variables.items():
            if new.variables.get(name, value) != value:
                yield f"{about} has {name}={new.variables[name]}, not {value}"
