"""The gate's five promises (docs/reliability.md), each checked on what really happened in a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.jobs import Job
from sandbox.world import Dials
from tests.simulation.calls import SECRET
from tests.simulation.orders import Order, Wanted, order
from tests.simulation.people import PREFIX
from tests.simulation.record import Answer, Record, Start
from tests.simulation.weather import PERMANENT

MOMENT = timedelta(milliseconds=1)
RUNNING = ("InProgress", "Stopping")
FINISHED = ("Succeeded", "Failed", "Stopped")
Read = dict[str, dict[str, tuple[str, float]]]
"""What ListPipelineExecutions answered a turn: each pipeline's executions by id, with their status and start time."""


def broken(record: Record, dials: Dials) -> list[str]:
    """The promises that a run, which ends now, broke: as sentences."""
    return [*safe(record), *live(record, utcnow(), dials.rule_warmup), *clean(record), *once(record, dials.token_memory), *answered(record)]


def safe(record: Record) -> Iterator[str]:
    """The gate never reports success while what it waits for is not as asked, as the answers it read stood."""
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if not answer.success or job is None:
            continue
        asked = order(job)
        if asked.unguarded or _gave_up(record, job, answer, asked):
            continue
        for wanted in asked.wanted:
            for sentence in _unsatisfied(record, wanted, answer.turn.read, answer.turn.complete):
                yield f"Safe: {record.whose(job_id)} passed though {sentence}"


def _unsatisfied(record: Record, wanted: Wanted, all_read: Read, complete: set[str]) -> Iterator[str]:
    """What a function had read of an upstream that should have kept it from going on."""
    read = all_read.get(wanted.pipeline, {})
    if wanted.pipeline not in complete:
        yield f"it had not read all executions of {wanted.pipeline}"
    for execution, (status, _) in read.items():
        if status in RUNNING and not wanted.left_aside(record.executions[execution]):
            yield f"it had read that {wanted.pipeline} {execution[:8]} is {status}"
    finished = [(started, status) for status, started in read.values() if status in FINISHED]
    if wanted.require == "succeeded" and not wanted.stage and (not finished or max(finished)[1] != "Succeeded"):
        yield f"it had read that {wanted.pipeline} has not succeeded"


def _gave_up(record: Record, job: Job, answer: Answer, asked: Order) -> bool:
    """Whether the gate could say that it had waited as long as it was asked to."""
    waits = [other for other in record.jobs() if other.action.execution is job.action.execution]
    began = min(other.action.started for other in waits)
    return (
        asked.give_up is not None
        and asked.goes_on
        and answer.text.startswith("Goes on in spite of ")
        and answer.at - began >= asked.give_up - timedelta(minutes=1)
    )


