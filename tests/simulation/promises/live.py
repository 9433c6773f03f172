"""Live: every held execution goes on soon after it may and AWS answers, or at its deadline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from tests.simulation.entries import Answer, KeptOpen
from tests.simulation.record import Period, Record, label
from tests.simulation.settings import GateSettings, Requirement, read_settings

MOMENT, MINUTE = timedelta(milliseconds=1), timedelta(minutes=1)
IN_PLACE = timedelta(hours=23)
"""So long an action waits in place at least before a rule takes over."""


def live(record: Record) -> Iterator[str]:
    for held, answers in record.find_holds().items():
        yield from _check_hold(record, record.executions[held], answers)
    yield from _check_waits_in_place(record)
    yield from _find_held_after_release(record)
    yield from _check_restarts(record)


def _check_hold(
    record: Record, execution: PipelineExecution, answers: list[Answer]
) -> Iterator[str]:
    """It goes on (by a newer one of its pipeline; in PARALLEL mode by its own restart, with its
    variables and revisions; where its stage is to be retried, by that), at the latest retry_minutes
    + 1 minute after the upstreams let it and AWS answers.
    """
    latest, name = answers[-1], label(execution)
    # Two gates of one execution share its rule: the one that made it last says how often it fires,
    # and for whom.
    jobs = record.find_jobs(execution.id)
    settings = [read_settings(job) for job in jobs]
    if all(one.hold == "wait" for one in settings) and any(
        answer.at - answer.job.action.started < IN_PLACE for answer in answers
    ):
        yield f"{name} was failed to wait, though it was to wait in place"
    if _is_excused(record, execution, latest, settings):
        return
    slack = (max(one.retry_minutes for one in settings) + 1) * MINUTE
    since = latest.at + record.dials.rule_warmup
    went_on = _find_end(record, execution, latest)
    first = _find_first(record, execution.id, answers)
    stops, continues = (
        [first + one.give_up for one in settings if one.give_up and one.continues is goes_on]
        for goes_on in (False, True)
    )
    may_go_on = max(continues) if len(continues) == len(settings) else None
    released = _find_release(record, execution.id)
    if released is not None and released >= latest.at:
        may_go_on = min(may_go_on or released, released)
    # By the gate's own clock.
    began = min(answer.invocation.began for answer in answers if answer.at >= first)
    gives_up = [stop - (first - began) for stop in stops]
    requirements = {requirement for one in settings for requirement in one.requirements}
    # A gate that no invocation answers keeps the execution in progress until CodePipeline ends its
    # action.
    mute = [
        (job.action.started, job.action.updated if job.action.status != "InProgress" else None)
        for job in jobs
        if not job.answered
    ]
    ended = min(_drop_none(went_on, *gives_up, utcnow()))
    begins = _find_overdue(record, requirements, since, may_go_on, slack, ended, mute)
    if begins is not None:
        ending = f"went on at {went_on:%d %H:%M:%S}" if went_on else "never went on"
        upstreams = ", ".join(sorted(one.pipeline for one in requirements))
        yield (
            f"{name}, held since {latest.at:%d %H:%M:%S}, {ending}, though {upstreams} let it "
            f"and AWS answers since {begins:%d %H:%M:%S}, and it looks again within {slack}"
        )
    if len(stops) == len(settings) and released is None:
        since = max(min(stops), since)
        until = since + slack
        gone = [
            end for _, end in record.find_rule_periods(execution.id) if end and end >= latest.at
        ]
        ended = min(_drop_none(went_on, *gone), default=utcnow())
        if until < ended and not _is_disturbed(record, since, until):
            stop = f"{min(stops):%d %H:%M:%S}"
            yield f"{name} was to give up at {stop}, and is still held at {until:%d %H:%M:%S}"


def _find_overdue(
    record: Record,
    requirements: Iterable[Requirement],
    since: datetime,
    may_go_on: datetime | None,
    slack: timedelta,
    ended: datetime,
    excuses: Iterable[Period],
) -> datetime | None:
    """From when on, for as long as `slack`, nothing kept a wait from ending: it was let go on, and
    AWS answered. None: at no time.

    `since`: when the wait began; `may_go_on`: when it ends in any case; `ended`: when it did, or
    the run.
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
        *(since, may_go_on or since),
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
        if answers and (satisfied or (may_go_on is not None and begins >= may_go_on)):
            return begins
    return None


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
    """When the wait of the last of these holds began: its rule has stood all the while."""
    latest = answers[-1].at
    periods = record.find_rule_periods(held)
    began = max((began for began, _ in periods if began <= latest), default=latest)
    return min(answer.at for answer in answers if answer.at >= began)


