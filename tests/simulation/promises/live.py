"""Live: every held execution goes on, as asked, soon after its upstreams let it and AWS answers; or
it ends at its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sandbox.codepipeline.execution import ActionJob, PipelineExecution
from sandbox.world import Dials
from tests.simulation.orders import Order, Wanted, order
from tests.simulation.promises.holds import holds, verdict
from tests.simulation.record import Piece, Record
from tests.simulation.turns import Answer

MOMENT = timedelta(milliseconds=1)
IN_PLACE = timedelta(hours=23)
"""So long an action waits in place at least before a rule takes over."""


def live(record: Record, end: datetime, dials: Dials) -> Iterator[str]:
    for held, answers in holds(record).items():
        yield from _held(record, record.executions[held], answers, end, dials.rule_warmup)
    yield from _in_place(record, end, timedelta(seconds=dials.continuation_seconds))
    yield from _held_all_the_same(record)
    yield from _faithful(record)


def _held(
    record: Record,
    execution: PipelineExecution,
    answers: list[Answer],
    end: datetime,
    warmup: timedelta,
) -> Iterator[str]:
    """It goes on (by a newer one of its pipeline; in PARALLEL mode by its own restart, with its
    variables and revisions; where its stage is to be retried, by that), at the latest retry_minutes
    + 1 minute after the upstreams let it and AWS answers.
    """
    latest, name = answers[-1], f"{execution.pipeline_name} {execution.id[:8]}"
    # Two gates of one execution share its rule: the one that made it last says how often it fires,
    # and for whom.
    jobs = record.jobs_of(execution.id)
    orders = [order(job) for job in jobs]
    if all(one.hold == "wait" for one in orders) and any(
        answer.at - _asked_since(record, answer) < IN_PLACE for answer in answers
    ):
        yield f"Live: {name} was failed to wait, though it was to wait in place"
    if _excused(record, execution, latest, orders):
        return
    slack = timedelta(minutes=max(one.minutes for one in orders) + 1)
    since = latest.at + warmup
    released = _released(record, execution, latest)
    first = _first(record, execution.id, answers)
    deadlines = [first + one.give_up for one in orders if one.give_up is not None]
    goes_on = (
        max(deadlines)
        if deadlines and all(one.give_up is not None and one.goes_on for one in orders)
        else None
    )
    let_go = _let_go(record, execution.id)
    if let_go is not None and let_go >= latest.at:
        goes_on = min(goes_on or let_go, let_go)
    stops = min(
        (first + one.give_up for one in orders if one.give_up is not None and not one.goes_on),
        default=None,
    )
    wanted = {wanted for one in orders for wanted in one.wanted}
    # A gate that no invocation answers keeps the execution in progress until CodePipeline ends its
    # action.
    mute = [
        (job.action.started, job.action.updated if job.action.status != "InProgress" else None)
        for job in jobs
        if not job.answered
    ]
    gives_up = stops and stops - (
        first - min(answer.turn.began for answer in answers if answer.at >= first)
    )  # by the gate's own clock
    begins = _overdue(
        record, wanted, since, goes_on, slack, min(_known(released, gives_up, end)), mute
    )
    if begins is not None:
        what = f"went on at {released:%d %H:%M:%S}" if released else "never went on"
        yield (
            f"Live: {name}, held since {latest.at:%d %H:%M:%S}, {what}, though "
            f"{', '.join(sorted(one.pipeline for one in wanted))} let it "
            f"and AWS answers since {begins:%d %H:%M:%S}, and it looks again within {slack}"
        )
    if (
        stops is not None
        and all(one.give_up is not None and not one.goes_on for one in orders)
        and let_go is None
    ):
        until = max(stops, since) + slack
        ended = min(
            _known(
                released,
                *(
                    gone
                    for _, gone in record.ruled_pieces(execution.id)
                    if gone and gone >= latest.at
                ),
            ),
            default=None,
        )
        if (
            until < end
            and (ended is None or ended > until)
            and not _troubled(record, max(stops, since), until)
        ):
            yield (
                f"Live: {name} was to give up at {stops:%d %H:%M:%S}, and is still held at "
                f"{until:%d %H:%M:%S}"
            )


def _overdue(
    record: Record,
    wanted: Iterable[Wanted],
    since: datetime,
    goes_on: datetime | None,
    slack: timedelta,
    ended: datetime,
    unless: Iterable[Piece] = (),
) -> datetime | None:
    """From when on, for as long as `slack`, nothing kept a wait from ending: it was let go on, and
    AWS answered. None: at no time.

    `since`: when the wait began; `goes_on`: when it ends in any case; `ended`: when it did, or the
    run; `unless`: what excuses it.
    """
    busy = [
        piece
        for one in wanted
        for piece in [*record.busy(one.pipeline), *record.held(one.pipeline)]
    ]
    closed = [*unless, *(piece for one in wanted for piece in record.closed.get(one.pipeline, ()))]
    quiet = {
        since,
        goes_on or since,
        *(over for _, over in [*busy, *closed] if over is not None),
        *(t + MOMENT for t in record.troubles),
    }
    for begins in sorted(moment for moment in quiet if moment >= since):
        until = begins + slack
        if ended <= until:
            return None
        done = not _overlaps(busy, begins, until) and all(
            _succeeded(record, one, begins) for one in wanted
        )
        answers = not _overlaps(closed, begins, until) and not _troubled(record, begins, until)
        if answers and (done or (goes_on is not None and begins >= goes_on)):
            return begins
    return None


def _overlaps(pieces: Iterable[Piece], since: datetime, until: datetime) -> bool:
    return any(begun <= until and (over is None or over > since) for begun, over in pieces)


def _succeeded(record: Record, wanted: Wanted, at: datetime) -> bool:
    newest = record.newest_finished(wanted.pipeline, at)
    return wanted.require != "succeeded" or (newest is not None and newest[1] == "SUCCEEDED")


def _troubled(record: Record, since: datetime, until: datetime) -> bool:
    return any(since <= trouble <= until for trouble in record.troubles)


def _known(*moments: datetime | None) -> list[datetime]:
    return [moment for moment in moments if moment is not None]


def _first(record: Record, held: str, answers: list[Answer]) -> datetime:
    """When the wait began that the last of these holds is about: its rule has stood all the
    while.
    """
    latest = answers[-1]
    began = max(
        (began for began, _ in record.ruled_pieces(held) if began <= latest.at), default=latest.at
    )
    return min(answer.at for answer in answers if answer.at >= began)


def _asked_since(record: Record, answer: Answer) -> datetime:
    """When the action began that this answer ended."""
    job = record.job(answer.turn.job or "")
    return job.action.started if job else answer.at


def _excused(
    record: Record, execution: PipelineExecution, held: Answer, orders: list[Order]
) -> bool:
    """Nobody waits for it any more: its pipeline was deleted, its rule removed by a person (as the
    message says one may), the execution itself was stopped, or let past by a person after it was
    held; or it is a rollback that cannot be retried, as its pipeline was edited or another
    execution has entered its stage since; or it is to go on itself, and another gate of it refused
    what it was asked.
    """
    answers = [record.answers.get(job.id) for job in record.jobs_of(execution.id)]
    refused = any(answer and verdict(answer) not in ("", "held", "gave-up") for answer in answers)
    resumed = any(
        one.execution == execution.id and one.state == "RESUMED" and one.at >= held.at
        for one in record.changes
    )
    pipeline = record.pipelines[execution.pipeline_name]
    overtaken = any(
        stage.name in execution.stages and stage.latest is not execution
        for stage in pipeline.stages
    )
    final = execution.type == "ROLLBACK" and (
        pipeline.version != execution.pipeline_version or overtaken
    )  # AWS retries it no more
    return (
        execution.pipeline_name in record.deleted
        or execution.id in record.unruled
        or execution.id in record.overridden
        or execution.status != "Failed"
        or (
            resumed
            and not any(
                start.execution is execution and start.at >= held.at for start in record.retries
            )
        )
        or final
        or (
            refused
            and (any(one.hold == "retry" for one in orders) or execution.id in record.let_go)
        )
        or any(
            one.require == "succeeded" and one.stage for asked in orders for one in asked.wanted
        )  # judged by the stories' tests alone
    )


def _released(record: Record, held: PipelineExecution, latest: Answer) -> datetime | None:
    """When it went on: by a newer execution, in PARALLEL mode its own restart; or itself, its stage
    retried by the retry function.
    """
    moments = [
        start.at for start in record.retries if start.execution is held and start.at >= latest.at
    ]
    if held.mode == "PARALLEL":
        moments += [start.at for start in record.starts if start.turn.held == held.id]
    else:
        history = record.pipelines[held.pipeline_name].history
        moments += [history[held.number + 1].started] if held.number + 1 < len(history) else []
    return min(moments, default=None)


def _in_place(record: Record, end: datetime, again: timedelta) -> Iterator[str]:
    """An action that waits in place succeeds when CodePipeline asks next (`again`: after how long),
    and no time limit ends it.
    """
    first: dict[str, tuple[ActionJob, datetime]] = {}
    for kept in record.kept:
        job = record.job(kept.job)
        if job is not None:
            first.setdefault(job.action.id, (job, kept.at))
    unanswered = {
        job.action.id for job in record.jobs() if not job.answered
    }  # judged by that (answered.py)
    for job, since in first.values():
        action, asked = job.action, order(job)
        name = f"{action.execution.pipeline_name} {action.execution.id[:8]}"
        if action.error and "did not end within 24 hours" in action.error[1]:
            yield f"Live: {name} waited in place until CodePipeline ended its action"
        by_stage = any(
            one.require == "succeeded" and one.stage for one in asked.wanted
        )  # judged by the stories' tests alone
        if action.id in unanswered or by_stage or action.execution.pipeline_name in record.deleted:
            continue
        # A mark goes with its rule, if somebody removes that.
        let_go = (
            record.let_go.get(action.execution.id)
            if action.execution.id not in record.unruled
            else None
        )
        goes_on = min(
            _known(since + asked.give_up if asked.give_up else None, let_go and max(let_go, since)),
            default=None,
        )
        ended = end if action.status == "InProgress" else action.updated
        begins = _overdue(
            record, asked.wanted, since, goes_on, again + timedelta(minutes=1), ended, record.slow
        )
        if begins is not None:
            yield (
                f"Live: {name}, which waits in place, went on at {ended:%d %H:%M:%S}, "
                f"though it might since {begins:%d %H:%M:%S}"
            )


def _held_all_the_same(record: Record) -> Iterator[str]:
    """A person has let it go, and a gate that was asked after that holds it once more."""
    held = [(answer.turn, held) for held, answers in holds(record).items() for answer in answers]
    held += [
        (kept.turn, job.action.execution.id)
        for kept in record.kept
        if (job := record.job(kept.job))
    ]
    for turn, id_ in held:
        overlooked = any(
            hit.startswith("ListTargetsByRule") for hit in turn.hits
        )  # it may be, where EventBridge does not answer
        removed = any(
            one.held == id_ and one.turn is None and one.hold is None and one.at >= turn.began
            for one in record.rules
        )
        if _marked(record, id_, turn.began) and not overlooked and not removed:
            execution = record.executions[id_]
            yield (
                f"Live: {execution.pipeline_name} {id_[:8]} is held at "
                f"{turn.began:%d %H:%M:%S}, though a person had let it go on"
            )


def _marked(record: Record, held: str, at: datetime) -> bool:
    """Whether a person's mark stood in its rule just before that moment. A late twin of its gate
    may have written the rule anew without.
    """
    written = [one.hold for one in record.rules if one.held == held and one.at < at]
    return bool(written and written[-1] and "released_by" in written[-1])


def _let_go(record: Record, held: str) -> datetime | None:
    """When a person let it go, if that mark stood until the hold ended."""
    since, before = None, False
    for one in record.rules:
        if one.held == held:
            marked = one.hold is not None and "released_by" in one.hold
            if one.hold is not None and marked is not before:
                since = one.at if marked else None
            before = marked
    return since


def _faithful(record: Record) -> Iterator[str]:
    """A restart has the held execution's variables, as far as the pipeline still declares them, and
    in PARALLEL mode its revisions.
    """
    for start in record.starts:
        held = record.executions.get(start.turn.held)
        if held is None:
            continue
        if any(
            name == start.pipeline and start.turn.began <= at <= start.at
            for at, name in record.edits
        ):
            continue  # what it declared when the retry looked, nobody can tell
        new = start.execution
        for name, value in held.variables.items():
            if name in new.variables and new.variables[name] != value:
                yield (
                    f"Live: {start.pipeline} {new.id[:8]}, restart of {held.id[:8]}, has "
                    f"{name}={new.variables[name]}, not {value}"
                )
        if held.mode == "PARALLEL" or _revisions(record, held) == {"held"}:
            for action, revision in held.revisions.items():
                if action in new.revisions and new.revisions[action].id != revision.id:
                    yield (
                        f"Live: {start.pipeline} {new.id[:8]}, restart of {held.id[:8]}, "
                        f"took another revision of {action}"
                    )


def _revisions(record: Record, held: PipelineExecution) -> set[str | None]:
    return {order(job).revisions for job in record.jobs_of(held.id)}