def live(record: Record, end: datetime, warmup: timedelta) -> Iterator[str]:
    """Every held execution goes on (by a newer one of its pipeline; in PARALLEL mode by its own restart, with its variables and revisions;
    where its stage is to be retried, by that), at the latest retry_minutes + 1 minute after the upstreams let it and AWS answers.
    """
    for held, answers in holds(record).items():
        execution, latest = record.executions[held], answers[-1]
        # Two gates of one execution share its rule: the one that made it last says how often it fires, and for whom.
        orders = [order(job) for job in record.jobs() if job.action.execution is execution]
        if any(one.hold == "wait" for one in orders) and all(one.hold == "wait" for one in orders):
            yield f"Live: {execution.pipeline_name} {held[:8]} was failed to wait, though it was to wait in place"
        if _excused(record, execution, latest, orders):
            continue
        minutes = max(one.minutes for one in orders)
        wanted = {wanted for one in orders for wanted in one.wanted}
        released = _released(record, execution, latest, orders)
        busy = [piece for one in wanted for piece in [*record.busy(one.pipeline), *record.held(one.pipeline)]]
        since = latest.at + warmup
        deadlines = [latest.at + one.give_up for one in orders if one.give_up is not None]
        goes_on = max(deadlines) if deadlines and all(one.give_up is not None and one.goes_on for one in orders) else None
        stops = min((answers[0].at + one.give_up for one in orders if one.give_up is not None and not one.goes_on), default=None)
        quiet = {since, goes_on or since, *(ended for _, ended in busy if ended is not None), *(t + MOMENT for t in record.troubles)}
        for begins in sorted(moment for moment in quiet if moment >= since):
            until = begins + timedelta(minutes=minutes + 1)
            if until > end or (released is not None and released <= until) or (stops is not None and stops <= until):
                break
            idle = not any(begun <= until and (ended is None or ended > begins) for begun, ended in busy)
            done = all(record.newest_finished(one.pipeline, begins) == "SUCCEEDED" for one in wanted if one.require == "succeeded")
            if ((idle and done) or (goes_on is not None and begins >= goes_on)) and not any(begins <= t <= until for t in record.troubles):
                what = f"went on at {released:%d %H:%M:%S}" if released else "never went on"
                yield (
                    f"Live: {execution.pipeline_name} {held[:8]}, held since {latest.at:%d %H:%M:%S}, {what}, though "
                    f"{', '.join(sorted(one.pipeline for one in wanted))} let it and AWS answers since {begins:%d %H:%M:%S}, "
                    f"and retry_minutes is {minutes}"
                )
                break
    yield from _faithful(record)


def holds(record: Record) -> dict[str, list[Answer]]:
    """The answers that held an execution ("k8s waits for infra since ..."), by the execution's id."""
    found: dict[str, list[Answer]] = {}
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is not None and _is_hold(job, answer):
            found.setdefault(job.action.execution.id, []).append(answer)
    return found


def _is_hold(job: Job, answer: Answer) -> bool:
    return not answer.success and answer.text.startswith(f"{job.action.execution.pipeline_name} waits for ")


def _excused(record: Record, execution: PipelineExecution, held: Answer, orders: list[Order]) -> bool:
    """Nobody waits for it any more: its pipeline was deleted, its rule removed by a person (as the message says one may), the execution
    itself was stopped, or let past by a person after it was held; or it is a rollback that cannot be retried, as its pipeline was edited or
    another execution has entered its stage since.
    """
    resumed = any(one.execution == execution.id and one.state == "RESUMED" and one.at >= held.at for one in record.changes)
    pipeline = record.pipelines[execution.pipeline_name]
    overtaken = any(stage.name in execution.stages and stage.latest is not execution for stage in pipeline.stages)
    final = execution.type == "ROLLBACK" and (pipeline.version != execution.pipeline_version or overtaken)  # AWS retries it no more
    return (
        execution.pipeline_name in record.deleted
        or execution.id in record.released
        or execution.id in record.overridden
        or execution.status != "Failed"
        or (resumed and not any(start.execution is execution and start.at >= held.at for start in record.retries))
        or final
        or any(one.require == "succeeded" and one.stage for asked in orders for one in asked.wanted)  # judged by the stories' tests alone
    )


def _released(record: Record, held: PipelineExecution, latest: Answer, orders: list[Order]) -> datetime | None:
    """When it went on: by a newer execution, in PARALLEL mode its own restart; or itself, its stage retried by the retry function."""
    moments = [start.at for start in record.retries if start.execution is held and start.at >= latest.at]
    if held.mode == "PARALLEL":
        moments += [start.at for start in record.starts if start.turn.held == held.id]
    else:
        history = record.pipelines[held.pipeline_name].history
        moments += [history[held.number + 1].started] if held.number + 1 < len(history) else []
    return min(moments, default=None)