def _is_excused(
    record: Record, execution: PipelineExecution, held: Answer, settings: list[GateSettings]
) -> bool:
    """Nobody waits for it any more: its pipeline was deleted, its rule removed by a person (as the
    message says one may), the execution itself was stopped, or let past by a person after it was
    held; or it is a rollback that cannot be retried, as its pipeline was edited or another
    execution has entered its stage since; or it is to go on itself, and another gate of it refused
    what it was asked. Who requires a stage's success is judged by the stories' tests alone.
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
    edited = pipeline.version != execution.pipeline_version
    return (
        execution.pipeline_name in record.deleted
        or id_ in record.rule_removed | record.overridden
        or execution.status != "Failed"
        or (resumed and not retried)
        or (execution.type == "ROLLBACK" and (edited or overtaken))
        or (refused and (any(one.hold == "retry" for one in settings) or id_ in record.released))
        or any(one.requires_stage for one in settings)
    )


def _find_end(record: Record, held: PipelineExecution, latest: Answer) -> datetime | None:
    """When it went on: by a newer execution, in PARALLEL mode its own restart; or itself, its stage
    retried by the retry function.
    """
    moments = [one.at for one in record.retries if one.execution is held and one.at >= latest.at]
    if held.mode == "PARALLEL":
        moments += [one.at for one in record.starts if one.invocation.held_id == held.id]
    else:
        newer = record.pipelines[held.pipeline_name].history[held.number + 1 :]
        moments += [execution.started for execution in newer[:1]]
    return min(moments, default=None)


def _check_waits_in_place(record: Record) -> Iterator[str]:
    """An action that waits in place succeeds when it is asked next, and no time limit ends it."""
    again = timedelta(seconds=record.dials.continuation_seconds)
    first: dict[str, KeptOpen] = {}
    for kept in record.kept_open:
        first.setdefault(kept.job.action.id, kept)
    unanswered = {job.action.id for job in record.jobs() if not job.answered}  # see answered.py
    for kept in first.values():
        action, execution, since = kept.job.action, kept.execution, kept.at
        settings, name = read_settings(kept.job), label(execution)
        if action.error and "did not end within 24 hours" in action.error[1]:
            yield f"{name} waited in place until CodePipeline ended its action"
        is_deleted = execution.pipeline_name in record.deleted
        # Who requires a stage's success is judged by the stories' tests alone.
        if action.id in unanswered or settings.requires_stage or is_deleted:
            continue
        may_go_on = [since + settings.give_up] if settings.give_up else []
        # A mark goes with its rule, if somebody removes that.
        if execution.id in record.released and execution.id not in record.rule_removed:
            may_go_on.append(max(record.released[execution.id], since))
        ended = utcnow() if action.status == "InProgress" else action.updated
        begins = _find_overdue(
            record,
            settings.requirements,
            since,
            min(may_go_on, default=None),
            again + MINUTE,
            ended,
            record.slow_periods,
        )
        if begins is not None:
            when = f"{ended:%d %H:%M:%S}, though it might since {begins:%d %H:%M:%S}"
            yield f"{name}, which waits in place, went on at {when}"


def _find_held_after_release(record: Record) -> Iterator[str]:
    """A person has let it go, and a gate that was asked after that holds it once more."""
    holds: list[Answer | KeptOpen] = [*record.kept_open]
    for answers in record.find_holds().values():
        holds += answers
    for held in holds:
        id_, invocation = held.execution.id, held.invocation
        # A late twin of its gate may have written the rule anew without the mark; the mark may be
        # overlooked where EventBridge does not answer.
        marked = "released_by" in record.find_hold(id_, invocation.began)
        overlooked = any(fault.startswith("ListTargetsByRule") for fault in invocation.faults)
        removed = any(
            one.invocation is None and one.hold is None and one.at >= invocation.began
            for one in record.find_rule_changes(id_)
        )
        if marked and not overlooked and not removed:
            when = f"{invocation.began:%d %H:%M:%S}"
            yield f"{label(held.execution)} is held at {when}, though a person had let it go on"


def _find_release(record: Record, held: str) -> datetime | None:
    """When a person let it go, if that mark stood until the hold ended."""
    since, before = None, False
    for one in record.find_rule_changes(held):
        marked = one.hold is not None and "released_by" in one.hold
        if one.hold is not None and marked is not before:
            since = one.at if marked else None
        before = marked
    return since


def _check_restarts(record: Record) -> Iterator[str]:
    """A restart has the held execution's variables, as far as the pipeline still declares them, and
    in PARALLEL mode its revisions.
    """
    for start in record.starts:
        held, new = record.executions.get(start.invocation.held_id), start.execution
        # What an edited pipeline declared when the retry looked, nobody can tell.
        if held is None or any(
            name == start.pipeline and start.invocation.began <= at <= start.at
            for at, name in record.edits
        ):
            continue
        about = f"{label(new)}, restart of {held.id[:8]},"
        for name, value in held.variables.items():
            if new.variables.get(name, value) != value:
                yield f"{about} has {name}={new.variables[name]}, not {value}"
        revisions = {read_settings(job).revisions for job in record.find_jobs(held.id)}
        if held.mode == "PARALLEL" or revisions == {"held"}:
            for action, revision in held.revisions.items():
                if new.revisions.get(action, revision).id != revision.id:
                    yield f"{about} took another revision of {action}"