def _faithful(record: Record) -> Iterator[str]:
    """A restart has the held execution's variables, as far as the pipeline still declares them, and in PARALLEL mode its revisions."""
    for start in record.starts:
        held = record.executions.get(start.turn.held)
        if held is None:
            continue
        new = start.execution
        for name, value in held.variables.items():
            if name in new.variables and new.variables[name] != value:
                yield f"Live: {start.pipeline} {new.id[:8]}, restart of {held.id[:8]}, has {name}={new.variables[name]}, not {value}"
        if held.mode == "PARALLEL" or _revisions(record, held) == {"held"}:
            for action, revision in held.revisions.items():
                if action in new.revisions and new.revisions[action].id != revision.id:
                    yield f"Live: {start.pipeline} {new.id[:8]}, restart of {held.id[:8]}, took another revision of {action}"


def _revisions(record: Record, held: PipelineExecution) -> set[str | None]:
    return {order(job).revisions for job in record.jobs() if job.action.execution is held}


def clean(record: Record) -> Iterator[str]:
    """When all is idle, no rule of the gate is left that has a target."""
    running = [
        f"{name} {one.id[:8]}" for name, pipeline in record.pipelines.items() if not pipeline.deleted for one in pipeline.running.values()
    ]
    if running:
        yield f"Clean: it never comes to rest: {', '.join(running)} still running"
    for name, rule in eventbridge.backend(ACCOUNT, REGION).event_buses["default"].rules.items():
        if name.startswith(PREFIX) and rule.targets and not _waits_for_a_success(record, name[-36:]):
            yield f"Clean: the rule of {name[-36:-28]} is left with its target"


def _waits_for_a_success(record: Record, held: str) -> bool:
    """It requires a success that nobody could bring about, such as that of a pipeline whose own upstream was deleted."""
    orders = [order(job) for job in record.jobs() if job.action.execution.id == held]
    required = {one.pipeline for asked in orders for one in asked.wanted if one.require == "succeeded"}
    return any(record.newest_finished(name, utcnow()) != "SUCCEEDED" for name in required)


def once(record: Record, memory: timedelta | None) -> Iterator[str]:
    """A hold starts its pipeline at most once, and only while it stands: never when a newer execution exists (PARALLEL aside), never
    while an upstream runs, never for an execution that the gate let pass. `memory`: how long AWS remembers a clientRequestToken.
    """
    first: dict[str, Start] = {}
    for start in record.starts:
        turn, pipeline = start.turn, start.pipeline
        held = record.executions.get(turn.held)
        if held is None or held.pipeline_name != pipeline:
            yield f"Once: {pipeline} {start.execution.id[:8]} was started by the hold of {turn.held[:8]}, which is none of its executions"
            continue
        what = f"{pipeline} {held.id[:8]} was started again as {start.execution.id[:8]}"
        before = first.setdefault(held.id, start)
        if before is not start and not (_has_twin(record, held) and memory is not None and start.at - before.at >= memory):
            yield f"Once: {what}, after it had been as {before.execution.id[:8]}"
        read = start.read.get(pipeline, {})
        if read.get(held.id, ("unread", 0))[0] != "Failed":
            yield f"Once: {what}, though the retry had read that it is {read.get(held.id, ('unread', 0))[0]}"
        if turn.at_start is not None and turn.at_start.passed and turn.at_start.status == "Failed":
            yield f"Once: {what}, though the gate had let it pass"
        if held.mode != "PARALLEL":
            newest = max(read.items(), key=lambda item: item[1][1], default=(held.id, ("", 0.0)))[0]
            if newest != held.id and read[newest][1] > read.get(held.id, ("", 0.0))[1]:
                yield f"Once: {what}, though the retry had read of the newer {newest[:8]}, which is {read[newest][0]}"
            elif turn.at_start is not None and turn.at_start.newer:
                yield f"Once: {what}, though the newer {turn.at_start.newer[0][:8]} existed"
        if any(retried.turn is turn for retried in record.retries):
            yield f"Once: {what}, though its stage had been retried"
        if held.type == "ROLLBACK":
            yield f"Once: {what}, though it is a rollback"
        yield from _early(record, start, what)
    for retried in record.retries:
        yield from _early(record, retried, f"the stage of {retried.pipeline} {retried.execution.id[:8]} was retried")


def _has_twin(record: Record, held: PipelineExecution) -> bool:
    """In PARALLEL mode, another execution that took the same revisions: the restarts of the two cannot be told apart, and only the
    clientRequestToken keeps a hold whose rule could not be removed from a second start (docs/reliability.md, "What is not promised").
    """
    restarts = {start.execution.id for start in record.starts if start.turn.held == held.id}
    took = {action: revision.id for action, revision in held.revisions.items()}
    return held.mode == "PARALLEL" and any(
        {action: revision.id for action, revision in other.revisions.items()} == took
        for other in record.pipelines[held.pipeline_name].history
        if other is not held and other.id not in restarts
    )


def _early(record: Record, start: Start, what: str) -> Iterator[str]:
    """It saw that an upstream of its hold is not as asked, or did not look."""
    told = _kept_order(record, start)
    if told is None or (told.give_up is not None and told.goes_on and _waited(record, start) >= told.give_up):
        return
    for wanted in told.wanted:
        gone = record.deleted.get(wanted.pipeline)
        if gone is not None:
            continue  # a deleted upstream counts as idle, whatever an earlier look of the same turn had read
        for sentence in _unsatisfied(record, wanted, start.read, start.turn.complete):
            yield f"Once: {what}, though {sentence}"


def _waited(record: Record, start: Start) -> timedelta:
    """Since when its execution stands before its gate."""
    jobs = [job for job in record.jobs() if job.action.execution.id == start.turn.held]
    return start.at - min(job.action.started for job in jobs)


def _kept_order(record: Record, start: Start) -> Order | None:
    """What the gate kept of this execution's wait, as far as the gate's jobs tell without doubt."""
    orders = [
        order(job) for job in record.jobs() if job.action.execution.id == start.turn.held and job.action.configuration.get("UserParameters")
    ]
    return orders[0] if len(set(orders)) == 1 else None


def answered(record: Record) -> Iterator[str]:
    """Every job gets a result (exactly one: a second is refused by CodePipeline), and no word of the gate holds a credential."""
    for job in record.jobs():
        action = job.action
        if job.answered or action.execution.pipeline_name in record.deleted or action.status == "Abandoned":
            continue
        turns = [turn for turn in record.turns if turn.job == job.id]
        ended = None if action.status == "InProgress" else action.updated
        whose = f"{action.execution.pipeline_name} {action.execution.id[:8]}"
        if not turns and not record.lost_invocations:
            yield f"Answered: the gate was never invoked for {whose}"
        in_time = [turn for turn in turns if ended is None or (turn.ended is not None and turn.ended < ended)]
        for turn in in_time:
            if not turn.hits:
                yield f"Answered: {whose} has no result, though the gate ran without a fault at {turn.began:%d %H:%M:%S}"
        if in_time and not in_time[-1].error:
            yield f"Answered: {whose} has no result, and the gate ended at {in_time[-1].began:%d %H:%M:%S} as if it had"
    yield from _given_up(record)
    for words in record.words:
        if SECRET in words:
            at = words.index(SECRET)
            yield f"Answered: a credential stands in: ...{words[max(0, at - 150) : at + 20]!r}"


def _given_up(record: Record) -> Iterator[str]:
    """A job that fails without a hold has a reason that a person has to mend: its parameters, a denied call, an upstream that is gone."""
    for job_id, answer in record.answers.items():
        job = record.job(job_id)
        if job is None or answer.success or _is_hold(job, answer):
            continue
        asked = order(job)
        reasons = (
            any(hit.endswith(PERMANENT) for hit in answer.turn.hits),
            any(one.pipeline in record.deleted for one in asked.wanted),
            not asked.says_who,
            asked.give_up is not None and not asked.goes_on and answer.text.startswith("Gave up: "),
        )
        if not any(reasons):
            yield f"Answered: {record.whose(job_id)} failed without a hold or a reason: {answer.text[:120]}"
